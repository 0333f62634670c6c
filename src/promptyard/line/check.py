"""Checks a task before anything is spent: names, prompt, cases, and what they can show."""

from __future__ import annotations

from promptyard.evalset.check import EvalSetCheck, check_eval_set
from promptyard.evalset.findings import Finding
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.task import Task
from promptyard.line.wiring import build_generators, build_policy, build_stage, metrics_of
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
    metrics_for = metrics_of(task)
    for case in task.eval_set.cases:
        metrics_for(task.program, case)
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
        findings=(*found.findings, *_budget_findings(task, holdout_calls)),
        n_candidates=N_TYPICAL_CANDIDATES,
        search_task_calls=search * n_steps,
        holdout_task_calls=holdout_calls,
    )


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
