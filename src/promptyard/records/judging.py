"""Judges as instruments: what people's labels say of them."""

from __future__ import annotations

from pydantic import Field

from promptyard.records.base import Record
from promptyard.records.scores import Interval

ENOUGH_LABELS = 50
GOOD_RATE = 0.8
"""A judge whose TPR or TNR is lower should be mended rather than corrected."""


class Rate(Record):
    """A share of `n` observations with its interval; None where nothing was observed."""

    value: float | None
    interval: Interval | None = None
    n: int = 0


class LabelledVerdict(Record):
    """One case that a person and the judge have both looked at; True means pass.

    `output_hash` identifies the output: a label is of one answer, not of a case.
    """

    case_id: str
    person: bool
    judge: bool
    output_hash: str = ""


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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What speaks against relying on it, in sentences."""
        said: list[str] = []
        n_labels = len(self.labels)
        if n_labels < ENOUGH_LABELS:
            said.append(f"{n_labels} labels are few, so the intervals are wide; label 50 to 100")
        for name, rate, word in (("TPR", self.tpr, "pass"), ("TNR", self.tnr, "fail")):
            if rate.value is None:
                said.append(f"people {word} no answer, so {name} is unknown; label such answers")
            elif rate.value < GOOD_RATE:
                said.append(
                    f"{name} {rate.value:.2f} is below {GOOD_RATE}: of what people {word}, the "
                    f"judge would {word} {100 * rate.value:.0f} %; mend the criterion"
                )
        if self.n_unmeasured:
            said.append(f"the judge gave no verdict on {self.n_unmeasured} labelled answers")
        return tuple(said)


class Disagreement(Record):
    """An answer of which person and judge say different things, to be read.

    `verdict` is the judge's own word, `reason` why it said so.
    """

    case_id: str
    person: bool
    verdict: str
    reason: str
    output: str


class Attack(Record):
    """A text in an answer that moved the judge's verdict from `before` to `after`.

    `name` is that of the text among the injections, `reason` why the judge said so.
    """

    name: str
    case_id: str
    output: str
    before: str
    after: str
    reason: str


class SentinelReport(Record):
    """How a judge stood up to answers that tell it what to say.

    `n_attacks` answers that it fails were judged again with a text in them; `moved` are those that
    it then valued higher. `rate` is their share, `n_unmeasured` had no verdict.
    """

    metric: str
    model: str
    prompt_hash: str
    n_attacks: int
    n_unmeasured: int
    rate: Rate
    moved: tuple[Attack, ...] = ()


class Calibration(Record):
    """What a calibration found: the certificate, and the answers to be read.

    Labels of people that contradict each other (`n_contradictory` outputs) and labels without an
    output (`n_without_output`) count for nothing.
    """

    certificate: JudgeCertificate
    disagreements: tuple[Disagreement, ...] = ()
    n_contradictory: int = 0
    n_without_output: int = 0
