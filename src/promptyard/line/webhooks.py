"""Webhooks: who is told of what, and what is still to be told.

At least once: a delivery that was sent and not noted down is sent again, under the same id. Within
one kind of event a webhook is told in order, so one that cannot be reached is behind and misses
nothing: tries go on for ever, at most an hour apart.

Moves and alerts are read on from the last number that was told. Their numbers are given in the
order of the commits (the store's writers hold the log's lock), so none turns up behind the reader.
Decisions count without gaps in each rollout.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from promptyard.errors import ConfigError, NotFound
from promptyard.line.name_resolution import resolve_by_system
from promptyard.line.query import StoreOrUrl, opened
from promptyard.line.webhook_addresses import (
    Resolve,
    addresses_of,
    read_allowed,
    read_url,
)
from promptyard.line.webhook_settings import webhook_secret
from promptyard.protocols import Store
from promptyard.records.base import Json, Record, as_list, as_object
from promptyard.records.rollouts import Decision
from promptyard.records.webhooks import (
    WEBHOOK_EVENTS,
    Delivered,
    Delivery,
    MadeWebhook,
    Webhook,
    WebhookEvent,
    WebhookInfo,
    WebhookRound,
    shown_secret,
    signing_key,
)

MAX_WEBHOOKS = 100
FIRST_RETRY_S = 5.0
MAX_RETRY_S = 3_600.0
ROUND_S = 20.0
"""Seconds after which a round begins no further delivery, however much is due."""
_PAGE = 50
_AGAIN_S = 0.5

Send: TypeAlias = Callable[[Delivery], Awaitable[Delivered]]
"""Tries a delivery once. Raises nothing: what went wrong stands in what it returns."""


async def create_webhook(
    url: StoreOrUrl,
    address: str,
    *,
    actor: str,
    events: Sequence[WebhookEvent] = WEBHOOK_EVENTS,
    prompt: str | None = None,
    environ: Mapping[str, str] = os.environ,
    resolve: Resolve = resolve_by_system,
) -> MadeWebhook:
    """Make a webhook that is told of what happens from now on, of one prompt or of all.

    Raises ConfigError for an address that is no URL or not to be reached, without
    PROMPTYARD_WEBHOOK_SECRET, and where there are 100 already.
    """
    master = webhook_secret(environ)
    place = read_url(address)
    await addresses_of(place, read_allowed(environ), resolve)
    async with opened(url) as store:
        if len(await store.webhooks()) >= MAX_WEBHOOKS:
            raise ConfigError(f"there are {MAX_WEBHOOKS} webhooks already; remove one first")
        ends = await store.log_ends()
        webhook = Webhook(
            id=f"wh_{secrets.token_hex(8)}",
            url=address,
            events=tuple(kind for kind in WEBHOOK_EVENTS if kind in events),
            prompt=prompt,
            created_at=_written(datetime.now(UTC)),
            created_by=actor,
            delivered_moves=ends.move,
            delivered_alerts=ends.alert,
            delivered_decisions=ends.decisions,
        )
        await store.save_webhook(webhook)
    secret = shown_secret(signing_key(master, webhook.id))
    return MadeWebhook(secret=secret, webhook=WebhookInfo.of(webhook))


async def list_webhooks(url: StoreOrUrl) -> list[WebhookInfo]:
    """All webhooks, oldest first."""
    async with opened(url) as store:
        return [WebhookInfo.of(webhook) for webhook in await store.webhooks()]


async def delete_webhook(url: StoreOrUrl, webhook_id: str) -> None:
    """Tell an address no longer. Raises NotFound."""
    async with opened(url) as store:
        await store.remove_webhook(webhook_id)


async def try_webhook(url: StoreOrUrl, webhook_id: str, send: Send) -> Delivered:
    """Send a webhook something that has no meaning, once, and say how it went. Raises NotFound."""
    async with opened(url) as store:
        known = {webhook.id: webhook for webhook in await store.webhooks()}
    if webhook_id not in known:
        raise NotFound(f"There is no webhook '{webhook_id}'; webhooks: {', '.join(known) or '–'}.")
    webhook = known[webhook_id]
    event = _Event("test", secrets.token_hex(8), _written(datetime.now(UTC)), {}, {})
    return await send(_delivery(webhook, event))


async def deliver_due(
    store: Store,
    send: Send,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
) -> WebhookRound:
    """Tell every webhook what it has not been told yet; those whose next try is not due wait.

    All are told at once. While one keeps us waiting, the others are looked after again and again,
    so that it delays none of them. A round ends after 20 s and the delivery under way then.
    `chance` in [0, 1) spreads the tries of many webhooks.
    """
    rounds = _Round(store, send, clock, chance)
    webhooks = await store.webhooks()
    if webhooks:
        await asyncio.gather(*(rounds.look_after(webhook) for webhook in webhooks))
    return WebhookRound(
        n_delivered=rounds.n_delivered, n_failed=rounds.n_failed, n_waiting=rounds.n_waiting
    )


def retry_after_s(n_failures: int, chance: float) -> float:
    """Return the seconds to the next try: 5, 10, 20 ... up to an hour, less up to half of it.

    Source: exponential backoff with jitter, half of it equal (AWS Architecture Blog, 2015).
    """
    longest = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(n_failures - 1, 30))
    return longest * (1 - chance / 2)


@dataclass(frozen=True)
class _Event:
    """One thing to be told: its type, its number, its time, its data, and what is then told."""

    type: str
    number: str
    at: str
    data: Mapping[str, Json]
    told: Mapping[str, Json]


class _Round:
    def __init__(
        self,
        store: Store,
        send: Send,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self.n_delivered = 0
        self.n_failed = 0
        self.n_waiting = 0
        self._store = store
        self._send = send
        self._clock = clock
        self._chance = chance
        self._n_busy = 0
        self._ends_s = time.monotonic() + ROUND_S

    async def look_after(self, webhook: Webhook) -> None:
        """Tell one webhook what is due, again and again until all others are done or it fails."""
        if webhook.retry_at > _written(self._clock()):
            self.n_waiting += 1
            return
        self._n_busy += 1
        try:
            state = await self._tell(webhook, lambda: time.monotonic() < self._ends_s)
        finally:
            self._n_busy -= 1
        while self._n_busy and state is not None:
            await asyncio.sleep(_AGAIN_S)
            state = await self._tell(state, lambda: self._n_busy > 0)

    async def _tell(self, webhook: Webhook, may_go_on: Callable[[], bool]) -> Webhook | None:
        """Tell what is due, in order; returns the webhook as it is then.

        Returns None after a failure, or where there is no such webhook any more.
        """
        noted = webhook
        while may_go_on() and (events := await due_events(self._store, webhook)):
            for event in events:
                if not event.type:  # it is passed, and noted with what comes next
                    webhook = webhook.model_copy(update=dict(event.told))
                    continue
                result = await self._send(_delivery(webhook, event))
                webhook = noted = self._after(webhook, event, result)
                is_there = await self._store.note_webhook(webhook)
                self.n_failed += bool(result.error)
                self.n_delivered += not result.error
                if result.error or not is_there:
                    return None
                if not may_go_on():
                    break
        if webhook != noted and not await self._store.note_webhook(webhook):
            return None
        return webhook

    def _after(self, webhook: Webhook, event: _Event, result: Delivered) -> Webhook:
        if not result.error:
            fine = {"n_failures": 0, "last_error": "", "retry_at": ""}
            return webhook.model_copy(update={**event.told, **fine})
        n_failures = webhook.n_failures + 1
        wait = timedelta(seconds=retry_after_s(n_failures, self._chance()))
        return webhook.model_copy(
            update={
                "n_failures": n_failures,
                "last_error": result.error,
                "retry_at": _written(self._clock() + wait),
            }
        )


async def due_events(store: Store, webhook: Webhook) -> list[_Event]:
    """Return what a webhook is to be told next, in the order of each log.

    An event without a type is not for this webhook, and only passed.
    """
    found: list[_Event] = []
    if "move" in webhook.events:
        for seq, move in await store.moves_after(webhook.delivered_moves, _PAGE):
            told = {"delivered_moves": seq}
            wanted = webhook.prompt in (None, move.prompt)
            kind = f"move.{move.kind}" if wanted else ""
            found.append(_Event(kind, str(seq), move.moved_at, _plain(move), told))
    if "alert" in webhook.events:
        for seq, alert in await store.alerts_after(webhook.delivered_alerts, _PAGE):
            told = {"delivered_alerts": seq}
            wanted = webhook.prompt in (None, alert.prompt)
            kind = f"alert.{alert.kind}" if wanted else ""
            found.append(_Event(kind, str(seq), alert.at, _plain(alert), told))
    if "decision" in webhook.events:
        found += await _due_decisions(store, webhook)
    return found


async def _due_decisions(store: Store, webhook: Webhook) -> list[_Event]:
    """Return the decisions that a webhook has not passed; holds are passed and not told."""
    told = dict(webhook.delivered_decisions)
    found: list[_Event] = []
    for prompt, decision in await store.decisions_after(told, _PAGE):
        told = {**told, decision.rollout_id: decision.seq}
        wanted = webhook.prompt in (None, prompt) and _changes(decision)
        kind = f"decision.{decision.action}" if wanted else ""
        number = f"{decision.rollout_id}_{decision.seq}"
        data = {"prompt": prompt, **_plain(decision)}
        found.append(_Event(kind, number, decision.at, data, {"delivered_decisions": told}))
    return found


def _changes(decision: Decision) -> bool:
    """Whether a decision ends a rollout or changes its state or step."""
    return decision.action != "hold"


def _delivery(webhook: Webhook, event: _Event) -> Delivery:
    kind = event.type.partition(".")[0]
    body = {"type": event.type, "timestamp": event.at, "data": dict(event.data)}
    return Delivery(
        id=f"{webhook.id}_{kind}_{event.number}",
        webhook_id=webhook.id,
        url=webhook.url,
        body=json.dumps(body, separators=(",", ":"), allow_nan=False),
    )


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


def _written(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
