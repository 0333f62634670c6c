"""A Bench that runs programs: answers and optimizer replies are functions, all calls are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from promptyard.errors import BudgetExceeded
from promptyard.records.cases import Case
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.scores import (
    Failure,
    GradedCase,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.runner.summarize import summarize
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from promptyard.testing.replying_bench import Reply

Answer: TypeAlias = "str | Sequence[tuple[str, str]] | None"
"""The text of the last step, the texts of all visited steps, or None for a failed call."""

Answers: TypeAlias = Callable[[Program, Case, int], Answer]
Grade: TypeAlias = Callable[[Case, str], float]


@dataclass(frozen=True)
class Run:
    """One run that a generator asked for."""

    program: Program
    case_id: str
    replicate: int


def ends_in_gold(case: Case, text: str) -> float:
    """Grade as many do: the answer ends in the expected text."""
    return float(text.strip().endswith(str(case.expected)))


def graded_by(
    program: Program, case: Case, answer: Answer, grade: Grade, replicate: int = 0
) -> GradedCase:
    """Grade an answer of a program; it passes with a score of 1."""
    if answer is None:
        failure = Failure(at="model", kind="server_error", message="no answer")
        trial = Trial(
            program_id=program.id,
            case_id=case.id,
            split="train",
            replicate=replicate,
            status="error",
            failure=failure,
        )
        return GradedCase(case=case, trial=trial)
    texts = [(program.steps[-1].name, answer)] if isinstance(answer, str) else list(answer)
    value = grade(case, texts[-1][1])
    tags = () if value >= 1.0 else ("wrong_value",)
    return GradedCase(
        case=case,
        trial=Trial(
            program_id=program.id,
            case_id=case.id,
            split="train",
            replicate=replicate,
            status="scored",
            score=value,
            passed=value >= 1.0,
            output=texts[-1][1],
            visits=tuple(StepVisit(step=s, completion=Completion(text=t)) for s, t in texts),
            scores=(Score(metric="m", value=value, tags=tags, severity="soft"),),
        ),
    )


class RunningBench(ReplyingBench):
    """A Bench over train cases. `max_runs` is its budget of task calls, one a case.

    Attributes:
        runs: what was run, in order.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        answers: Answers,
        *,
        grade: Grade = ends_in_gold,
        reply: Reply = lambda messages: "",
        max_runs: int | None = None,
    ) -> None:
        super().__init__(reply)
        self._cases = {case.id: case for case in cases}
        self._answer_of = answers
        self._grade = grade
        self._max_runs = max_runs
        self.runs: list[Run] = []

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Run by the script. Raises BudgetExceeded beyond `max_runs`."""
        rows: list[GradedCase] = []
        for name in train_case_ids:
            if self._max_runs is not None and len(self.runs) >= self._max_runs:
                raise BudgetExceeded("task_calls: nothing is left")
            self.runs.append(Run(program, name, replicate))
            case = self._cases[name]
            answer = self._answer_of(program, case, replicate)
            rows.append(graded_by(program, case, answer, self._grade, replicate))
        return summarize(program.id, "v1", "train", rows, {})

    def evidence(self, program: Program) -> Evidence:
        """What a first run of a program on all cases shows. It is in no count."""
        rows = [
            graded_by(program, case, self._answer_of(program, case, 0), self._grade)
            for case in self._cases.values()
        ]
        return gather(rows, program)
