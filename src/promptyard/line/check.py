"""Checks a task before anything is spent: names, prompt, cases, and what they can show."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.evalset.check import EvalSetCheck, check_eval_set
from promptyard.evalset.findings import Finding
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.judges import (
    EMBEDDED_MODELS,
    judge_warnings,
    model_name,
    no_judge,
    unfit_judge,
)
from promptyard.line.plan import lacking_splits
from promptyard.line.task import Task
from promptyard.line.wiring import (
    build_generators,
    build_policy,
    build_stage,
    judged_by,
    metrics_of,
    project_config,
)
from promptyard.records.base import Record
from promptyard.search.auto import MAX_FINALISTS, MAX_REGRESSED


class TaskCheck(Record):
    """What was found, and what a run would cost at most.

    `holdout_task_calls` is what the decision takes; `search_task_calls` is an upper bound for the
    funnel on train and dev at `n_candidates` candidates.
    """

    eval_set: EvalSetCheck
    findings: tuple[Finding, ...]
    n_candidates: int
    search_task_calls: int
    holdout_task_calls: int

    @property
    def ok(self) -> bool:
        """True when no finding is an error."""
        return all(finding.level != "error" for finding in self.findings)


N_TYPICAL_CANDIDATES = 12


def check(task: Task) -> TaskCheck:
    """Check a task's names, cases and statistical power. Costs no call and needs no key.

    Raises ConfigError for an unknown metric, generator, workflow or policy.
    """
    judged = judged_by(task, metrics_of(task))
    build_policy(task)
    build_generators(task)
    found = check_eval_set(
        task.eval_set, alpha=task.gates.alpha, noninferiority=task.gates.noninferiority
    )
    n_steps = len(task.program.steps)
    n_train, n_dev, n_holdout = (
        len(task.eval_set.split(name)) for name in ("train", "dev", "holdout")
    )
    settings = FunnelSettings()
    search = n_train + build_stage("screen", settings).max_trials(N_TYPICAL_CANDIDATES, n_train)
    search += build_stage("regress", settings).max_trials(MAX_REGRESSED, n_dev)
    search += build_stage("full", settings).max_trials(MAX_FINALISTS, n_dev)
    holdout_calls = 2 * n_holdout * n_steps
    return TaskCheck(
        eval_set=found,
        findings=(
            *_split_findings(task),
            *found.findings,
            *_budget_findings(task, holdout_calls),
            *_judge_findings(task, judged),
        ),
        n_candidates=N_TYPICAL_CANDIDATES,
        search_task_calls=search * n_steps,
        holdout_task_calls=holdout_calls,
    )


def _split_findings(task: Task) -> tuple[Finding, ...]:
    said = lacking_splits(task.eval_set)
    if said is None:
        return ()
    return (Finding(level="warning", code="empty_split", message=said),)


def _budget_findings(task: Task, holdout_calls: int) -> tuple[Finding, ...]:
    limit = task.budget.task_calls
    needed = holdout_calls + len(task.eval_set.split("train"))
    if limit is None or limit >= needed:
        return ()
    message = (
        f"the budget of {limit} task calls does not pay the baseline on train and the decision on "
        f"the holdout ({needed}); raise optimize.budget.task_calls or use fewer cases"
    )
    return (Finding(level="warning", code="budget_too_small", message=message),)


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
