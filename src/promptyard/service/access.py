"""Who asks, and whether they may: keys, their scopes, and what is allowed without any.

While no key exists, whoever reaches loopback may do everything, under the name of the header
`X-Promptyard-Actor`. As soon as one exists, every request needs one.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from promptyard.errors import StorageError
from promptyard.line.api_keys import checked_actor
from promptyard.protocols import Store
from promptyard.records.api_keys import ApiKey, Scope, digest_of, id_in
from promptyard.service.problems import RequestRefused
from promptyard.service.rates import Rates, block_of, ip_of

SCOPE_FIELD = "x-promptyard-scope"
"""Where a route's scope stands in the OpenAPI document."""
STREAM_FIELD = "x-promptyard-stream"
STREAMS = {STREAM_FIELD: True}
"""For `needs` where an answer does not end by itself: who calls all operations leaves it out."""
CACHE_S = 2.0
"""How long another replica may go on to take a key that was revoked."""
OUTAGE_S = 300.0
"""How long a key that was known is taken while the store does not answer."""
READ_S = 5.0
"""How long a reading of the keys is waited for: a store that hangs is one that does not answer."""
UNKNOWN_PER_S = 2.0
UNKNOWN_BURST = 10
"""How often keys are read for ids that are not known: one that was just made works at once."""
UNKNOWN_S = 1.0
"""How long, under a stream of wrong keys, one that was just made elsewhere may be refused."""
LOCAL = "local"
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Caller:
    """Who asks: the name that logs get, the key, the scopes. `key` is None on bare loopback."""

    name: str
    key: ApiKey | None

    @property
    def key_id(self) -> str:
        """The id of the key, empty where there is none."""
        return "" if self.key is None else self.key.id

    def allows(self, scope: Scope) -> bool:
        """Whether the caller may do what needs this scope."""
        return self.key is None or self.key.allows(scope)

    def require(self, scope: Scope) -> None:
        """Raise RequestRefused with 403 where the caller may not do what needs this scope."""
        if self.key is not None and not self.key.allows(scope):
            own = ", ".join(self.key.scopes)
            detail = f"this needs the scope '{scope}'; key {self.key.id} has: {own}"
            raise RequestRefused(403, "scope", detail)


class KeyRefused(RequestRefused):
    """A key that is of no use. `key` is known where its secret was right: it has ended."""

    def __init__(self, detail: str, key: ApiKey | None = None) -> None:
        super().__init__(401, "unauthorized", detail)
        self.key = key


