"""What webhooks are told of: the events of each kind, read on from a number of their log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from promptyard.protocols import Store
from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.records.webhooks import Webhook, WebhookEvent

PAGE = 50


@dataclass(frozen=True)
class Due:
    """One thing to be told: its number in the log, its name, its type, its time, its data.

    One without a type is not for this webhook, and only passed.
    """

    number: int
    name: str
    type: str
    at: str
    data: Mapping[str, Json]


async def due_events(store: Store, webhook: Webhook, kind: WebhookEvent) -> list[Due]:
    """Return the next events of one kind, oldest first, at most 50."""
    told = webhook.progress_of(kind).told
    match kind:
        case "move":
            return await _due_moves(store, webhook, told)
        case "alert":
            return await _due_alerts(store, webhook, told)
        case "decision":
            return await _due_decisions(store, webhook, told)


async def _due_moves(store: Store, webhook: Webhook, told: int) -> list[Due]:
    found: list[Due] = []
    for number, move in await store.moves_after(told, PAGE):
        is_wanted = webhook.prompt in (None, move.prompt)
        kind = f"move.{move.kind}" if is_wanted else ""
        found.append(Due(number, str(number), kind, move.moved_at, _plain(move)))
    return found


async def _due_alerts(store: Store, webhook: Webhook, told: int) -> list[Due]:
    found: list[Due] = []
    for number, alert in await store.alerts_after(told, PAGE):
        is_wanted = webhook.prompt in (None, alert.prompt)
        kind = f"alert.{alert.kind}" if is_wanted else ""
        found.append(Due(number, str(number), kind, alert.at, _plain(alert)))
    return found


async def _due_decisions(store: Store, webhook: Webhook, told: int) -> list[Due]:
    """Return decisions; those that change nothing are passed, as is what was told before."""
    found: list[Due] = []
    for number, prompt, decision in await store.decisions_after(told, PAGE):
        is_new = decision.seq > webhook.told_before.get(decision.rollout_id, 0)
        is_wanted = webhook.prompt in (None, prompt) and decision.action != "hold"
        kind = f"decision.{decision.action}" if is_new and is_wanted else ""
        name = f"{decision.rollout_id}_{decision.seq}"
        found.append(Due(number, name, kind, decision.at, {"prompt": prompt, **_plain(decision)}))
    return found


def _plain(record: Record) -> Mapping[str, Json]:
    """Return a record as JSON values; infinities, which intervals have, become null."""
    return {name: _finite(value) for name, value in record.model_dump().items()}


def _finite(value: Json) -> Json:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if (members := as_object(value)) is not None:
        return {name: _finite(item) for name, item in members.items()}
    if (items := as_list(value)) is not None:
        return [_finite(item) for item in items]
    return value
