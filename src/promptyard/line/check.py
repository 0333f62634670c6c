"""Checks a task before anything is spent: names, prompt, cases, and what they can show."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.evalset.check import EvalSetCheck, check_eval_set
from promptyard.evalset.findings import Finding
from promptyard.line.judges import (
    EMBEDDED_MODELS,
    judge_warnings,
    model_name,
    no_judge,
    unfit_judge,
)
from promptyard.line.plan import lacking_splits
from promptyard.line.planned_phases import planned_phases
from promptyard.line.task import Task
from promptyard.line.wiring import (
    build_generators,
    build_policy,
    build_workflow,
    judged_by,
    metrics_of,
    project_config,
)
from promptyard.records.base import Record


class TaskCheck(Record):
    """What was found, and what a run would probably take.

    `search_task_calls` are expected on train and dev, within the task's budget, None for a
    strategy that goes on until a budget ends where there is none; `holdout_task_calls` are those
    of the decision. `promptyard optimize --plan` says more.
    """

    eval_set: EvalSetCheck
    findings: tuple[Finding, ...]
    search_task_calls: int | None
    holdout_task_calls: int

    @property
    def ok(self) -> bool:
        """True when no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)


def check(task: Task) -> TaskCheck:
    """Check a task's names, cases and statistical power. Costs no call and needs no key.

    Raises ConfigError for an unknown metric, generator, workflow or policy.
    """
    judged = judged_by(task, metrics_of(task))
    build_policy(task)
    build_generators(task)
    build_workflow(task)
    found = check_eval_set(
        task.eval_set, alpha=task.gates.alpha, noninferiority=task.gates.noninferiority
    )
    phases, left_out = planned_phases(task, task.budget)
    search = [phase.expected.task for phase in phases if phase.split != "holdout"]
    holdout_calls = 2 * len(task.eval_set.split("holdout")) * len(task.program.steps)
    return TaskCheck(
        eval_set=found,
        findings=(
            *_split_findings(task),
            *found.findings,
            *(Finding(level="warning", code="budget_too_small", message=m) for m in left_out),
            *_judge_findings(task, judged),
        ),
        search_task_calls=None if None in search else sum(n or 0 for n in search),
        holdout_task_calls=holdout_calls,
    )


def _split_findings(task: Task) -> tuple[Finding, ...]:
    said = lacking_splits(task.eval_set)
    if said is None:
        return ()
    return (Finding(level="warning", code="empty_split", message=said),)


def _judge_findings(task: Task, judged: Sequence[str]) -> tuple[Finding, ...]:
    """Say what keeps the judge from judging, or speaks against it. The model is not built."""
    if not judged:
        return ()
    defaults = project_config(task.folder).models
    judge = model_name(task.models.judge or defaults.judge)
    if judge is None:
        return (Finding(level="warning", code="no_judge", message=no_judge(judged)),)
    if judge.startswith(EMBEDDED_MODELS):
        return (Finding(level="error", code="unfit_judge", message=unfit_judge(judged, judge)),)
    answering = model_name(task.models.task or defaults.task)
    return tuple(
        Finding(level="warning", code="judges_itself", message=message)
        for message in judge_warnings(judged, judge, answering)
    )
