"""What every gate must keep to; subclass `GateContract` and give it yours.

`SuperiorityGateContract` is for gates that ask for a gain.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.protocols import Gate
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Failure, Report, Score, StepVisit, Trial
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict

N_CASES = 200


class GateContract:
    """Checks of any gate: pure, in one sentence, and able both to pass and to block.

    `sound` and `harmful` are what a candidate got right that the gate lets pass and that it does
    not; None is a call that failed. Override `pair` where a gate looks at something else.
    """

    settings = GateSettings()
    sound: Sequence[bool | None] = (True,) * N_CASES
    harmful: Sequence[bool | None] = tuple(n % 4 == 0 for n in range(N_CASES))

    def gate(self) -> Gate:
        """Return the gate under test."""
        raise NotImplementedError("a GateContract suite gives gate()")

    def pair(self, before: Sequence[bool | None], after: Sequence[bool | None]) -> PairedReport:
        """Make the reports of two programs by what they got right."""
        return PairedReport(baseline=_report("a", before), candidate=_report("b", after))

    def judge(self, before: Sequence[bool | None], after: Sequence[bool | None]) -> Verdict:
        """Judge two programs by what they got right."""
        cases = [Case(id=f"c{n}", input={"x": str(n)}, split="holdout") for n in range(len(before))]
        return self.gate().judge(self.pair(before, after), cases, self.settings)

    def test_a_sound_candidate_passes_and_a_harmful_one_does_not(self) -> None:
        """A gate that has never been seen to block is decoration."""
        half: list[bool | None] = [n % 2 == 0 for n in range(N_CASES)]
        assert self.judge(half, self.sound).status == "pass"
        assert self.judge(half, self.harmful).status != "pass"

    def test_the_same_pair_gives_the_same_verdict_in_one_sentence(self) -> None:
        """A verdict is recomputed from stored reports."""
        half: list[bool | None] = [n % 2 == 0 for n in range(N_CASES)]
        most: list[bool | None] = [n % 5 != 0 for n in range(N_CASES)]
        verdict = self.judge(half, most)
        assert verdict == self.judge(half, most)
        assert verdict.sentence
        assert "\n" not in verdict.sentence


class SuperiorityGateContract(GateContract):
    """Checks of a gate that asks for a gain: never kind to equal or worse programs."""

    def test_a_clear_loss_fails(self) -> None:
        """Half of the cases against all of them."""
        half = [n % 2 == 0 for n in range(N_CASES)]
        assert self.judge([True] * N_CASES, half).status == "fail"

    def test_equal_programs_never_pass(self) -> None:
        """No difference is no improvement."""
        half: list[bool | None] = [n % 2 == 0 for n in range(N_CASES)]
        assert self.judge(half, half).status == "inconclusive"


def _report(program_id: str, right: Sequence[bool | None]) -> Report:
    trials = tuple(_trial(program_id, f"c{n}", passed) for n, passed in enumerate(right))
    scores = [trial.score for trial in trials if trial.score is not None]
    return Report(
        program_id=program_id,
        eval_set_version="v",
        split="holdout",
        trials=trials,
        n_scored=len(scores),
        n_errors=len(trials) - len(scores),
        n_unscored=0,
        coverage=len(scores) / len(trials),
        score=sum(scores) / len(scores) if scores else None,
    )


def _trial(program_id: str, case_id: str, right: bool | None) -> Trial:
    if right is None:
        failure = Failure(at="model", kind="timeout", message="no answer")
        return Trial(
            program_id=program_id,
            case_id=case_id,
            split="holdout",
            status="error",
            failure=failure,
        )
    score = Score(metric="m", value=float(right), tags=() if right else ("wrong_value",))
    return Trial(
        program_id=program_id,
        case_id=case_id,
        split="holdout",
        status="scored",
        score=float(right),
        passed=right,
        visits=(StepVisit(step="main", completion=Completion(text="x")),),
        scores=(score,),
    )
