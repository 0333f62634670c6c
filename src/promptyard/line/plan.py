"""What is settled before a run spends anything: splits, sampling, the calls of the decision."""

from __future__ import annotations

import math

from promptyard.errors import EvalSetError
from promptyard.evalset.wording import listed
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.cases import EvalSet, SplitName
from promptyard.records.prompts import Program

NEEDED_SPLITS: tuple[SplitName, ...] = ("train", "dev", "holdout")
"""What `optimize` learns from, chooses by and decides on; it starts only where none is empty."""

RETRY_SHARE = 0.05
"""What is kept for retries beside the calls of the decision."""


def require_splits(eval_set: EvalSet) -> None:
    """Refuse an eval set that `optimize` cannot run on. Costs no call. Raises EvalSetError."""
    if said := lacking_splits(eval_set):
        raise EvalSetError(f"eval set '{eval_set.name}': {said}")


def lacking_splits(eval_set: EvalSet) -> str | None:
    """Say which splits `optimize` lacks and what to do; None where it has what it needs."""
    sizes = eval_set.n_by_split
    empty = [split for split in NEEDED_SPLITS if not sizes[split]]
    if not empty:
        return None
    counts = ", ".join(f"{split} {n}" for split, n in sizes.items())
    units = {case.cluster or case.id for case in eval_set.cases}
    if len(units) < len(NEEDED_SPLITS):
        unit = "case" if len(units) == len(eval_set.cases) else "cluster"
        said = f"{len(units)} {unit}" if len(units) == 1 else f"{len(units)} {unit}s"
        remedy = f"{said} cannot fill them, so add cases"
    else:
        remedy = f'give cases "split": "{empty[0]}", raise splits.{empty[0]} or change splits.seed'
    return (
        f"`optimize` needs cases in {listed(NEEDED_SPLITS)}, and {listed(empty)} "
        f"{'has' if len(empty) == 1 else 'have'} none ({counts}); {remedy}"
    )


def samples(program: Program) -> bool:
    """Say whether a prompt asks for sampling: the same call may then give another answer."""
    return any(float(step.prompt.params.get("temperature") or 0) > 0 for step in program.steps)


def keep_decision_calls(task: Task, session: Session, notes: list[str]) -> None:
    """Set the calls of the decision aside, where the budget can pay them beside the baseline."""
    n_steps = len(task.program.steps)
    needed = 2 * len(task.eval_set.split("holdout")) * n_steps
    needed += math.ceil(RETRY_SHARE * needed)
    baseline = len(task.eval_set.split("train")) * n_steps
    limit = session.ledger.budget.task_calls
    # Measured against the whole budget, not what is left: a resumed run must decide alike.
    if limit is None or limit >= needed + baseline:
        session.ledger.withhold(needed)
    else:
        notes.append(
            f"the budget of {limit} task calls cannot pay the baseline ({baseline}) and the "
            f"decision on the holdout ({needed}, retries included); this run only explores"
        )
