"""What is settled before a run spends anything: splits, sampling, the calls of the decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

from promptyard.errors import EvalSetError
from promptyard.evalset.wording import listed
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.cases import EvalSet, SplitName
from promptyard.records.prompts import Program

NEEDED_SPLITS: tuple[SplitName, ...] = ("train", "dev")
"""What `optimize` learns from and chooses by; it starts only where none is empty.

Without a holdout it runs, too: its verdict then rests on dev, and it says so (ADR-0015).
"""

RETRY_SHARE = 0.05
"""What is kept for retries beside the calls of the decision."""

DEV_SHARE = 0.22
"""Most of a budget that is kept for dev. Source: anchors on algorithms, part B."""


MIN_SEARCH_CALLS = 30
"""A search that cannot even run the baseline this often is none."""


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


@dataclass(frozen=True)
class Kept:
    """Task calls set aside for dev and for the decision; `note` says what cannot be paid."""

    dev: int
    holdout: int
    note: str | None = None


def keep_decision_calls(task: Task, session: Session) -> str | None:
    """Set the calls of dev and of the decision aside; returns what cannot be paid, as a note."""
    kept = calls_to_keep(task, session.ledger.budget.task_calls)
    if kept is None:
        return None
    session.ledger.withhold({"decide": kept.holdout, "full": kept.dev})
    return kept.note


def calls_to_keep(task: Task, limit: int | None) -> Kept | None:
    """Return what a budget of `limit` task calls keeps from the search; None without a limit."""
    n_steps = len(task.program.steps)
    holdout = _with_retries(2 * len(task.eval_set.split("holdout")) * n_steps)
    dev = _with_retries(2 * len(task.eval_set.split("dev")) * n_steps)
    if limit is None:
        return None
    note = None
    # Measured against the whole budget, not what is left: a resumed run must decide alike.
    if limit < holdout + MIN_SEARCH_CALLS * n_steps:
        note = (
            f"the budget of {limit} task calls cannot pay a search and the decision on the "
            f"holdout ({holdout}, retries included); this run only explores"
        )
        holdout = 0
    return Kept(dev=min(dev, math.floor(DEV_SHARE * limit)), holdout=holdout, note=note)


def unpayable(task: Task, session: Session) -> str | None:
    """Say why the holdout cannot be opened: what is left does not pay both programs on all of it.

    A look that is cut short would be spent for nothing.
    """
    left = session.ledger.task_calls_left
    needed = 2 * len(task.eval_set.split("holdout")) * len(task.program.steps)
    if left is None or left >= needed:
        return None
    return (
        f"The budget leaves {left} task calls and the decision on the holdout takes {needed}; "
        "raise task_calls"
    )


def _with_retries(calls: int) -> int:
    return calls + math.ceil(RETRY_SHARE * calls)
