"""Judges as instruments: what people's labels say of them."""

from __future__ import annotations

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.scores import Interval


class Rate(Record):
    """A share of `n` observations with its interval; None where nothing was observed."""

    value: float | None
    interval: Interval | None = None
    n: int = 0


class LabelledVerdict(Record):
    """One case that a person and the judge have both looked at; True means pass."""

    case_id: str
    person: bool
    judge: bool


class JudgeCertificate(Record):
    """How well one judge (model and prompt hash) agrees with people, and on which labels.

    `tpr` is the share of answers passed by people that the judge passes, `tnr` the share of
    answers failed by people that it fails. `labels` are what the figures were computed of, so
    that means can be corrected and the disagreements read.
    """

    id: str
    task: str
    metric: str
    model: str
    prompt_hash: str
    kappa: Rate
    tpr: Rate
    tnr: Rate
    agreement: Rate
    n_unmeasured: int = 0
    labels: tuple[LabelledVerdict, ...] = Field(default=())
    eval_set_version: str = ""
    created_at: str = ""
