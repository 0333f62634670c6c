"""Who asks, and whether they may: keys, their scopes, and what is allowed without any.

While no key exists, whoever reaches loopback may do everything, under the name of the header
`X-Promptyard-Actor`. As soon as one exists, every request needs one.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import Depends, Request

from promptyard.protocols import Store
from promptyard.records.api_keys import ApiKey, Scope
from promptyard.service.problems import RequestRefused

PREFIX = "py_"
SCOPE_FIELD = "x-promptyard-scope"
"""Where a route's scope stands in the OpenAPI document."""
CACHE_S = 2.0
"""How long another replica may go on to take a key that was revoked."""
MAX_CACHED = 10_000
LOCAL = "local"


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


def new_secret() -> tuple[str, str]:
    """Return the id and the whole text of a new key; the text is shown once and stored nowhere."""
    key_id = secrets.token_hex(6)
    return key_id, f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"


def digest_of(text: str) -> str:
    """Return what is stored of a key's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class Access:
    """Looks keys up in the store, and remembers them for `CACHE_S`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[str, tuple[float, ApiKey | None]] = OrderedDict()
        self._any: tuple[float, bool] | None = None

    def forget(self) -> None:
        """Look everything up anew: keys have just been changed here."""
        self._known.clear()
        self._any = None

    async def has_keys(self) -> bool:
        """Whether a key was ever made: then none is asked without."""
        now_s = time.monotonic()
        if self._any is None or (not self._any[1] and now_s - self._any[0] > CACHE_S):
            self._any = (now_s, bool(await self._store.keys()))
        return self._any[1]

    async def caller(self, text: str | None, claimed: str) -> Caller:
        """Return who has this key. Raises RequestRefused with 401 saying what is wrong with it."""
        if text is None:
            if await self.has_keys():
                raise _unauthorised("send a key: Authorization: Bearer py_...")
            return Caller(claimed or LOCAL, None)
        key_id = text.removeprefix(PREFIX).partition("_")[0]
        key = None
        if text.startswith(PREFIX) and text.isascii() and len(text) < 200 and key_id.isalnum():
            key = await self._key(key_id)
        # Compared in any case: how long it takes says nothing of whether there is such a key.
        expected = key.digest if key is not None else "0" * 64
        if not hmac.compare_digest(digest_of(text), expected) or key is None:
            raise _unauthorised("no such key; `promptyard keys list` shows those there are")
        reason = key.refusal(datetime.now(UTC).isoformat(timespec="microseconds"))
        if reason is not None:
            raise _unauthorised(f"key {key.id} of {key.name} is {reason}")
        return Caller(key.name, key)

    async def _key(self, key_id: str) -> ApiKey | None:
        now_s = time.monotonic()
        known = self._known.get(key_id)
        if known is not None and now_s - known[0] <= CACHE_S:
            return known[1]
        key = await self._store.key(key_id)
        self._known[key_id] = (now_s, key)
        self._known.move_to_end(key_id)
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)
        return key


def needs(scope: Scope, **openapi: Any) -> dict[str, Any]:
    """Return what a route's decorator gets, so that only callers with this scope are let in.

    `openapi` is added to what the OpenAPI document says of the route.
    """
    extra = {**openapi, SCOPE_FIELD: scope}
    return {"dependencies": [Depends(_check(scope))], "openapi_extra": extra}


def caller_of(request: Request) -> Caller:
    """Return who asks; the route has `needs`."""
    caller: Caller = request.state.caller
    return caller


@functools.cache
def _check(scope: Scope) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        caller = caller_of(request)
        if not caller.allows(scope):
            own = ", ".join(caller.key.scopes) if caller.key else ""
            detail = f"this needs the scope '{scope}'; key {caller.key_id} has: {own}"
            raise RequestRefused(403, "scope", detail)

    return check


def _unauthorised(detail: str) -> RequestRefused:
    return RequestRefused(401, "unauthorized", detail)
