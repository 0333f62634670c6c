"""Webhooks: addresses that are told of moves, decisions and alerts, and how that is signed.

Signatures are those of Standard Webhooks 1.0.0 (standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from pydantic import Field

from promptyard.records.base import Record

WebhookEvent: TypeAlias = Literal["move", "decision", "alert"]
WEBHOOK_EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)


class LogEnds(Record):
    """The last numbers of the logs; `decisions` by rollout."""

    move: int = 0
    alert: int = 0
    decisions: Mapping[str, int] = Field(default_factory=dict)


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


class Delivery(Record):
    """One thing that one webhook is told. `id` stays the same however often it is sent."""

    id: str
    webhook_id: str
    url: str
    body: str


class Delivered(Record):
    """How a try went: `error` is empty where it was taken, else one line for a person."""

    status: int | None = Field(default=None, description="What the receiver answered, if it did.")
    error: str = ""


class WebhookInfo(Record):
    """A webhook as it is shown: what it is told of, and how that goes."""

    id: str
    url: str
    events: tuple[WebhookEvent, ...]
    prompt: str | None = None
    created_at: str
    created_by: str
    n_failures: int = Field(default=0, description="Failed tries since the last that worked.")
    last_error: str = ""
    retry_at: str = Field(default="", description="When the next try is due, UTC; empty: at once.")

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookInfo:
        """Leave out how far it has been told."""
        told = {"delivered_moves", "delivered_alerts", "delivered_decisions"}
        return cls.model_validate(webhook.model_dump(exclude=told))


class MadeWebhook(Record):
    """A webhook that was just made. `secret` is what it is signed with: shown here alone."""

    secret: str = Field(description="What a receiver checks signatures with; keep it there.")
    webhook: WebhookInfo


class WebhookRound(Record):
    """What one round did: things told, tries that failed, webhooks that wait for their next try."""

    n_delivered: int = 0
    n_failed: int = 0
    n_waiting: int = 0


def signing_key(master: str, webhook_id: str) -> bytes:
    """Derive the key of one webhook, 32 bytes: none is stored, and no two are the same."""
    message = f"promptyard webhook {webhook_id}".encode()
    return hmac.digest(master.encode(), message, hashlib.sha256)


def shown_secret(key: bytes) -> str:
    """Write a key as receivers' libraries read it."""
    return f"whsec_{base64.b64encode(key).decode()}"


def signed_headers(key: bytes, delivery: Delivery, at_s: int) -> dict[str, str]:
    """Return the headers of one try at a time (seconds since 1970): id, time and signature."""
    signed = f"{delivery.id}.{at_s}.{delivery.body}".encode()
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": delivery.id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }
