"""Webhooks, and the logs that they are told of."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from promptyard.errors import NotFound
from promptyard.records.alerts import Alert
from promptyard.records.versions import Move
from promptyard.records.webhooks import Webhook
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import alerts, moves, webhooks


def replace_webhook(connection: Connection, webhook: Webhook) -> None:
    """Store a webhook in the place of the one with its id; the caller holds its lock."""
    here = webhooks.c.id == webhook.id
    changed = update(webhooks).where(here).values(webhook=to_text(webhook))
    if connection.execute(changed).rowcount == 0:
        connection.execute(insert(webhooks).values(id=webhook.id, webhook=to_text(webhook)))


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
