"""Tells webhooks what has happened: each kind of event in order, the kinds in turn.

At least once: a delivery that was sent and not noted down is sent again, under the same id. One
that is not taken is tried again, at most an hour apart, and the later ones of its kind wait. After
three days of tries it is given up, which is noted, and the next one is tried: so a receiver that
cannot be reached misses one event of a kind in three days, and one that refuses a certain event
goes on with the rest. A receiver that answers 410 Gone is told nothing any more.

Logs are read on from the last number that was told. Numbers are given in the order of the commits
(the store's writers hold the log's lock), so none turns up behind the reader.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from promptyard.line.webhook_events import Due, due_events
from promptyard.protocols import Store
from promptyard.records.webhooks import (
    Delivered,
    Delivery,
    GivenUp,
    KindProgress,
    Webhook,
    WebhookEvent,
    WebhookRound,
)

FIRST_RETRY_S = 5.0
MAX_RETRY_S = 3_600.0
GIVE_UP_S = 3 * 86_400.0
"""How long after its first failed try an event is given up."""
MIN_TRIES = 20
"""So often it is tried at least, were it that the service did not run for most of that time."""
ROUND_S = 20.0
"""Seconds after which a round begins no further delivery, except the first one of each kind."""
GONE = 410
_AGAIN_S = 0.5

Send: TypeAlias = Callable[[Delivery], Awaitable[Delivered]]
"""Tries a delivery once. Raises nothing: what went wrong stands in what it returns."""


async def deliver_due(
    store: Store,
    send: Send,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    chance: Callable[[], float] = random.random,
) -> WebhookRound:
    """Tell every webhook what it has not been told yet; kinds whose next try is not due wait.

    All webhooks are told at once. While one keeps us waiting, the others are looked after again and
    again, so that it delays none of them. A round ends after 20 s and the delivery under way then,
    or later with the first delivery of each kind. `chance` in [0, 1) spreads the tries of many
    webhooks.
    """
    work = _Round(store, send, clock, chance)
    webhooks = await store.webhooks()
    # Were one error raised at once, the others would go on beside the next round.
    looks = (work.look_after(webhook) for webhook in webhooks)
    for ended in await asyncio.gather(*looks, return_exceptions=True):
        if ended is not None:
            raise ended
    return WebhookRound(
        n_delivered=work.n_delivered,
        n_failed=work.n_failed,
        n_waiting=work.n_waiting,
        n_given_up=work.n_given_up,
        n_disabled=work.n_disabled,
        troubles=tuple(work.troubles),
    )


def retry_after_s(n_failures: int, chance: float) -> float:
    """Return the seconds to the next try: 5, 10, 20 ... up to an hour, less up to half of it.

    Source: exponential backoff with jitter, half of it equal (AWS Architecture Blog, 2015).
    """
    longest = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(n_failures - 1, 30))
    return longest * (1 - chance / 2)


def sample_delivery(webhook: Webhook) -> Delivery:
    """Return a delivery that has no meaning, of the type `test`."""
    number = secrets.token_hex(8)
    return _delivery(webhook, "test", Due(0, number, "test", _written(datetime.now(UTC)), {}))


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
        self.n_given_up = 0
        self.n_disabled = 0
        self.troubles: list[str] = []
        self.store = store
        self.send = send
        self.clock = clock
        self.chance = chance
        self._n_busy = 0
        self._ends_s = time.monotonic() + ROUND_S

    async def look_after(self, webhook: Webhook) -> None:
        """Tell one webhook what is due, again and again until all others are done or it fails."""
        if webhook.disabled_at:
            self.n_disabled += 1
            return
        now = _written(self.clock())
        kinds: list[WebhookEvent] = [
            kind for kind in webhook.events if webhook.progress_of(kind).retry_at <= now
        ]
        self.n_waiting += len(kinds) < len(webhook.events)
        if not kinds:
            return
        telling = _Telling(self, webhook, kinds)
        self._n_busy += 1
        try:
            await telling.go_on(lambda: time.monotonic() < self._ends_s)
        finally:
            self._n_busy -= 1
        while self._n_busy and telling.kinds:
            await asyncio.sleep(_AGAIN_S)
            await telling.go_on(lambda: self._n_busy > 0)


class _Telling:
    """One webhook in a round; `kinds` are those of which nothing has failed."""

    def __init__(self, work: _Round, webhook: Webhook, kinds: Sequence[WebhookEvent]) -> None:
        self.kinds = list(kinds)
        self._work = work
        self._webhook = webhook
        self._untold = set(kinds)
        self._pages: dict[WebhookEvent, list[Due]] = {}

    async def go_on(self, may_go_on: Callable[[], bool]) -> None:
        """Tell what is due, one event of each kind in turn, until there is no more or no time.

        The first turn of each kind needs no time left: so every round gives one to every kind,
        however long the others take, and none has to be noted down for the next one.
        """
        is_more = True
        while is_more:
            is_more = False
            for kind in tuple(self.kinds):
                if kind not in self.kinds:  # it is gone, or disabled, since the kind before
                    continue
                if kind in self._untold or may_go_on():
                    self._untold.discard(kind)
                    is_more = await self._tell_next(kind, may_go_on) or is_more

    async def _tell_next(self, kind: WebhookEvent, may_go_on: Callable[[], bool]) -> bool:
        """Tell one event of a kind, past those that are not to be told; False if none is due."""
        while kind in self.kinds:
            due = await self._due(kind)
            passed = list(itertools.takewhile(lambda event: not event.type, due))
            progress = self._webhook.progress_of(kind)
            if passed:  # which is noted with what comes next
                progress = progress.after_telling(passed[-1].number)
            if len(passed) < len(due):
                event = due[len(passed)]
                delivery = _delivery(self._webhook, kind, event)
                result = await self._work.send(delivery)
                after = self._after(progress, event, delivery, result)
                await self._note(kind, event.number, after, result)
                return True
            if passed:
                await self._note(kind, progress.told, progress, Delivered())
            if not passed or not may_go_on():
                break
        return False

    async def _due(self, kind: WebhookEvent) -> list[Due]:
        """Return the next events of a kind; a page of them is read when the last one is done."""
        told = self._webhook.progress_of(kind).told
        due = [event for event in self._pages.get(kind, ()) if event.number > told]
        self._pages[kind] = due or await due_events(self._work.store, self._webhook, kind)
        return self._pages[kind]

    async def _note(
        self, kind: WebhookEvent, number: int, progress: KindProgress, result: Delivered
    ) -> None:
        """Store how it goes after the event with a number, and go on from what the store says."""
        before = self._webhook
        because = result.error if result.status == GONE else ""
        now = await self._work.store.note_webhook(
            before.id, kind, progress, n_enabled=before.n_enabled, disabled_because=because
        )
        if now is None or now.disabled_at:
            self.kinds.clear()
        elif now.progress_of(kind).told < number:  # it is tried again, and the later ones wait
            self.kinds.remove(kind)
        if now is None:
            return
        self._webhook = now
        given_up = progress.last_given_up
        is_new = given_up != before.progress_of(kind).last_given_up
        if given_up and is_new and given_up == now.progress_of(kind).last_given_up:
            self._work.n_given_up += 1
            self._work.troubles.append(f"{given_up.id} is given up: {given_up.error}")
        if because and now.disabled_at:
            self._work.troubles.append(f"webhook {now.id} is disabled: it {because}")

    def _after(
        self, progress: KindProgress, event: Due, delivery: Delivery, result: Delivered
    ) -> KindProgress:
        """Return how it goes after a try."""
        if not result.error:
            self._work.n_delivered += 1
            return progress.after_telling(event.number)
        self._work.n_failed += 1
        now = self._work.clock()
        since = progress.failing_since or _written(now)
        n_failures = progress.n_failures + 1
        failing_s = (now - datetime.fromisoformat(since)).total_seconds()
        if failing_s >= GIVE_UP_S and n_failures >= MIN_TRIES and result.status != GONE:
            given_up = GivenUp(id=delivery.id, at=_written(now), error=result.error)
            return progress.after_giving_up(event.number, given_up)
        wait = timedelta(seconds=retry_after_s(n_failures, self._work.chance()))
        return progress.model_copy(
            update={
                "n_failures": n_failures,
                "failing_since": since,
                "last_error": result.error,
                "retry_at": _written(now + wait),
            }
        )


def _delivery(webhook: Webhook, kind: str, event: Due) -> Delivery:
    body = {"type": event.type, "timestamp": event.at, "data": dict(event.data)}
    return Delivery(
        id=f"{webhook.id}_{kind}_{event.name}",
        webhook_id=webhook.id,
        url=webhook.url,
        body=json.dumps(body, separators=(",", ":"), allow_nan=False),
    )


def _written(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
