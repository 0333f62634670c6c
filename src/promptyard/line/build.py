"""The line from station 1 to 5, top to bottom: a task in, a decided and registered run out."""

from __future__ import annotations

import math
from collections import Counter

from promptyard.errors import BudgetExceeded
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.context import LineContext
from promptyard.line.outcome import keep_baseline, register, result_of
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.line.wiring import build_gate, build_generators, build_policy
from promptyard.protocols import ProgressSink
from promptyard.records.edits import Candidate
from promptyard.records.prompts import Program
from promptyard.records.runs import Run
from promptyard.records.verdicts import PairedReport, Verdict

ENDED_EARLY = "the search ended early"

RETRY_SHARE = 0.05
"""What is kept for retries beside the calls of the decision."""

WARN_AT_LOOKS = 5
"""Looks at one holdout set from which the report warns that it wears out."""


async def build(task: Task, session: Session, on_progress: ProgressSink) -> Run:
    """Run the whole line once and return what came of it.

    Costs at most the session's budget; two calls a holdout case of it are kept for the decision.
    A budget that ends the search early is no error: what was found until then is decided on.
    Interrupted, the run can be resumed; its stored calls are not made again.
    """
    # 1 the eval set, under its version
    eval_set = task.eval_set
    await session.store.save_eval_set(eval_set)
    baseline = Candidate(program=task.program)
    executor = session.executor(task)
    context = LineContext(
        run_id=session.header.id,
        seed=session.header.seed,
        baseline=baseline,
        eval_set=eval_set,
        executor=executor,
        store=session.store,
        generators=build_generators(task),
        funnel=FunnelSettings(
            seed=session.header.seed,
            noninferiority=task.gates.noninferiority,
            stochastic=samples(task.program),
        ),
        on_progress=on_progress,
        primary=task.gates.primary,
    )

    # 2-4 signals, candidates and the funnel, in the order that the policy chooses
    notes: list[str] = []
    keep_decision_calls(task, session, notes)
    try:
        finalist = await build_policy(task).search(context)
    except BudgetExceeded as error:
        notes.append(f"{ENDED_EARLY}: {error}")
        finalist = best_so_far(context)
    session.ledger.withhold(0)
    search_task_calls = await session.calls_of_search()

    # 4 the decision: baseline and finalist on the sealed holdout, once
    pair, verdict = await decide(task, session, context, finalist, notes)

    # 5 the registry: what passed becomes a version; the baseline is one already
    run = result_of(
        task, session, context, finalist, pair, verdict, search_task_calls, tuple(notes)
    )
    run = await register(task, session, run)
    await session.finish(run)
    return run


def samples(program: Program) -> bool:
    """Say whether a prompt asks for sampling: the same call may then give another answer."""
    return any(float(step.prompt.params.get("temperature") or 0) > 0 for step in program.steps)


def keep_decision_calls(task: Task, session: Session, notes: list[str]) -> None:
    """Set the calls of the decision aside, where the budget can pay them beside the baseline."""
    n_steps = len(task.program.steps)
    needed = 2 * len(task.eval_set.split("holdout")) * n_steps
    needed += math.ceil(RETRY_SHARE * needed)
    baseline = len(task.eval_set.split("train")) * n_steps
    limit = session.ledger.budget.task_calls
    # Measured against the whole budget, not what is left: a resumed run must decide alike.
    if limit is None or limit >= needed + baseline:
        session.ledger.withhold(needed)
    else:
        notes.append(
            f"the budget of {limit} task calls cannot pay the baseline ({baseline}) and the "
            f"decision on the holdout ({needed}, retries included); this run only explores"
        )


async def decide(
    task: Task,
    session: Session,
    context: LineContext,
    finalist: Candidate | None,
    notes: list[str],
) -> tuple[PairedReport | None, Verdict]:
    """Open the holdout for one finalist, count the look, store the pair and judge it."""
    if finalist is None:
        return None, keep_baseline(why_no_finalist(context, notes))
    holdout = task.eval_set.split("holdout")
    looks = await session.count_look(holdout, context.baseline.id, finalist.id)
    try:
        await context.stage("decide", [finalist])
    except BudgetExceeded as error:
        notes.append(f"the holdout could not be paid: {error}")
        return None, keep_baseline(f"The budget ended before the decision: {error}.")
    outcome = context.trail.outcomes["decide"]
    if looks >= WARN_AT_LOOKS:
        notes.append(
            f"this holdout has been looked at {looks} times; fresh cases would be a fairer test"
        )
    pair = PairedReport(
        baseline=outcome.reports[context.baseline.id],
        candidate=outcome.reports[finalist.id],
        reruns=outcome.reruns,
        looks=looks,
    )
    verdict = build_gate().judge(pair, holdout, task.gates)
    await session.store.append_journal(
        session.header.id, "decided", verdict.model_dump(mode="json")
    )
    return pair, verdict


def why_no_finalist(context: LineContext, notes: list[str]) -> str:
    """Say in one sentence why nobody meets the holdout; the baseline is kept."""
    kept = "the holdout stays sealed and the baseline is kept"
    if notes and notes[-1].startswith(ENDED_EARLY):
        return f"{notes[-1]}; no finalist was found until then, {kept}.".capitalize()
    if not context.trail.evaluated:
        reasons = Counter(item.reason for item in context.trail.rejections)
        most = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
        return f"No usable candidate was proposed{most}, so {kept}."
    return f"No candidate beat the baseline on dev, so {kept}."


def best_so_far(context: LineContext) -> Candidate | None:
    """Return the best candidate of the last finished dev stage, where the search was cut short."""
    for stage in ("full", "regress"):
        outcome = context.trail.outcomes.get(stage)
        if outcome is not None and outcome.kept:
            row = next(
                row for row in outcome.summary.rows if row.candidate_id == outcome.kept[0].id
            )
            return outcome.kept[0] if (row.difference or 0) > 0 else None
    return None
