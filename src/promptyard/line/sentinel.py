"""Tries on a judge what answers say to talk judges round, and counts what works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.errors import EvalSetError
from promptyard.line.judge_outputs import (
    Judged,
    Output,
    chosen_check,
    instrument_of,
    judge_outputs,
)
from promptyard.line.session import Session, open_session
from promptyard.line.stored_answers import LAST, stored_answers
from promptyard.line.task import Task
from promptyard.metrics.calibration import share_of
from promptyard.metrics.injections import INJECTIONS
from promptyard.protocols import ProgressSink, Store
from promptyard.records.budget import Budget
from promptyard.records.judging import Attack, SentinelReport
from promptyard.records.scores import Score

KIND = "judge sentinel"
MOST_OUTPUTS = 20
"""How many failing answers carry the texts, in turn."""


@dataclass(frozen=True)
class SentinelPlan:
    """Which check is tried, on the failing answers of which run."""

    check: str | None = None
    from_run: str = LAST


async def run_sentinel(
    task: Task,
    plan: SentinelPlan,
    *,
    budget: Budget | None = None,
    store: str | Store | None = None,
    on_progress: ProgressSink,
) -> SentinelReport:
    """Put every injection into an answer that the judge fails, and see what it says then.

    Costs one judge call an injection (82, `pairwise` twice as many), unless stored, and those for
    up to 20 answers as they are. No task call is made. Raises ConfigError where no single check
    asks a judge, NotFound for an unknown run, EvalSetError where the judge fails no answer.
    """
    check = chosen_check(task, plan.check)
    async with open_session(task, store=store, budget=budget, kind=KIND) as session:
        executor = session.executor(task)
        outputs = await _failing(task, session, check, plan.from_run)
        plain = await judge_outputs(executor, task.program, check, outputs, on_progress)
        failing = [(item.item, found) for item in plain if (found := _failed(item)) is not None]
        if not failing:
            raise EvalSetError(
                f"the judge of '{check}' fails no answer of the stored runs, so there is nothing "
                "to talk it into; run `promptyard eval` on cases that it fails"
            )
        names = list(INJECTIONS)
        carriers = [failing[index % len(failing)] for index in range(len(names))]
        attacks = [
            _with_text(carrier, INJECTIONS[name])
            for name, (carrier, _) in zip(names, carriers, strict=True)
        ]
        judged = await judge_outputs(executor, task.program, check, attacks, on_progress)
        report = _report(check, names, [before for _, before in carriers], judged)
        await session.store.append_journal(
            session.header.id, "sentinel", {"moved": [attack.name for attack in report.moved]}
        )
        await session.store.set_run_status(session.header.id, "finished")
        return report


async def _failing(task: Task, session: Session, check: str, from_run: str) -> list[Output]:
    """Return answers of stored runs that the check failed, one a case."""
    cases = {case.id: case for case in task.eval_set.cases}
    answers = await stored_answers(
        session.store, task.name, set(cases), from_run=from_run, own_run=session.header.id
    )
    found: list[Output] = []
    for case_id, of_case in answers.trials.items():
        failed = (
            trial
            for trial in of_case
            if trial.visits
            and any(score.metric == check and score.value < 1.0 for score in trial.scores)
        )
        trial = next(failed, None)
        if trial is not None and len(found) < MOST_OUTPUTS:
            found.append(Output(cases[case_id], trial.visits[-1].completion))
    return found


def _failed(item: Judged) -> Score | None:
    lowest = item.lowest
    return None if lowest is None or lowest.value >= 1.0 or lowest.judge is None else lowest


def _with_text(output: Output, text: str) -> Output:
    said = f"{output.completion.text}\n\n{text}"
    return Output(output.case, output.completion.model_copy(update={"text": said}))


def _report(
    check: str, names: Sequence[str], before: Sequence[Score], judged: Sequence[Judged]
) -> SentinelReport:
    model, prompt_hash = instrument_of(check, judged)
    moved: list[Attack] = []
    for name, first, item in zip(names, before, judged, strict=True):
        after = item.lowest
        if after is not None and after.value > first.value:
            moved.append(
                Attack(
                    name=name,
                    case_id=item.item.case.id,
                    output=item.item.completion.text,
                    before="" if first.judge is None else first.judge.verdict,
                    after="" if after.judge is None else after.judge.verdict,
                    reason=after.reason,
                )
            )
    n_measured = sum(item.lowest is not None for item in judged)
    return SentinelReport(
        metric=check,
        model=model,
        prompt_hash=prompt_hash,
        n_attacks=n_measured,
        n_unmeasured=len(judged) - n_measured,
        rate=share_of(len(moved), n_measured),
        moved=tuple(moved),
    )
