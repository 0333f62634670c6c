"""How large the stages are, and the bars that candidates have to clear."""

from __future__ import annotations

from pydantic import Field

from promptyard.records.base import Record


class FunnelSettings(Record):
    """Sizes and bars of the funnel. Points are of score: 0.03 is 3 points.

    `stochastic` says that the prompt asks for sampling, so that the same call can give another
    answer; the baseline is then run afresh on cases that were selected by its outcome, and breaks
    of critical cases are confirmed by reruns.
    """

    seed: int = 0
    cases_per_bucket: int = Field(default=2, ge=1)
    min_screen_cases: int = Field(default=6, ge=1)
    max_screen_cases: int = Field(default=24, ge=1)
    regress_cases: int = Field(default=80, ge=1)
    block_cases: int = Field(default=20, ge=1)
    noninferiority: float = Field(default=0.03, gt=0)
    stochastic: bool = False
