"""Anchors: fixed cases, asked afresh, tell a model or judge that moved from users who did.

The program in production answers the same cases again under a new replicate, so that no stored
answer is taken; the report is compared, pair by pair, with the first one of the same program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.errors import EvalSetError
from promptyard.line.measured import require_answers
from promptyard.line.query import require_prompt
from promptyard.line.session import open_session
from promptyard.line.task import Task
from promptyard.line.trial_counter import TrialCounter
from promptyard.protocols import ProgressSink, Store
from promptyard.records.alerts import Alert
from promptyard.records.budget import Budget
from promptyard.records.cases import Case
from promptyard.records.monitoring import AnchorReport
from promptyard.records.scores import Report
from promptyard.registry.versions import PRODUCTION, resolve_version
from promptyard.runner.summarize import case_values
from promptyard.stats.assignment import unit_hash
from promptyard.stats.paired import compare_paired

ANCHOR = "anchor"
"""The tag of anchor cases, and the kind and purpose of a run on them."""

N_ANCHORS = 30
FIRST_REPLICATE = 1_000_000
"""Far from the replicates of evals, whose stored answers would hide that a model has moved."""

ALPHA = 0.01


async def run_anchors(
    task: Task,
    *,
    pointer: str = PRODUCTION,
    budget: Budget | None = None,
    store: str | Store | None = None,
    on_progress: ProgressSink,
) -> AnchorReport:
    """Ask the anchor cases again and compare with the first time. Stores report and alert.

    Anchors are the dev cases with the tag `anchor`, else 30 of dev by hash. Costs one task call a
    case and step, and what judges cost, each time. Raises EvalSetError for a task without dev
    cases, NotFound where nothing is in production.
    """
    cases = anchor_cases(task.eval_set.split("dev"))
    if not cases:
        raise EvalSetError(f"task '{task.name}' has no dev case that could be an anchor")
    async with open_session(task, store=store, budget=budget, kind=ANCHOR, begin=False) as session:
        await require_prompt(session.store, task.name)
        version = await resolve_version(session.store, task.name, pointer)
        earlier = await _earlier(session.store, task, version.digest)
        await session.begin()
        executor = session.executor(task)
        count = TrialCounter(session, on_progress, ANCHOR, len(cases))
        report = await executor.run(
            version.program,
            cases,
            "dev",
            replicate=FIRST_REPLICATE + len(earlier),
            on_trial=count,
        )
        require_answers(report)
        await session.store.save_report(session.header.id, ANCHOR, report)
        found = _compared(task, version.number, earlier[0] if earlier else None, report, cases)
        if found.alert is not None:
            found = found.model_copy(update={"alert": await session.store.add_alert(found.alert)})
        await session.store.set_run_status(session.header.id, "finished", sentence=found.sentence)
        return found


def anchor_cases(dev: Sequence[Case]) -> list[Case]:
    """Return the cases tagged `anchor`, else 30 of dev by hash, so that new cases move few."""
    tagged = [case for case in dev if ANCHOR in case.tags]
    return tagged or sorted(dev, key=lambda case: unit_hash(0, case.id, ANCHOR))[:N_ANCHORS]


async def _earlier(store: Store, task: Task, digest: str) -> list[Report]:
    """The anchor reports of a program on this eval set version, oldest first."""
    found: list[Report] = []
    for row in reversed(await store.runs(task.name, limit=1_000)):
        header = await store.run_header(str(row["id"]))
        if header.settings.get("kind") == ANCHOR and row["status"] == "finished":
            found += [
                item
                for item in await store.reports(str(row["id"]), ANCHOR)
                if item.program_id == digest and item.eval_set_version == task.eval_set.version
            ]
    return found


def _compared(
    task: Task, version: int, first: Report | None, report: Report, cases: Sequence[Case]
) -> AnchorReport:
    models = _models(report)
    if first is None:
        return AnchorReport(
            prompt=task.name,
            version=version,
            n_cases=len(cases),
            score=report.score,
            models=models,
            status="pass",
            sentence=f"first look at {len(cases)} anchors; later ones are compared with it.",
        )
    before, after = case_values(first, "score"), case_values(report, "score")
    both = [case for case in cases if case.id in before and case.id in after]
    reasons: list[str] = []
    value = 0.0
    if both:
        test = compare_paired(
            [before[case.id] for case in both],
            [after[case.id] for case in both],
            clusters=[case.cluster or case.id for case in both],
            alpha=ALPHA,
            bounded=True,
        )
        value = test.mean
        if test.p_value <= ALPHA and abs(test.mean) >= task.gates.noninferiority:
            reasons.append(
                f"{100 * test.mean:+.1f} points on {len(both)} anchors since the first look "
                f"(p = {test.p_value:.2g})"
            )
    if models.keys() != _models(first).keys():
        reasons.append(f"answers come from {_said(models)}, at first from {_said(_models(first))}")
    alert = None
    if reasons:
        alert = Alert(
            prompt=task.name,
            kind="anchor",
            metric="anchors",
            value=value,
            limit=task.gates.noninferiority,
            version=version,
            n_outcomes=len(both),
            cause="model_or_judge",
            sentence=f"v{version}: {'; '.join(reasons)}: model or judge moved, not the users.",
        )
    return AnchorReport(
        prompt=task.name,
        version=version,
        n_cases=len(both),
        score=report.score,
        first_score=first.score,
        models=models,
        status="fail" if alert else "pass" if both else "inconclusive",
        sentence=alert.sentence
        if alert
        else f"{len(both)} anchors as at the first look ({100 * value:+.1f} points).",
        alert=alert,
    )


def _models(report: Report) -> dict[str, int]:
    return dict(
        Counter(
            visit.completion.model or "(unnamed)"
            for trial in report.trials
            for visit in trial.visits
        )
    )


def _said(models: dict[str, int]) -> str:
    return ", ".join(sorted(models)) or "no model"
