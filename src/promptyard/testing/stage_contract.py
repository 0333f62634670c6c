"""What every stage of the funnel must keep to; subclass `StageContract` and give it yours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.protocols import Stage
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.runs import StageOutcome
from promptyard.records.scores import Report, Score, StepVisit, Trial


class StageContract:
    """Checks of a stage: it opens only its cases, keeps to its bound, and says what it did."""

    def stage(self) -> Stage:
        """Return the stage under test."""
        raise NotImplementedError("a StageContract suite gives stage()")

    def baseline(self) -> Candidate:
        """Return the baseline; it gets every second case right."""
        raise NotImplementedError("a StageContract suite gives baseline()")

    def better(self) -> Candidate:
        """Return a candidate that gets every case right."""
        raise NotImplementedError("a StageContract suite gives better()")

    def evidence(self) -> Evidence:
        """Return the evidence that the candidate answers."""
        raise NotImplementedError("a StageContract suite gives evidence()")

    def cases(self) -> Sequence[Case]:
        """Return cases of the stage's split."""
        raise NotImplementedError("a StageContract suite gives cases()")

    def run(self) -> tuple[StageOutcome, list[str]]:
        """Run the stage on the better candidate; returns its outcome and the case ids it ran."""
        opened: list[str] = []
        better, split = self.better(), self.stage().split

        async def run_cases(program: Program, cases: Sequence[Case], replicate: int) -> Report:
            opened.extend(case.id for case in cases)
            trials: list[Trial] = []
            for number, case in enumerate(cases):
                right = program.id == better.id or number % 2 == 0
                score = Score(metric="m", value=float(right), tags=() if right else ("wrong",))
                trials.append(
                    Trial(
                        program_id=program.id,
                        case_id=case.id,
                        split=split,
                        replicate=replicate,
                        status="scored",
                        score=float(right),
                        passed=right,
                        visits=(StepVisit(step="main", completion=Completion(text="x")),),
                        scores=(score,),
                    )
                )
            mean = sum(trial.score or 0.0 for trial in trials) / len(trials)
            return Report(
                program_id=program.id,
                eval_set_version="v",
                split=split,
                trials=tuple(trials),
                n_scored=len(trials),
                n_errors=0,
                n_unscored=0,
                coverage=1.0,
                score=mean,
            )

        async def work() -> StageOutcome:
            return await self.stage().run(
                [better], self.baseline(), self.evidence(), self.cases(), run_cases
            )

        return asyncio.run(work()), opened

    def test_it_opens_only_the_cases_it_was_given(self) -> None:
        """Splits are sealed by what a stage is handed."""
        _, opened = self.run()
        assert opened
        assert set(opened) <= {case.id for case in self.cases()}

    def test_it_makes_no_more_trials_than_it_announces(self) -> None:
        """Progress and budget are planned with the bound."""
        _, opened = self.run()
        assert len(opened) <= self.stage().max_trials(1, len(self.cases()))

    def test_it_keeps_a_candidate_that_is_always_right(self) -> None:
        """And its rows say the same as its survivors."""
        outcome, _ = self.run()
        assert [candidate.id for candidate in outcome.kept] == [self.better().id]
        assert outcome.summary.n_tried == len(outcome.summary.rows) == 1
        assert outcome.summary.n_kept == 1
        assert outcome.summary.rows[0].status == "kept"
        assert outcome.summary.split == self.stage().split

    def test_it_repeats_exactly(self) -> None:
        """A resumed run must decide as the first one did."""
        assert self.run() == self.run()
