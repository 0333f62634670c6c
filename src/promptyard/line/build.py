"""The line from station 1 to 5, top to bottom: a task in, a decided and registered run out."""

from __future__ import annotations

from promptyard.errors import BudgetExceeded
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.context import LineContext
from promptyard.line.lineage import past_origins, record_version
from promptyard.line.measurements import record_decision
from promptyard.line.outcome import (
    ENDED_EARLY,
    RESTS_ON_TRAIN,
    best_so_far,
    keep_baseline,
    register,
    result_of,
    why_no_finalist,
)
from promptyard.line.outlook import starting_notes
from promptyard.line.plan import samples, unpayable
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.line.wiring import build_gate, build_generators, build_policy
from promptyard.protocols import EventSink, ProgressSink
from promptyard.records.edits import Candidate
from promptyard.records.events import Decided, Noted, Spending
from promptyard.records.runs import Run
from promptyard.records.verdicts import PairedReport, Verdict


async def build(
    task: Task, session: Session, on_progress: ProgressSink, on_event: EventSink | None = None
) -> Run:
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
    if eval_set.split("holdout"):
        await session.refuse_worn_out(eval_set.split("holdout"), baseline.id)
    policy, executor = build_policy(task), session.executor(task)
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
        on_event=on_event,
        primary=task.gates.primary,
        targets=task.targets,
        past_origins=await past_origins(session.store, task, session.header),
    )

    # 2-4 signals, candidates and the funnel, in the order that the policy chooses
    for note in (*executor.notes, *await starting_notes(task, session)):
        await context.emit(Noted(text=note))
    try:
        finalist = await policy.search(context)
    except BudgetExceeded as error:
        await context.emit(Noted(text=f"{ENDED_EARLY}: {error}"))
        finalist = best_so_far(context)
    session.ledger.withhold({})
    context.trail.close_train()
    search_task_calls = await session.calls_of_search()

    # 4 the decision: baseline and finalist on the sealed holdout, once; without one, on dev
    pair, verdict = await decide(task, session, context, finalist)
    await context.emit(Decided(verdict=verdict))
    await context.emit(Spending(spent=session.ledger.spent))

    # 5 the registry: what passed becomes a version; the baseline is one already
    run = result_of(task, session, context, finalist, pair, verdict, search_task_calls)
    run = await register(task, session, run)
    await record_decision(task, session, run, context.trail.outcomes)
    await session.finish(run)
    return run


async def decide(
    task: Task,
    session: Session,
    context: LineContext,
    finalist: Candidate | None,
) -> tuple[PairedReport | None, Verdict]:
    """Open the holdout for one finalist, count the look, store the pair and judge it."""
    if finalist is None:
        return None, keep_baseline(why_no_finalist(context))
    holdout = task.eval_set.split("holdout")
    if not holdout:
        return await decide_on_dev(task, context, finalist)
    cannot = unpayable(task, session)
    if cannot is not None:
        await context.emit(Noted(text=cannot))
        return None, keep_baseline(f"{cannot}; the holdout stays sealed and the baseline is kept.")
    look = await session.count_look(holdout, context.baseline.id, finalist.id)
    try:
        await context.stage("decide", [finalist])
    except BudgetExceeded as error:
        await context.emit(Noted(text=f"the holdout could not be paid: {error}"))
        return None, keep_baseline(f"The budget ended before the decision: {error}.")
    outcome = context.trail.outcomes["decide"]
    if look.status == "warn":
        await context.emit(Noted(text=look.sentence))
    pair = PairedReport(
        baseline=outcome.reports[context.baseline.id],
        candidate=outcome.reports[finalist.id],
        reruns=outcome.reruns,
        looks=look.looks,
    )
    verdict = build_gate().judge(pair, holdout, task.gates)
    for note in verdict.notes:
        await context.emit(Noted(text=note))
    return pair, verdict


async def decide_on_dev(
    task: Task, context: LineContext, finalist: Candidate
) -> tuple[PairedReport | None, Verdict]:
    """Judge the pair that the full stage measured: there is no holdout to open.

    Dev is unseen until then, and one finalist met it: the claim is honest, if nobody looks again.
    """
    outcome = context.trail.outcomes.get("full")
    if outcome is None or finalist.id not in outcome.reports:
        verdict = Verdict(status="inconclusive", sentence=RESTS_ON_TRAIN)
        await context.emit(Noted(text=RESTS_ON_TRAIN))
        return None, verdict
    reports = outcome.reports
    pair = PairedReport(
        baseline=reports[context.baseline.id], candidate=reports[finalist.id], looks=1
    )
    seen = {trial.case_id for trial in pair.candidate.trials}
    dev = [case for case in task.eval_set.split("dev") if case.id in seen]
    verdict = build_gate().judge(pair, dev, task.gates)
    rests = f"the verdict rests on {len(dev)} dev cases: the task has no holdout to confirm it"
    for note in (rests, *verdict.notes):
        await context.emit(Noted(text=note))
    return pair, verdict
