"""What one program came to on one version of an eval set: a row of the history."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.cases import EvalSplit


class Measurement(Record):
    """Scores and failure pattern of one report, by (program, eval set version, split).

    `dimensions` maps every summary (`score`, `accuracy` ... `latency_s`) to its mean, and suite
    metrics as `suite.macro_f1`; `checks` maps every check to its mean; `buckets` the name of every
    failure bucket to its failing cases, each case counted once, under the first thing wrong with
    it. `version` is the number of the program in the registry, None where it is not registered.
    """

    task: str
    program_id: str
    version: int | None = None
    eval_set_version: str
    split: EvalSplit
    run_id: str
    purpose: str
    model: str
    n_cases: int
    coverage: float
    score: float | None
    dimensions: Mapping[str, float] = Field(default_factory=dict)
    checks: Mapping[str, float] = Field(default_factory=dict)
    buckets: Mapping[str, int] = Field(default_factory=dict)
    measured_at: str = ""
