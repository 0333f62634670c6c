"""Who asks, and whether they may: keys, their scopes, and what is allowed without any.

While no key exists, whoever reaches loopback may do everything, under the name of the header
`X-Promptyard-Actor`. As soon as one exists, every request needs one.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from promptyard.errors import StorageError
from promptyard.line.api_keys import checked_actor
from promptyard.protocols import Store
from promptyard.records.api_keys import ApiKey, Scope, digest_of, id_in
from promptyard.service.problems import RequestRefused

SCOPE_FIELD = "x-promptyard-scope"
"""Where a route's scope stands in the OpenAPI document."""
STREAM_FIELD = "x-promptyard-stream"
STREAMS = {STREAM_FIELD: True}
"""For `needs` where an answer does not end by itself: who calls all operations leaves it out."""
CACHE_S = 2.0
"""How long another replica may go on to take a key that was revoked."""
OUTAGE_S = 300.0
"""How long a key that was known is taken while the store does not answer."""
MAX_CACHED = 10_000
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
    """Looks keys up in the store, and remembers them for `CACHE_S`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._any: tuple[float, bool] | None = None
        self._n_forgotten = 0

    def forget(self) -> None:
        """Look everything up anew: keys have just been changed here."""
        self._known.clear()
        self._any = None
        self._n_forgotten += 1

    async def has_keys(self) -> bool:
        """Whether a key was ever made: then none is asked without."""
        now_s = time.monotonic()
        if self._any is None or (not self._any[1] and now_s - self._any[0] > CACHE_S):
            n_forgotten = self._n_forgotten
            found = bool(await self._store.keys())
            if found or n_forgotten == self._n_forgotten:
                self._any = (now_s, found)
            return found
        return self._any[1]

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
        now_s = time.monotonic()
        known = self._known.get(key_id)
        if known is not None and now_s - known[0] <= CACHE_S:
            return known[1]
        n_forgotten = self._n_forgotten
        try:
            key = await self._store.key(key_id)
        except StorageError:
            # What is in memory is served without the store, to those who were known before: where
            # it is away, nobody can revoke a key either.
            if known is not None and now_s - known[0] <= OUTAGE_S:
                return known[1]
            raise
        # Unknown ids are not remembered: there are more of them than of keys. Nor is what was
        # read before a change that has been made meanwhile.
        if key is not None and n_forgotten == self._n_forgotten:
            self._known[key_id] = (now_s, key)
            self._known.move_to_end(key_id)
            if len(self._known) > MAX_CACHED:
                self._known.popitem(last=False)
        return key


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
