"""The only way to a model: store, single flight, ledger, limiter, attempt, retry, store.

A completion is durable before anybody uses it, and no stored one is asked for again (DESIGN
rules 4 and 5).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.errors import (
    AuthFailed,
    BudgetExceeded,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    ModelUnusable,
    PromptError,
    RateLimited,
    Unreachable,
)
from promptyard.protocols import Model, Store
from promptyard.records.base import Json
from promptyard.records.messages import CallRole, Completion, Request, Usage
from promptyard.runner.estimate import upper_usage
from promptyard.runner.ledger import UNSENT, BudgetReserved, Ledger, Reservation
from promptyard.runner.limiter import AdaptiveLimiter
from promptyard.runner.recent import Recent
from promptyard.runner.retry import CallLimits, retry_wait_s

RESERVATION_POLL_S = 0.02
"""How often a call looks again whether another one has given back what it had reserved."""

MAX_KNOWN = 4096
"""Answers that are held in memory; older ones are read from the store again, at no cost."""

MAX_PREPARED = 1024
"""Calls that are held ready between their look-up and their turn."""

CANCELLED = "cancelled"
"""Outcome of an attempt that was sent and is not waited for any more. It counts."""

_EXACT_JSON = json.JSONEncoder(separators=(",", ":"))


def completion_key(body: Mapping[str, Json], base_url: str, replicate: int) -> str:
    """Return the identity of a call: SHA-256 (hex) of the exact body, address and replicate."""
    # Not sorted: the order of schema properties is part of what the model reads.
    exact = _EXACT_JSON.encode([base_url, replicate, body])
    return hashlib.sha256(exact.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked of whom."""

    role: CallRole
    model: Model
    body: Mapping[str, Json]
    key: str
    replicate: int

    def is_other(self, role: CallRole, replicate: int) -> bool:
        return self.role != role or self.replicate != replicate


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt under way. `ends_with_budget`: the budget's seconds cut its time short."""

    id: int
    reservation: Reservation
    timeout_s: float
    ends_with_budget: bool


class _GivenUpError(Exception):
    """The caller that made a call for others as well was cancelled: one of them makes it anew."""


