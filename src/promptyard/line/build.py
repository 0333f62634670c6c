"""The line from station 1 to 5, top to bottom: a task in, a decided and registered run out."""

from __future__ import annotations

from promptyard.errors import BudgetExceeded
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.context import LineContext
from promptyard.line.lineage import record_version
from promptyard.line.measurements import record_decision
from promptyard.line.outcome import (
    ENDED_EARLY,
    best_so_far,
    keep_baseline,
    register,
    result_of,
    why_no_finalist,
)
from promptyard.line.plan import keep_decision_calls, samples
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.line.wiring import build_gate, build_generators, build_policy
from promptyard.protocols import ProgressSink
from promptyard.records.edits import Candidate
from promptyard.records.runs import Run
from promptyard.records.verdicts import PairedReport, Verdict


async def build(task: Task, session: Session, on_progress: ProgressSink) -> Run:
    """Run the whole line once and return what came of it.

    Costs at most the session's budget; two calls a holdout case of it are kept for the decision.
    A budget that ends the search early is no error: what was found until then is decided on.
    Interrupted, the run can be resumed; its stored calls are not made again. Raises EvalSetError
    where the holdout is worn out and the look at it not forced.
    """
    # 1 the eval set, under its version
    eval_set = task.eval_set
    await record_version(session.store, eval_set)
    baseline = Candidate(program=task.program)
    await session.refuse_worn_out(eval_set.split("holdout"), baseline.id)
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
    notes: list[str] = [*executor.notes]
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
    await record_decision(task, session, run, context.trail.outcomes)
    await session.finish(run)
    return run


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
    look = await session.count_look(holdout, context.baseline.id, finalist.id)
    try:
        await context.stage("decide", [finalist])
    except BudgetExceeded as error:
        notes.append(f"the holdout could not be paid: {error}")
        return None, keep_baseline(f"The budget ended before the decision: {error}.")
    outcome = context.trail.outcomes["decide"]
    if look.status == "warn":
        notes.append(look.sentence)
    pair = PairedReport(
        baseline=outcome.reports[context.baseline.id],
        candidate=outcome.reports[finalist.id],
        reruns=outcome.reruns,
        looks=look.looks,
    )
    verdict = build_gate().judge(pair, holdout, task.gates)
    notes += verdict.notes
    await session.store.append_journal(
        session.header.id, "decided", verdict.model_dump(mode="json")
    )
    return pair, verdict
