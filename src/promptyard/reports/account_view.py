"""The foot of a run's page as texts: what was spent, and what identifies the run."""

from __future__ import annotations

from dataclasses import dataclass

from promptyard.records.runs import Run
from promptyard.reports.figures import MISSING, count, counted, duration, usd
from promptyard.reports.plain import known_usd


@dataclass(frozen=True)
class Spending:
    """One line of the account: what, how much, and the limit."""

    what: str
    spent: str
    limit: str


def spending(run: Run) -> tuple[Spending, ...]:
    """Write out what the run spent beside its limits."""
    spent, budget = run.spent, run.header.budget
    cost = known_usd(spent)
    price = usd(cost) if cost is not None else "unknown"
    if spent.unpriced_calls:
        price += f" ({counted(spent.unpriced_calls, 'call')} without a known price)"
    return (
        Spending("Task calls", count(spent.task_calls), _limit(budget.task_calls)),
        Spending("Optimizer calls", count(spent.optimizer_calls), _limit(budget.optimizer_calls)),
        Spending("Judge calls", count(spent.judge_calls), _limit(budget.judge_calls)),
        Spending("Answered from the store", count(spent.cached_calls), "free"),
        Spending("Tokens", count(spent.tokens), _limit(budget.tokens)),
        Spending("Cost", price, "no limit" if budget.usd is None else usd(budget.usd)),
        Spending(
            "Time",
            duration(spent.seconds),
            "no limit" if budget.seconds is None else duration(budget.seconds),
        ),
    )


def _limit(value: int | None) -> str:
    return "no limit" if value is None else count(value)


def facts(run: Run) -> tuple[tuple[str, str], ...]:
    """List what identifies the run and what it ran on."""
    header = run.header
    return (
        ("Run", run.id),
        ("Task", header.task),
        ("Task model", header.task_model),
        ("Optimizer model", header.optimizer_model),
        ("Strategy", header.strategy),
        ("Seed", str(header.seed)),
        ("Eval set version", header.eval_set_version),
        ("Baseline", run.baseline.id[:16]),
        ("Finalist", run.finalist.id[:16] if run.finalist is not None else "none"),
        ("Status", run.status),
        ("Started", header.started_at),
        ("Finished", run.finished_at or MISSING),
    )
