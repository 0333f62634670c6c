"""Number all decisions in one log; note for each kind of event how webhooks are told of it.

Before, each webhook held a number for every rollout that ever was. Decisions that are there are
numbered by their time. A webhook goes on before the first one that it has not been told; of later
ones that it has been told it keeps what it knew. A migration is history: later changes are new
files, this one stays as it is.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_GONE = (
    "delivered_moves",
    "delivered_decisions",
    "delivered_alerts",
    "n_failures",
    "last_error",
    "retry_at",
)


def upgrade() -> None:
    """Add the numbers, with the log open to changes for so long, and write webhooks anew."""
    op.add_column(
        "decisions", sa.Column("number", sa.BigInteger, nullable=False, server_default="0")
    )
    _refuse_changes(False)
    numbered = _number_decisions()
    _refuse_changes(True)
    op.create_index("ix_decisions_number", "decisions", ["number"], unique=True)
    bind = op.get_bind()
    for seq, text in bind.execute(sa.text("SELECT seq, webhook FROM webhooks")).all():
        values = {"seq": seq, "webhook": json.dumps(_rewritten(json.loads(text), numbered))}
        bind.execute(sa.text("UPDATE webhooks SET webhook = :webhook WHERE seq = :seq"), values)


def _number_decisions() -> list[tuple[str, int]]:
    """Number what is there by its time; returns the rollout and seq of each, in this order."""
    bind = op.get_bind()
    query = sa.text(
        "SELECT r.seq, d.rollout_id, d.seq, d.decision FROM decisions d "
        "JOIN rollouts r ON r.id = d.rollout_id ORDER BY r.seq, d.seq"
    )
    found: list[tuple[str, int, int, str]] = []
    latest = ("", "")
    for place, rollout_id, seq, text in bind.execute(query):
        at = str(json.loads(text).get("at", ""))
        # Within a rollout the order is that of its decisions, whatever its clock did.
        latest = (rollout_id, max(at, latest[1]) if latest[0] == rollout_id else at)
        found.append((latest[1], place, seq, rollout_id))
    numbered = [(rollout_id, seq) for _, _, seq, rollout_id in sorted(found)]
    change = sa.text("UPDATE decisions SET number = :number WHERE rollout_id = :id AND seq = :seq")
    rows = [
        {"number": number, "id": rollout_id, "seq": seq}
        for number, (rollout_id, seq) in enumerate(numbered, 1)
    ]
    if rows:
        bind.execute(change, rows)
    return numbered


def _rewritten(webhook: dict[str, Any], numbered: list[tuple[str, int]]) -> dict[str, Any]:
    told: dict[str, int] = webhook.get("delivered_decisions") or {}
    untold = (n for n, (rollout, seq) in enumerate(numbered) if seq > told.get(rollout, 0))
    decision = next(untold, len(numbered))
    last = {
        "move": webhook.get("delivered_moves", 0),
        "decision": decision,
        "alert": webhook.get("delivered_alerts", 0),
    }
    # Of which kind the failed tries were is not known: each is tried anew.
    kept = {name: value for name, value in webhook.items() if name not in _GONE}
    later = {rollout for rollout, seq in numbered[decision:] if seq <= told.get(rollout, 0)}
    return {
        **kept,
        "progress": {kind: {"told": number} for kind, number in last.items()},
        "told_before": {rollout: told[rollout] for rollout in sorted(later)},
    }


def _refuse_changes(refuse: bool) -> None:
    if op.get_bind().dialect.name == "postgresql":
        state = "ENABLE" if refuse else "DISABLE"
        op.execute(f"ALTER TABLE decisions {state} TRIGGER decisions_refuse_change")
        return
    for change in ("UPDATE", "DELETE"):
        name = f"decisions_refuse_{change.lower()}"
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {change} ON decisions "
            "BEGIN SELECT RAISE(ABORT, 'decisions is append-only'); END"
            if refuse
            else f"DROP TRIGGER {name}"
        )