class Access:
    """Knows all keys of the store, and reads them anew when they are `CACHE_S` old.

    How often it reads does not depend on how many ask, or with what: those who find the keys too
    old wait for one reading together, and for ids that are not known it reads `UNKNOWN_PER_S` times
    a second, or where all are `UNKNOWN_S` old. What was read last counts in between.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: dict[str, ApiKey] = {}
        self._read_at_s = -math.inf
        self._is_forgotten = True
        self._n_forgotten = 0
        self._reading: asyncio.Task[bool] | None = None
        self._reading_since_s = -math.inf
        self._unknown = Rates(UNKNOWN_PER_S, UNKNOWN_BURST)

    def forget(self) -> None:
        """Look everything up anew: keys have just been changed here."""
        self._is_forgotten = True
        self._n_forgotten += 1
        self._reading = None  # it began before the change

    async def has_keys(self) -> bool:
        """Whether a key was ever made: then none is asked without."""
        if not self._keys and (self._is_forgotten or self._age_s() > CACHE_S):
            await self._read()
        return bool(self._keys)

    async def caller(self, text: str | None, claimed: str) -> Caller:
        """Return who has this key, without one whoever is `claimed`.

        Raises KeyRefused saying what is wrong with the key, RequestRefused for a name that is none.
        """
        if text is None:
            if await self.has_keys():
                raise KeyRefused("send a key: Authorization: Bearer py_...")
            return Caller(_claimed_name(claimed), None)
        key_id = id_in(text)
        key = None if key_id is None else await self._key(key_id)
        # Compared in any case: how long it takes says nothing of the digest.
        is_right = hmac.compare_digest(digest_of(text), _NO_DIGEST if key is None else key.digest)
        if key is None or not is_right:
            raise KeyRefused("no such key; `promptyard keys list` shows those there are")
        reason = key.refusal(datetime.now(UTC).isoformat(timespec="microseconds"))
        if reason is not None:
            raise KeyRefused(f"key {key.id} of {key.name} is {reason}", key)
        return Caller(key.name, key)

    async def still_admits(self, caller: Caller) -> bool:
        """Whether somebody who was let in still would be: a stream outlives its key else."""
        if caller.key is None:
            return not await self.has_keys()
        key = await self._key(caller.key.id)
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        return key is not None and key.refusal(now) is None

    async def _key(self, key_id: str) -> ApiKey | None:
        if self._is_forgotten:
            await self._read()
        elif key_id not in self._keys:
            is_first = self._may_look()
            if is_first or self._age_s() > UNKNOWN_S:
                await self._read(anew=is_first)
        elif self._age_s() > CACHE_S:
            try:
                await self._read()
            except StorageError:
                # What is in memory is served without the store, to those who were known before:
                # where it is away, nobody can revoke a key either.
                if self._is_forgotten or self._age_s() > OUTAGE_S:
                    raise
        return self._keys.get(key_id)

    def _age_s(self) -> float:
        return time.monotonic() - self._read_at_s

    def _may_look(self) -> bool:
        """Whether one more reading for an unknown id is not one too many."""
        try:
            self._unknown.take("")
        except RequestRefused:
            return False
        return True

    async def _read(self, *, anew: bool = False) -> None:
        """Read all keys, together with whoever wants them now; `anew` not with who began before.

        There is one reading at a time. Raises StorageError, also where the store has not answered
        within `READ_S`: who comes while that reading still goes on is told so at once.
        """
        if anew and self._reading is not None and not self._reading.done():
            await self._wait_for(self._reading)
        is_known = False
        while not is_known:
            if self._reading is None or self._reading.done():
                self._reading_since_s = time.monotonic()
                self._reading = asyncio.create_task(self._read_all(), name="keys")
                self._reading.add_done_callback(_look_at)
            is_known = await self._wait_for(self._reading)

    async def _wait_for(self, reading: asyncio.Task[bool]) -> bool:
        left_s = self._reading_since_s + READ_S - time.monotonic()
        try:
            # Whoever leaves while waiting does not end it for the others.
            return await asyncio.wait_for(asyncio.shield(reading), max(0.0, left_s))
        except TimeoutError:
            raise StorageError(f"the store has not answered within {READ_S:g} s") from None

    async def _read_all(self) -> bool:
        """Read all keys; False where some were changed here meanwhile."""
        began_s, n_forgotten = time.monotonic(), self._n_forgotten
        found = {key.id: key for key in await self._store.keys()}
        if n_forgotten != self._n_forgotten:
            return False
        if began_s >= self._read_at_s:
            self._keys, self._read_at_s, self._is_forgotten = found, began_s, False
        return True


def _look_at(reading: asyncio.Task[bool]) -> None:
    """Take note of an error that nobody waits for any more, so that it is no warning."""
    if not reading.cancelled():
        reading.exception()


def needs(scope: Scope, **openapi: Any) -> dict[str, Any]:
    """Return what a route's decorator gets, so that only callers with this scope are let in.

    `ServiceRoute` checks it, before anything of the request's body is read. `openapi` is added to
    what the OpenAPI document says of the route.
    """
    return {"openapi_extra": {**openapi, SCOPE_FIELD: scope}}


def caller_of(request: Request) -> Caller:
    """Return who asks; the route has `needs`."""
    caller: Caller = request.state.caller
    return caller


def address_of(request: Request) -> str:
    """Return who connected; what proxies say of others before them is not believed."""
    host = request.client.host if request.client else ""
    return str(ip_of(host) or host)


def sender_of(request: Request) -> str:
    """Return who is counted for a request: its key, or its address where there is none."""
    caller: Caller | None = getattr(request.state, "caller", None)
    return (caller.key_id if caller is not None else "") or block_of(address_of(request))


def _claimed_name(claimed: str) -> str:
    """Return the name of a caller without a key. Headers come in as Latin-1 and hold UTF-8."""
    if not claimed:
        return LOCAL
    try:
        name = checked_actor(claimed.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        name = None
    if name is None:
        detail = "X-Promptyard-Actor is a name of up to 100 visible characters, in UTF-8"
        raise RequestRefused(400, "actor", detail)
    return name
