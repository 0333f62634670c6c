"""Webhooks, and the logs that they are told of."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, func, insert, select, update

from promptyard.errors import NotFound
from promptyard.records.alerts import Alert
from promptyard.records.rollouts import Decision
from promptyard.records.versions import Move
from promptyard.records.webhooks import LogEnds, Webhook
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import alerts, decisions, moves, rollouts, webhooks


def replace_webhook(connection: Connection, webhook: Webhook) -> None:
    """Store a webhook in the place of the one with its id; the caller holds its lock."""
    here = webhooks.c.id == webhook.id
    changed = update(webhooks).where(here).values(webhook=to_text(webhook))
    if connection.execute(changed).rowcount == 0:
        connection.execute(insert(webhooks).values(id=webhook.id, webhook=to_text(webhook)))


def update_webhook(connection: Connection, webhook: Webhook) -> bool:
    """Store how a webhook stands, if it is still there; the caller holds its lock.

    Two replicas may tell the same for a moment: what either has delivered is delivered.
    """
    here = webhooks.c.id == webhook.id
    text = connection.execute(select(webhooks.c.webhook).where(here)).scalar()
    if text is None:
        return False
    known = from_text(Webhook, text)
    told = known.delivered_decisions
    decisions = {
        rollout: max(number, told.get(rollout, 0))
        for rollout, number in {**told, **webhook.delivered_decisions}.items()
    }
    merged = webhook.model_copy(
        update={
            "delivered_moves": max(known.delivered_moves, webhook.delivered_moves),
            "delivered_alerts": max(known.delivered_alerts, webhook.delivered_alerts),
            "delivered_decisions": decisions,
        }
    )
    connection.execute(update(webhooks).where(here).values(webhook=to_text(merged)))
    return True


def delete_webhook(connection: Connection, webhook_id: str) -> None:
    """Forget a webhook. Raises NotFound naming the webhooks there are."""
    if connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 0:
        known = ", ".join(item.id for item in list_webhooks(connection)) or "none"
        raise NotFound(f"There is no webhook '{webhook_id}'; webhooks: {known}.")


def list_webhooks(connection: Connection) -> list[Webhook]:
    """All webhooks, oldest first."""
    query = select(webhooks.c.webhook).order_by(webhooks.c.seq)
    return [from_text(Webhook, text) for text in connection.execute(query).scalars()]


def list_moves_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, Move]]:
    """Moves of all prompts above a number, oldest first."""
    query = select(moves.c.seq, moves.c.move).where(moves.c.seq > seq).order_by(moves.c.seq)
    rows = connection.execute(query.limit(limit)).all()
    return [(number, from_text(Move, text)) for number, text in rows]


def list_alerts_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, Alert]]:
    """Alerts of all prompts above a number, oldest first."""
    query = select(alerts.c.seq, alerts.c.alert).where(alerts.c.seq > seq).order_by(alerts.c.seq)
    rows = connection.execute(query.limit(limit)).all()
    return [(number, from_text(Alert, text)) for number, text in rows]


def list_decisions_after(
    connection: Connection, told: Mapping[str, int], limit: int
) -> list[tuple[str, Decision]]:
    """Decisions with their prompts above a number by rollout; none told is 0."""
    found: list[tuple[str, Decision]] = []
    for rollout_id, prompt, last in _last_decisions(connection):
        after = told.get(rollout_id, 0)
        if last <= after:
            continue
        query = select(decisions.c.decision).where(
            decisions.c.rollout_id == rollout_id, decisions.c.seq > after
        )
        texts = connection.execute(query.order_by(decisions.c.seq).limit(limit - len(found)))
        found += [(prompt, from_text(Decision, text)) for text in texts.scalars()]
        if len(found) >= limit:
            break
    return found


def read_ends(connection: Connection) -> LogEnds:
    """The last numbers of all logs that webhooks are told of."""
    return LogEnds(
        move=connection.execute(select(func.max(moves.c.seq))).scalar() or 0,
        alert=connection.execute(select(func.max(alerts.c.seq))).scalar() or 0,
        decisions={rollout_id: last for rollout_id, _, last in _last_decisions(connection)},
    )


def _last_decisions(connection: Connection) -> list[tuple[str, str, int]]:
    """Every rollout, its prompt and the number of its last decision: a look at the index each."""
    last = select(func.max(decisions.c.seq)).where(decisions.c.rollout_id == rollouts.c.id)
    query = select(rollouts.c.id, rollouts.c.prompt, last.scalar_subquery())
    rows = connection.execute(query.order_by(rollouts.c.seq)).all()
    return [(str(row[0]), str(row[1]), int(row[2] or 0)) for row in rows]
