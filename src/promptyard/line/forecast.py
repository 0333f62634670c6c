"""The plan of a run: calls by phase, tokens, price, and what its cases can show. Costs no call."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from promptyard.errors import NotFound
from promptyard.evalset.power import SplitPower
from promptyard.line.outlook import outlook_notes, powers, same_program
from promptyard.line.plan import require_splits
from promptyard.line.planned_phases import PlannedCalls, PlannedPhase, planned_phases
from promptyard.line.query import opened
from promptyard.line.role_models import build_models
from promptyard.line.task import Task, with_strategy
from promptyard.line.token_sizes import CallSize, call_sizes
from promptyard.line.wiring import build_policy, project_config
from promptyard.protocols import Model
from promptyard.records.base import Record
from promptyard.records.budget import Budget
from promptyard.records.measurements import Measurement
from promptyard.records.messages import CallRole, Usage

ROLES: tuple[CallRole, ...] = ("task", "optimizer", "judge")


class RunPlan(Record):
    """What a run will probably take, at most take, and be able to show.

    `tokens` and `usd` are of the expected calls, None where they cannot be told; `max_usd` of the
    most that the budget allows, None where nothing limits it or no price is known.
    `tokens_per_call` is estimated from the texts, of the task model taken from `measured` where
    there is such a report. `unpriced` are roles whose model has no known price. `warnings` are
    notes of the run, too; `left_out` is what the budget does not pay.
    """

    task: str
    strategy: str
    budget: Budget
    models: Mapping[str, str]
    n_by_split: Mapping[str, int]
    phases: tuple[PlannedPhase, ...]
    expected: PlannedCalls
    maximum: PlannedCalls
    tokens: int | None
    usd: float | None
    max_usd: float | None
    tokens_per_call: Mapping[str, int]
    unpriced: tuple[str, ...]
    power: tuple[SplitPower, ...]
    measured: Measurement | None = None
    warnings: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


async def plan_run(
    task: Task,
    *,
    strategy: str | None = None,
    budget: Budget | None = None,
    store: str | None = None,
) -> RunPlan:
    """Plan a run of `optimize`. Costs no call, needs no key and creates no store.

    Measurements in the store, of the same program and model, tell tokens and headroom. Raises
    EvalSetError where train or dev has no case, ConfigError for an unknown name or no task model.
    """
    require_splits(task.eval_set)
    chosen = task if strategy is None else with_strategy(task, strategy)
    models = build_models(chosen.models, project_config(chosen.folder), chosen.source, keyless=True)
    measured: Sequence[Measurement] = ()
    if store is not None:
        with contextlib.suppress(NotFound):  # there is no store yet
            async with opened(store) as found:
                measured = await found.measurements(chosen.name)
    known = same_program(chosen, models["task"].name, measured)
    return forecast(chosen, budget or chosen.budget, models, known)


def forecast(
    task: Task,
    budget: Budget,
    models: Mapping[CallRole, Model],
    known: Measurement | None = None,
) -> RunPlan:
    """Plan a run from what is known of the task; models tell prices and are not called."""
    build_policy(task)
    phases, left_out = planned_phases(task, budget)
    sizes = call_sizes(task, known)
    expected = _sum([phase.expected for phase in phases])
    maximum = PlannedCalls(
        task=budget.task_calls,
        optimizer=budget.optimizer_calls,
        judge=budget.judge_calls if expected.judge != 0 else 0,
    )
    tokens, max_usd = _tokens(expected, sizes), _usd(maximum, sizes, models)
    usd = _usd(expected, sizes, models)
    limits = [value for value in (max_usd, budget.usd) if value is not None]
    # What the budget cuts off is not expected to be spent; `left_out` says that it is missing.
    spent = usd if usd is None else min([usd, *limits])
    asked: list[CallRole] = [role for role in ROLES if getattr(expected, role) != 0]
    return RunPlan(
        task=task.name,
        strategy=task.strategy,
        budget=budget,
        models={role: models[role].name for role in asked if role in models},
        n_by_split=dict(task.eval_set.n_by_split.items()),
        phases=phases,
        expected=expected,
        maximum=maximum,
        tokens=tokens,
        usd=spent,
        max_usd=min(limits) if limits else None,
        tokens_per_call={role: sizes[role].total for role in asked},
        unpriced=tuple(role for role in asked if _price(models.get(role), sizes[role]) is None),
        power=powers(task),
        measured=known,
        warnings=outlook_notes(task, known),
        left_out=(*left_out, *_unpaid(budget, expected, tokens, usd)),
    )


def _sum(calls: Sequence[PlannedCalls]) -> PlannedCalls:
    totals: dict[str, int | None] = {}
    for role in ROLES:
        values: list[int | None] = [getattr(item, role) for item in calls]
        totals[role] = None if any(n is None for n in values) else sum(n or 0 for n in values)
    return PlannedCalls.model_validate(totals)


def _tokens(calls: PlannedCalls, sizes: Mapping[CallRole, CallSize]) -> int | None:
    counts: list[int | None] = [getattr(calls, role) for role in ROLES]
    if any(n is None for n in counts):
        return None
    return sum((n or 0) * sizes[role].total for role, n in zip(ROLES, counts, strict=True))


def _usd(
    calls: PlannedCalls, sizes: Mapping[CallRole, CallSize], models: Mapping[CallRole, Model]
) -> float | None:
    """Price calls; None where a count or a price is not known."""
    total = 0.0
    for role in ROLES:
        n: int | None = getattr(calls, role)
        if n == 0:
            continue
        price = _price(models.get(role), sizes[role])
        if n is None or price is None:
            return None
        total += n * price
    return total


def _price(model: Model | None, size: CallSize) -> float | None:
    if model is None:
        return None
    return model.cost_usd(Usage(input_tokens=size.input_tokens, output_tokens=size.output_tokens))


def _unpaid(
    budget: Budget, expected: PlannedCalls, tokens: int | None, usd: float | None
) -> list[str]:
    """Say which other limits of the budget the expected calls do not fit in."""
    amounts = (
        ("optimizer calls", budget.optimizer_calls, expected.optimizer),
        ("judge calls", budget.judge_calls, expected.judge),
        ("tokens", budget.tokens, tokens),
        ("USD", budget.usd, usd),
    )
    return [
        f"the budget of {limit:,} {what} pays about {100 * limit / wanted:.0f} % of what is "
        "expected; the search ends when it is used up"
        for what, limit, wanted in amounts
        if limit is not None and wanted is not None and wanted > limit
    ]
