"""What is settled before a run spends anything: sampling, and the calls kept for the decision."""

from __future__ import annotations

import math

from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.prompts import Program

RETRY_SHARE = 0.05
"""What is kept for retries beside the calls of the decision."""


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
