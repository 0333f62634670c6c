"""Webhooks, and the logs that they are told of."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update

from promptyard.errors import NotFound
from promptyard.records.alerts import Alert
from promptyard.records.rollouts import Decision
from promptyard.records.versions import Move
from promptyard.records.webhooks import KindProgress, LogEnds, Webhook, WebhookEvent
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import alerts, decisions, moves, rollouts, webhooks


def replace_webhook(connection: Connection, webhook: Webhook) -> None:
    """Store a webhook in the place of the one with its id; the caller holds its lock."""
    if not _update(connection, webhook):
        connection.execute(insert(webhooks).values(id=webhook.id, webhook=to_text(webhook)))


def update_progress(
    connection: Connection,
    webhook_id: str,
    kind: WebhookEvent,
    progress: KindProgress,
    n_enabled: int,
    disabled: tuple[str, str] | None,
) -> Webhook | None:
    """Store how one kind of event goes, and return the webhook; the caller holds its lock.

    None where the webhook is gone. `n_enabled` is that of the webhook as it was told. `disabled` is
    when and why it was found that nobody wants to be told.
    """
    known = _known(connection, webhook_id)
    if known is None:
        return None
    before = known.progress_of(kind)
    if n_enabled != known.n_enabled:
        changed = known.with_progress(kind, before.after_old_note(progress))
    else:
        changed = known.with_progress(kind, before.after_note(progress))
        if disabled is not None and not known.disabled_at:
            at, because = disabled
            changed = changed.model_copy(update={"disabled_at": at, "disabled_because": because})
    if changed.told_before and changed.progress_of("decision").told >= _last_decision(connection):
        changed = changed.model_copy(update={"told_before": {}})
    return changed if _update(connection, changed) else None


def enable_webhook(connection: Connection, webhook_id: str) -> Webhook:
    """Let a webhook be told again, at once; the caller holds its lock. Raises NotFound."""
    known = _known(connection, webhook_id)
    if known is None:
        raise _not_found(connection, webhook_id)
    fresh = {"n_failures": 0, "failing_since": "", "last_error": "", "retry_at": ""}
    enabled = known.model_copy(
        update={
            "disabled_at": "",
            "disabled_because": "",
            "n_enabled": known.n_enabled + 1,
            "progress": {
                kind: progress.model_copy(update=fresh) for kind, progress in known.progress.items()
            },
        }
    )
    if not _update(connection, enabled):
        raise _not_found(connection, webhook_id)
    return enabled


def delete_webhook(connection: Connection, webhook_id: str) -> None:
    """Forget a webhook. Raises NotFound naming the webhooks there are."""
    if connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id)).rowcount == 0:
        raise _not_found(connection, webhook_id)


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
    connection: Connection, number: int, limit: int
) -> list[tuple[int, str, Decision]]:
    """Decisions on all rollouts above a number, oldest first: number, prompt, decision."""
    query = (
        select(decisions.c.number, rollouts.c.prompt, decisions.c.decision)
        .join(rollouts, rollouts.c.id == decisions.c.rollout_id)
        .where(decisions.c.number > number)
        .order_by(decisions.c.number)
    )
    rows = connection.execute(query.limit(limit)).all()
    return [(int(row[0]), str(row[1]), from_text(Decision, row[2])) for row in rows]


def read_ends(connection: Connection) -> LogEnds:
    """The last numbers of all logs that webhooks are told of."""
    return LogEnds(
        move=connection.execute(select(func.max(moves.c.seq))).scalar() or 0,
        decision=_last_decision(connection),
        alert=connection.execute(select(func.max(alerts.c.seq))).scalar() or 0,
    )


def _update(connection: Connection, webhook: Webhook) -> bool:
    """Write a webhook that is there. One that somebody deletes meanwhile does not come back."""
    query = update(webhooks).where(webhooks.c.id == webhook.id).values(webhook=to_text(webhook))
    return connection.execute(query).rowcount > 0


def _last_decision(connection: Connection) -> int:
    return int(connection.execute(select(func.max(decisions.c.number))).scalar() or 0)


def _known(connection: Connection, webhook_id: str) -> Webhook | None:
    query = select(webhooks.c.webhook).where(webhooks.c.id == webhook_id)
    text = connection.execute(query).scalar()
    return None if text is None else from_text(Webhook, text)


def _not_found(connection: Connection, webhook_id: str) -> NotFound:
    known = ", ".join(item.id for item in list_webhooks(connection)) or "none"
    return NotFound(f"There is no webhook '{webhook_id}'; webhooks: {known}.")
