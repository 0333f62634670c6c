"""`promptyard init --induce`: the prompt out of the cases, and what that cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptyard.cli.draw import console
from promptyard.errors import ConfigError

if TYPE_CHECKING:
    from promptyard.line.induction import Induction
    from promptyard.line.new_task import TaskPlan
    from promptyard.records.base import Json


def refuse_prompt(prompt: str | None) -> None:
    """Refuse a prompt beside --induce. Raises ConfigError."""
    if prompt is not None:
        raise ConfigError("--induce writes the prompt itself; leave --prompt or --induce out")


def induced(
    plan: TaskPlan, folder: Path, optimizer_model: str | None
) -> tuple[TaskPlan, Induction]:
    """Return the plan with the induced instruction as its prompt, and how it came about."""
    from promptyard.line.induction import induce_prompt
    from promptyard.line.sync import run_sync

    found = run_sync(induce_prompt(plan, folder, optimizer_model))
    return plan.model_copy(update={"prompt": found.instruction}), found


def draw_induction(found: Induction) -> None:
    """Say what was induced, how it was chosen and what it cost."""
    from promptyard.reports.figures import percent

    best, spent = found.tried[0], found.spent
    n = len(found.tried)
    which = "the only instruction" if n == 1 else f"the best of {n} instructions"
    if best.score is not None:
        chosen = f"{which}, {percent(best.score)} on {found.n_cases} train cases"
    else:
        chosen = f"the first of {n} instructions, not ranked: {found.note}"
    cost = f"{spent.optimizer_calls} optimizer calls, {spent.task_calls} task calls"
    if spent.cached_calls:
        cost += f", {spent.cached_calls} from the store"
    if spent.usd:
        cost += f", {spent.usd:.4f} USD"
    out = console()
    out.print(f"Induced from {found.n_pairs} pairs: {chosen}; {cost}", markup=False, soft_wrap=True)
    out.print(f"  {' '.join(best.instruction.split())}", markup=False, soft_wrap=True)


def induction_data(found: Induction) -> dict[str, Json]:
    """Return what was induced as plain data."""
    return found.model_dump(mode="json")
