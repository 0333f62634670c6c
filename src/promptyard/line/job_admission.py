"""Refuses orders that could not be carried out: all that is known before the first call.

What needs code of the task (its checks) is left to the process that runs the job.
"""

from __future__ import annotations

from promptyard.errors import ConfigError
from promptyard.line.evaluation_plan import (
    EvaluationPlan,
    chosen_cases,
    named_baseline,
    require_cases,
)
from promptyard.line.gating import judged_cases, judged_pair
from promptyard.line.judges import EMBEDDED_MODELS
from promptyard.line.plan import require_splits
from promptyard.line.role_models import build_models
from promptyard.line.session import (
    OPTIMIZE,
    new_header,
    refuse_worn_out_search,
    require_prices,
    resumed_header,
    rule_on_looks,
)
from promptyard.line.task import Task, with_strategy
from promptyard.line.wiring import project_config, require_policy
from promptyard.protocols import Store
from promptyard.records.budget import Budget
from promptyard.records.jobs import (
    EvalOptions,
    EvalOrder,
    GateOptions,
    GateOrder,
    JobOrder,
    OptimizeOrder,
)
from promptyard.records.runs import RunHeader


def merged_budget(own: Budget, given: Budget) -> Budget | None:
    """Return the task's own budget with the limits that are given; None where none is given."""
    changed = given.model_dump(exclude_none=True)
    return own.model_copy(update=changed) if changed else None


def evaluation_plan(options: EvalOptions) -> EvaluationPlan:
    """Return the plan of an eval that is ordered."""
    return EvaluationPlan(
        split=options.split,
        n_repeats=options.n_repeats,
        only_failing_of=options.only_failing_of,
        compare=options.compare,
        itself=options.itself,
        against_production=options.against_production,
    )


async def require_doable(store: Store, task: Task, order: JobOrder) -> RunHeader:
    """Look for all that an order names, in the store and in the task. Costs no call.

    Returns what the run would begin with or, for one that goes on, that run. Raises what the work
    itself would: NotFound for a run or version that is not there or where nothing is in production,
    EvalSetError for a split without cases or a holdout that is worn out, ConfigError for a model
    without a key or a budget, Conflict for a run that still goes on.
    """
    match order:
        case EvalOrder(options=options):
            await _require_eval(store, task, options)
        case GateOrder(options=options):
            await _require_gate(store, task, options)
        case OptimizeOrder(options=options):
            return await _require_search(store, task, order)
    return await _header(task, order, merged_budget(task.budget, options.budget) or task.budget)


async def _require_eval(store: Store, task: Task, options: EvalOptions) -> None:
    plan, split = evaluation_plan(options), options.split
    require_cases(task.eval_set, split)
    await chosen_cases(store, task, plan, split)
    await named_baseline(store, task, plan, split)
    if split in ("all", "holdout") and (holdout := task.eval_set.split("holdout")):
        await rule_on_looks(store, holdout, task.program.id)


async def _require_gate(store: Store, task: Task, options: GateOptions) -> None:
    holdout = judged_cases(task)
    pair = await judged_pair(store, task, options.candidate, options.baseline)
    await rule_on_looks(store, holdout, pair.before.digest, pair.after.digest)


async def _require_search(store: Store, task: Task, order: OptimizeOrder) -> RunHeader:
    require_splits(task.eval_set)
    options = order.options
    if options.strategy is not None:
        require_policy(options.strategy)
        task = with_strategy(task, options.strategy)
    given = merged_budget(task.budget, options.budget)
    if options.resume:
        fresh = await _header(task, None, given or task.budget)
        header = await resumed_header(store, task, fresh, options.resume, given)
        _require_limits(task, order, header.budget)
    else:
        header = await _header(task, order, given or task.budget)
    if holdout := task.eval_set.split("holdout"):
        await refuse_worn_out_search(store, task.name, holdout, task.program.id)
    return header


async def _header(task: Task, order: JobOrder | None, budget: Budget) -> RunHeader:
    """Describe the run as `open_session` would; its models are made, and asked nothing."""
    if order is not None:
        _require_limits(task, order, budget)
    models = build_models(task.models, project_config(task.folder), task.source)
    try:
        header = new_header(task, models, budget=budget, seed=None, kind=OPTIMIZE)
        require_prices(budget, models)
    finally:
        for model in {id(model): model for model in models.values()}.values():
            await model.close()
    return header


def _require_limits(task: Task, order: JobOrder, budget: Budget) -> None:
    """Raise ConfigError where nothing ends work that costs money."""
    # Calls of judge and optimizer follow from those of the task.
    limits = (budget.task_calls, budget.tokens, budget.usd, budget.seconds)
    if all(limit is None for limit in limits) and _costs(task, order):
        raise ConfigError(
            f"task '{order.task}' asks models that cost money and has no budget; give "
            "options.budget (task_calls, tokens, usd or seconds), or write optimize.budget in "
            "its task.yaml"
        )


def _costs(task: Task, order: JobOrder) -> bool:
    """Whether any model that may be asked is not one of ours, which cost nothing."""
    defaults, models = project_config(task.folder).models, task.models
    named = [models.task or defaults.task, models.judge or defaults.judge]
    if isinstance(order, OptimizeOrder):
        named.append(models.optimizer or defaults.optimizer)
    names = [name if name is None or isinstance(name, str) else name.name for name in named]
    return any(name is not None and not name.startswith(EMBEDDED_MODELS) for name in names)
