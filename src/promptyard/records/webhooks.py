"""Webhooks: addresses that are told of moves, decisions and alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from pydantic import Field

from promptyard.records.base import Record

WebhookEvent: TypeAlias = Literal["move", "decision", "alert"]
WEBHOOK_EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)


class Webhook(Record):
    """One address. `delivered` holds for each kind of event how far it has been told.

    For moves and alerts that is the last number of the log, for decisions the last number by
    rollout. `n_failures` counts failed tries since the last that worked; `retry_at` is when the
    next is due, UTC, ISO 8601.
    """

    id: str
    url: str
    events: tuple[WebhookEvent, ...] = WEBHOOK_EVENTS
    prompt: str | None = None
    created_at: str
    created_by: str
    delivered_moves: int = 0
    delivered_alerts: int = 0
    delivered_decisions: Mapping[str, int] = Field(default_factory=dict)
    n_failures: int = 0
    last_error: str = ""
    retry_at: str = ""
