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
WebhookState: TypeAlias = Literal["fine", "failing", "disabled"]
WEBHOOK_STATES: tuple[WebhookState, ...] = get_args(WebhookState)


class LogEnds(Record):
    """The last numbers of the logs: of moves, decisions and alerts."""

    move: int = 0
    decision: int = 0
    alert: int = 0


class GivenUp(Record):
    """A delivery that is tried no more: its id, when that was, UTC, and what the last try said."""

    id: str
    at: str
    error: str


class KindProgress(Record):
    """How it goes with one kind of event."""

    told: int = Field(default=0, description="Number in the log of the last event that is done.")
    n_failures: int = Field(default=0, description="Failed tries of the event that is due.")
    failing_since: str = Field(default="", description="When the first of them was, UTC.")
    last_error: str = Field(default="", description="What the last of them said.")
    retry_at: str = Field(default="", description="When the next try is due, UTC; empty: at once.")
    n_given_up: int = Field(default=0, description="Events that were given up, ever.")
    last_given_up: GivenUp | None = Field(default=None, description="The last of them.")

    def after_telling(self, number: int) -> KindProgress:
        """Return how it goes once an event was told: with the next one all begins anew."""
        return KindProgress(
            told=number, n_given_up=self.n_given_up, last_given_up=self.last_given_up
        )

    def after_giving_up(self, number: int, given_up: GivenUp) -> KindProgress:
        """Return how it goes once an event was given up; the next one is due at once."""
        return KindProgress(told=number, n_given_up=self.n_given_up + 1, last_given_up=given_up)

    def after_note(self, noted: KindProgress) -> KindProgress:
        """Return how it goes once somebody has noted what a try found.

        Two replicas may tell the same for a moment: what either has done is done, and what the one
        that is behind says of its tries is of no interest any more.
        """
        if noted.told < self.told:
            return self
        kept = max(self, noted, key=lambda progress: progress.n_given_up)
        given_up = {"n_given_up": kept.n_given_up, "last_given_up": kept.last_given_up}
        return noted.model_copy(update=given_up)

    def after_old_note(self, noted: KindProgress) -> KindProgress:
        """Return how it goes once a try has ended that began before the webhook was enabled.

        What was told then is told. That a try failed, or that an event was given up for it, is of
        no interest any more: it is to be tried anew.
        """
        is_told = noted.told > self.told and noted.n_given_up <= self.n_given_up
        return self.after_telling(noted.told) if is_told else self


class Webhook(Record):
    """One address, and for each kind of event how it goes.

    One that is disabled is told nothing until it is enabled again; it then goes on where it was.
    `told_before` holds for rollouts of a time when decisions had no common log how far each had
    been told; it is empty as soon as all of these have been. `n_enabled` is how often somebody had
    it told again: what is found by a try that began before counts less than that.
    """

    id: str
    url: str
    events: tuple[WebhookEvent, ...] = WEBHOOK_EVENTS
    prompt: str | None = None
    created_at: str
    created_by: str
    progress: Mapping[WebhookEvent, KindProgress] = Field(
        default_factory=dict[WebhookEvent, KindProgress]
    )
    disabled_at: str = ""
    disabled_because: str = ""
    told_before: Mapping[str, int] = Field(default_factory=dict)
    n_enabled: int = 0

    def progress_of(self, kind: WebhookEvent) -> KindProgress:
        """How it goes with a kind of event."""
        return self.progress.get(kind, KindProgress())

    def with_progress(self, kind: WebhookEvent, progress: KindProgress) -> Webhook:
        """Return the webhook with something new about one kind."""
        return self.model_copy(update={"progress": {**self.progress, kind: progress}})

    @property
    def state(self) -> WebhookState:
        """Whether it is told, and takes it."""
        if self.disabled_at:
            return "disabled"
        return "failing" if any(item.n_failures for item in self.progress.values()) else "fine"

    @property
    def n_given_up(self) -> int:
        """Events of all kinds that were given up, ever."""
        return sum(item.n_given_up for item in self.progress.values())


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
    state: WebhookState = Field(description="`failing`: an event that is due was not taken.")
    n_given_up: int = Field(default=0, description="Events that were given up, ever.")
    disabled_at: str = Field(default="", description="Since when it is told nothing, UTC.")
    disabled_because: str = ""
    progress: Mapping[WebhookEvent, KindProgress] = Field(
        default_factory=dict[WebhookEvent, KindProgress],
        description="How it goes, by kind of event.",
    )

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookInfo:
        """Show a webhook; kinds of which nothing is to be said yet among what is shown."""
        values = webhook.model_dump(exclude={"told_before", "n_enabled", "progress"})
        progress = {kind: webhook.progress_of(kind) for kind in webhook.events}
        more = {"state": webhook.state, "n_given_up": webhook.n_given_up}
        return cls.model_validate({**values, **more, "progress": progress})


class MadeWebhook(Record):
    """A webhook that was just made. `secret` is what it is signed with: shown here alone."""

    secret: str = Field(description="What a receiver checks signatures with; keep it there.")
    webhook: WebhookInfo


class WebhookRound(Record):
    """What one round did.

    Things told, tries that failed, webhooks that wait for their next try, events given up, webhooks
    that are disabled. `troubles` say in one line each what was given up or disabled just now.
    """

    n_delivered: int = 0
    n_failed: int = 0
    n_waiting: int = 0
    n_given_up: int = 0
    n_disabled: int = 0
    troubles: tuple[str, ...] = ()


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