class Caller:
    """Calls models by role for one run.

    Safe for any number of concurrent calls on one event loop. The first call to each model goes
    alone, so that a wrong key or address costs one call and not a burst. A cancelled call is
    dropped by the model, settled and booked as `cancelled`; what it held goes to the next.
    """

    def __init__(
        self,
        *,
        run_id: str,
        models: Mapping[CallRole, Model],
        store: Store,
        ledger: Ledger,
        limits: CallLimits,
        seed: int = 0,
    ) -> None:
        self.ledger = ledger
        self.limits = limits
        self._run_id = run_id
        self._models = models
        self._store = store
        self._rng = random.Random(seed)
        self._known: Recent[str, Completion] = Recent(MAX_KNOWN)
        self._in_flight: dict[str, asyncio.Future[Completion]] = {}
        self._limiters: dict[int, AdaptiveLimiter] = {}
        self._first_call: dict[int, asyncio.Lock] = {}
        self._reached: set[int] = set()
        self._unusable: dict[int, ModelUnusable] = {}
        # Keys that the store does not have; forgetting one costs a look-up.
        self._absent: Recent[str, bool] = Recent(MAX_KNOWN)
        # Bodies and keys of requests that were looked up, by the identity of the request itself.
        self._prepared: Recent[int, tuple[Request, _Call]] = Recent(MAX_PREPARED)

    @property
    def models(self) -> Mapping[CallRole, Model]:
        """The models by role."""
        return self._models

    def has(self, role: CallRole) -> bool:
        """Say whether the task names a model for this role."""
        return role in self._models

    def model(self, role: CallRole) -> Model:
        """Return the model of a role. Raises ModelUnusable when the task names none."""
        if role not in self._models:
            raise ModelUnusable(f"no {role} model is set; name one under models.{role}")
        return self._models[role]

    async def prefetch(self, role: CallRole, requests: Sequence[Request], replicate: int) -> None:
        """Look many requests up in the store at once; later calls find the answers in memory.

        A request that the model cannot be asked is left to the call itself.
        """
        missing: list[str] = []
        for request in requests:
            with contextlib.suppress(PromptError):
                call = self._call(role, request, replicate)
                self._prepared.put(id(request), (request, call))
                if call.key not in self._known:
                    missing.append(call.key)
        if missing:
            found = await self._store.completions(missing, self._run_id)
            for key in missing:
                if key in found:
                    self._known.put(key, found[key])
                elif key not in self._known:
                    self._absent.put(key, True)

    async def complete(self, role: CallRole, request: Request, replicate: int = 0) -> Completion:
        """Return the answer to a request, from the store where it is there.

        Raises BudgetExceeded when nothing may be spent any more, ModelUnusable when the model
        cannot work at all, and otherwise the ModelError of the last attempt.
        """
        call = self._taken(role, request, replicate)
        while True:
            if (known := self._known.get(call.key)) is not None:
                self.ledger.met(call.key)
                self.ledger.count_cached()
                return self._replayed(call.key, known)
            flight = self._in_flight.get(call.key)
            if flight is None:
                return await self._fly(call)
            with contextlib.suppress(_GivenUpError):
                completion = await asyncio.shield(flight)
                self.ledger.count_cached()
                return completion

    def _taken(self, role: CallRole, request: Request, replicate: int) -> _Call:
        """Return the call of a request: the one that was looked up, where it is the same."""
        prepared = self._prepared.pop(id(request))
        if prepared is not None:
            asked, call = prepared
            if asked is request and not call.is_other(role, replicate):
                return call
        return self._call(role, request, replicate)

    async def _fly(self, call: _Call) -> Completion:
        """Make a call for all who ask for it meanwhile."""
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._in_flight[call.key] = future
        try:
            completion = await self._stored_or_called(call)
        except BaseException as error:
            future.set_exception(error if isinstance(error, Exception) else _GivenUpError())
            future.exception()  # marks it as seen: there may be no second caller
            raise
        else:
            self._known.put(call.key, completion)
            future.set_result(completion)
            return completion
        finally:
            del self._in_flight[call.key]

    def _call(self, role: CallRole, request: Request, replicate: int) -> _Call:
        model = self.model(role)
        body = model.body(request)
        return _Call(role, model, body, completion_key(body, model.base_url, replicate), replicate)

    def _replayed(self, key: str, known: Completion) -> Completion:
        """Return a known answer marked as one that cost nothing this time."""
        if known.cached:
            return known
        replayed = known.model_copy(update={"cached": True})
        self._known.put(key, replayed)
        return replayed

    async def _stored_or_called(self, call: _Call) -> Completion:
        self.ledger.met(call.key)
        if call.key not in self._absent:
            found = await self._store.completions([call.key], self._run_id)
            if call.key in found:
                self.ledger.count_cached()
                return found[call.key]
        identity = id(call.model)
        if identity not in self._reached:
            async with self._first_call.setdefault(identity, asyncio.Lock()):
                if identity in self._unusable:
                    raise self._unusable[identity]
                if identity not in self._reached:
                    return await self._first(call)
        return await self._with_retries(call)

    async def _first(self, call: _Call) -> Completion:
        """Make the first call to a model; an answer of any kind shows that it can be reached."""
        identity = id(call.model)
        try:
            completion = await self._with_retries(call)
        except ModelError as error:
            unknown_model = isinstance(error, InvalidRequest) and error.status == 404
            if unknown_model or isinstance(error, AuthFailed | Unreachable):
                unusable = ModelUnusable(str(error), status=error.status)
                self._unusable[identity] = unusable
                raise unusable from error
            self._reached.add(identity)
            raise
        self._reached.add(identity)
        return completion

    async def _with_retries(self, call: _Call) -> Completion:
        deadline_s: float | None = None
        n_failed = 0
        while True:
            attempt, outcome, deadline_s = await self._attempt(call, deadline_s)
            # The server is done with it: the next call starts while this one is being stored.
            if isinstance(outcome, Completion):
                # From here on the store has it, even for a caller that is cancelled meanwhile.
                self._absent.pop(call.key)
                await self._store.finish_attempt(
                    attempt.id,
                    outcome="ok",
                    body=call.body,
                    completion=outcome,
                    base_url=call.model.base_url,
                    replicate=call.replicate,
                )
                return outcome
            await self._store.finish_attempt(attempt.id, outcome=outcome.kind)
            if attempt.ends_with_budget and isinstance(outcome, ModelTimeout):
                raise BudgetExceeded(
                    f"the {self.ledger.budget.seconds} seconds are over; raise seconds"
                ) from outcome
            n_failed += 1
            await self._wait_for_retry(call, outcome, n_failed, deadline_s)

    async def _attempt(
        self, call: _Call, deadline_s: float | None
    ) -> tuple[_Attempt, Completion | ModelError, float]:
        """Make one attempt in its turn. The deadline of a call begins with its first attempt."""
        limiter = self._limiter(call.model)
        attempt: _Attempt | None = None
        try:
            async with limiter:
                now_s = time.monotonic()
                deadline_s = deadline_s or now_s + self.limits.timeout_s
                attempt = await self._start(call, deadline_s - now_s)
                outcome = await self._send(call, attempt)
                self._adapt(limiter, outcome)
        except asyncio.CancelledError:
            if attempt is not None:
                await self._store.finish_attempt(attempt.id, outcome=CANCELLED)
            raise
        return attempt, outcome, deadline_s

    def _limiter(self, model: Model) -> AdaptiveLimiter:
        if id(model) not in self._limiters:
            self._limiters[id(model)] = AdaptiveLimiter(self.limits.concurrency)
        return self._limiters[id(model)]

    def _adapt(self, limiter: AdaptiveLimiter, outcome: Completion | ModelError) -> None:
        if isinstance(outcome, Completion):
            limiter.succeeded()
        elif isinstance(outcome, RateLimited):
            # A wait that no call can sit out pauses nobody: each call then fails by itself.
            told_s = outcome.retry_after_s
            bearable = told_s is not None and told_s < self.limits.timeout_s
            limiter.rate_limited(told_s if bearable else None)

    async def _wait_for_retry(
        self, call: _Call, failed: ModelError, n_failed: int, deadline_s: float
    ) -> None:
        """Sit out the wait before the next attempt; raise the failure where there is none."""
        if isinstance(failed, Unreachable) and id(call.model) not in self._reached:
            raise failed  # nobody has ever answered there: waiting will not help
        left_s = deadline_s - time.monotonic()
        if self.ledger.seconds_left is not None:
            left_s = min(left_s, self.ledger.seconds_left)
        wait_s = retry_wait_s(failed, n_failed, left_s, self.limits, self._rng)
        if wait_s is None:
            raise failed
        await asyncio.sleep(wait_s)

    async def _start(self, call: _Call, timeout_s: float) -> _Attempt:
        """Reserve an attempt in ledger and store."""
        budget = self.ledger.budget
        limited = budget.tokens is not None or budget.usd is not None
        upper = upper_usage(call.body) if limited else Usage()
        reservation = await self._reserved(
            call.role,
            upper.total_tokens if budget.tokens is not None else 0,
            (call.model.cost_usd(upper) or 0.0) if budget.usd is not None else 0.0,
        )
        left_s = self.ledger.seconds_left
        booking = asyncio.ensure_future(
            self._store.start_attempt(self._run_id, call.role, call.key)
        )
        try:
            attempt_id = await asyncio.shield(booking)
        except asyncio.CancelledError:
            self.ledger.give_back(reservation)
            await self._store.finish_attempt(await booking, outcome=UNSENT)
            raise
        if left_s is None or left_s >= timeout_s:
            return _Attempt(attempt_id, reservation, timeout_s, ends_with_budget=False)
        return _Attempt(attempt_id, reservation, left_s, ends_with_budget=True)

    async def _reserved(self, role: CallRole, tokens: int, usd: float) -> Reservation:
        """Reserve room for an attempt; waits while only calls in flight stand in the way."""
        while True:
            try:
                return self.ledger.reserve(role, tokens=tokens, usd=usd)
            except BudgetReserved:
                await asyncio.sleep(RESERVATION_POLL_S)

    async def _send(self, call: _Call, attempt: _Attempt) -> Completion | ModelError:
        """Make one attempt and settle it in the ledger; a failure is returned."""
        try:
            completion = await call.model.send(call.body, timeout_s=attempt.timeout_s)
        except ModelError as error:
            self.ledger.settle(attempt.reservation, failure=error.kind)
            return error
        except asyncio.CancelledError:
            self.ledger.settle(attempt.reservation, failure=CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 (models are code of others)
            crashed = ModelError(f"{call.model.name} raised {type(error).__name__}: {error}")
            crashed.__cause__ = error
            self.ledger.settle(attempt.reservation, failure=crashed.kind)
            return crashed
        self.ledger.settle(
            attempt.reservation, tokens=completion.usage.total_tokens, usd=completion.cost_usd
        )
        return completion
