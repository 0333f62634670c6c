"""Gates a version: candidate and baseline on the holdout, all gates on the pair, one verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from promptyard.errors import Advised, Conflict, EvalSetError, NotFound
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.measured import require_answers
from promptyard.line.query import require_prompt
from promptyard.line.session import Session, open_session
from promptyard.line.task import Task
from promptyard.line.trial_counter import TrialCounter
from promptyard.line.wiring import build_gates, build_stage
from promptyard.protocols import Gate, ProgressSink, Store
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program
from promptyard.records.runs import StageOutcome
from promptyard.records.scores import Report
from promptyard.records.verdicts import Claim, GateSettings, GateVerdict, PairedReport, SelfTest
from promptyard.records.versions import PromptVersion
from promptyard.registry.versions import PRODUCTION, is_pointer_name, resolve_version
from promptyard.release.folding import judge_by_all
from promptyard.release.self_test import run_self_test

GATE = "gate"
"""The kind of a run that measures a pair for the gates."""


async def run_gate(
    task: Task,
    candidate: str,
    baseline: str | None = None,
    *,
    targets: Sequence[str] = (),
    claim: Claim | None = None,
    budget: Budget | None = None,
    store: str | Store | None = None,
    force: bool = False,
    on_progress: ProgressSink,
    on_begin: Callable[[str], None] | None = None,
) -> GateVerdict:
    """Judge a registered version against another one on the task's holdout.

    `baseline` is by default what `production` points at, else the candidate's parent. `targets` are
    tags of failures that must become fewer, beside those of the settings, `claim` what must hold
    instead of what the settings say. The same pair again is no
    new look and, answers being stored, no new call. Costs up to two task calls a holdout case and
    two more for every critical case that seems to break. Raises NotFound, EvalSetError for a task
    without a holdout or one that is worn out, BudgetExceeded, and Conflict where a pointer that
    named either version, or would have, has moved meanwhile: the verdict would be on another pair.
    `on_begin` gets the id of the run.
    """
    holdout = judged_cases(task)
    settings = _settings(task, targets, claim)
    async with open_session(
        task,
        store=store,
        budget=budget,
        kind=GATE,
        force=force,
        begin=False,
        on_begin=on_begin,
    ) as session:
        before, after, pointers = await judged_pair(session.store, task, candidate, baseline)
        look = await session.count_look(holdout, before.digest, after.digest)
        await session.begin()
        executor = session.executor(task)
        outcome = await _measure(task, session, before.program, after.program, on_progress)
        reports = [outcome.reports[item.digest] for item in (before, after)]
        for report in reports:
            require_answers(report)
        pair = PairedReport(
            baseline=reports[0],
            candidate=reports[1],
            reruns=outcome.reruns,
            looks=look.looks,
            prompt_chars=sum(len(step.prompt.text) for step in after.program.steps),
        )
        verdict, findings = judge_by_all(build_gates(), pair, holdout, settings)
        for report in reports:
            await session.store.save_report(session.header.id, GATE, report)
        await _require_unmoved(session.store, task.name, (candidate, baseline), pointers)
        await session.store.set_run_status(session.header.id, "finished", sentence=verdict.sentence)
        notes = (*executor.notes, *((look.sentence,) if look.status == "warn" else ()))
        return GateVerdict(
            prompt=task.name,
            candidate=f"v{after.number}",
            baseline=f"v{before.number}",
            eval_set_version=task.eval_set.version,
            looks=look.looks,
            status=verdict.status,
            sentence=verdict.sentence,
            gates=findings,
            verdict=verdict,
            run_id=session.header.id,
            notes=(*notes, *verdict.notes),
        )


class JudgedPair(NamedTuple):
    """The two versions that a gate compares, and where all pointers were when they were found."""

    before: PromptVersion
    after: PromptVersion
    pointers: Mapping[str, int]


def judged_cases(task: Task) -> tuple[Case, ...]:
    """Return the holdout, on which alone gates judge. Raises EvalSetError where there is none."""
    holdout = task.eval_set.split("holdout")
    if not holdout:
        raise EvalSetError(
            f"task '{task.name}' has no holdout, and gates judge on nothing else; give some cases "
            "the split `holdout`"
        )
    return holdout


async def judged_pair(store: Store, task: Task, candidate: str, baseline: str | None) -> JudgedPair:
    """Find candidate and baseline as `run_gate` does.

    Raises NotFound where either is not there or both are one, Tampered.
    """
    await require_prompt(store, task.name)
    after = await resolve_version(store, task.name, candidate)
    pointers = await _pointers(store, task.name)
    before = await _baseline(store, task, after, baseline, pointers)
    return JudgedPair(before, after, pointers)


class NamedGate(Record):
    """A gate and what it holds a version against."""

    name: str
    summary: str


def list_gates() -> tuple[NamedGate, ...]:
    """Return all gates in the order in which they judge, those of plugins last."""
    return tuple(
        NamedGate(name=name, summary=_summary(gate)) for name, gate in build_gates().items()
    )


def self_test_gates(task: Task) -> SelfTest:
    """Show every gate planted regressions on the task's own holdout cases. Costs no call.

    Raises EvalSetError for a task without a holdout.
    """
    holdout = task.eval_set.split("holdout")
    if not holdout:
        raise EvalSetError(f"task '{task.name}' has no holdout, so no gate could judge anything")
    return run_self_test(build_gates(), holdout, task.gates)


def _summary(gate: Gate) -> str:
    return " ".join((type(gate).__doc__ or "").partition("\n\n")[0].split())


def _settings(task: Task, targets: Sequence[str], claim: Claim | None) -> GateSettings:
    named = tuple(dict.fromkeys([*task.gates.targets, *targets]))
    changed = {"targets": named, "claim": claim or task.gates.claim}
    return task.gates.model_copy(update=changed)


async def _pointers(store: Store, name: str) -> Mapping[str, int]:
    return {item.pointer: item.number for item in await store.pointers(name)}


async def _require_unmoved(
    store: Store, name: str, references: Sequence[str | None], before: Mapping[str, int]
) -> None:
    """Raise Conflict where a pointer that names one of the pair is not where it was."""
    now = await _pointers(store, name)
    for reference in references:
        pointer = PRODUCTION if reference is None else reference
        if is_pointer_name(pointer) and now.get(pointer) != before.get(pointer):
            raise Conflict(
                f"pointer '{pointer}' of prompt '{name}' moved to v{now[pointer]} while the gate "
                "ran, so this is no verdict on it; run the gate again (answers are stored), or "
                "name both versions by number"
            )


async def _baseline(
    store: Store,
    task: Task,
    candidate: PromptVersion,
    reference: str | None,
    pointers: Mapping[str, int],
) -> PromptVersion:
    if reference is not None:
        found = await resolve_version(store, task.name, reference)
    else:
        number = pointers.get(PRODUCTION, candidate.parent)
        if number == candidate.number:
            number = candidate.parent
        if number is None:
            raise NotFound(
                Advised(
                    f"nothing to compare v{candidate.number} of '{task.name}' with: no version is "
                    "in production and it has no parent; ",
                    "add --baseline VERSION",
                    "give baseline (a version)",
                )
            )
        found = await store.version(task.name, number)
    if found.digest == candidate.digest:
        raise NotFound(
            f"baseline and candidate are both v{candidate.number} of '{task.name}'; name two "
            "versions"
        )
    return found


async def _measure(
    task: Task,
    session: Session,
    before: Program,
    after: Program,
    on_progress: ProgressSink,
) -> StageOutcome:
    """Run the stage `decide` of the funnel: both programs on the holdout, critical breaks again."""
    # Every seeming break of a critical case is confirmed: servers answer differently at times even
    # where nothing asks them to.
    stage = build_stage("decide", FunnelSettings(stochastic=True))
    holdout = task.eval_set.split("holdout")
    executor = session.executor(task)
    count = TrialCounter(session, on_progress, GATE, stage.max_trials(1, len(holdout)))

    async def run_cases(program: Program, chosen: Sequence[Case], replicate: int) -> Report:
        return await executor.run(program, chosen, "holdout", replicate=replicate, on_trial=count)

    return await stage.run(
        [Candidate(program=after)], Candidate(program=before), Evidence(), holdout, run_cases
    )
