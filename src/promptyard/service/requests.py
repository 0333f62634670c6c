"""How a request comes in: its key, its limits, its JSON; and how it is answered and logged.

`ServiceRoute` is the class of all routes. A body is read in full, within its limits, before
anything looks at it.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from promptyard.errors import PromptyardError
from promptyard.records.api_keys import Scope
from promptyard.records.audit import AuditEntry
from promptyard.service.access import SCOPE_FIELD, Caller, KeyRefused, caller_of
from promptyard.service.paths import unsheltered
from promptyard.service.problems import RequestRefused, problem_of
from promptyard.service.rates import block_of, ip_of
from promptyard.service.state import ServiceState, state_of
from promptyard.service.strict_json import strict_json

AUDITED: frozenset[Scope] = frozenset({"write", "release", "admin"})
"""Scopes whose acts are logged; `report` has its own, larger records."""
MAX_RATIO = 100
"""How many times larger a body may become; telemetry of many like spans is some 50 times."""
ALWAYS_BYTES = 1 << 20
ACTS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAX_DIGITS = 18

log = logging.getLogger("promptyard.service")


class ServiceRequest(Request):
    """A request whose body is bounded and whose JSON is strict."""

    async def json(self) -> Any:
        """Parse the body. Raises RequestRefused."""
        if not hasattr(self, "_json"):
            try:
                self._json = strict_json(await self.body())
            except ValueError as error:
                raise RequestRefused(400, "not-json", f"the body is no JSON: {error}") from None
        return self._json

    async def body(self) -> bytes:
        """Return the body, decompressed, within the limits. Raises RequestRefused."""
        if not hasattr(self, "_body"):
            self._body = await _read_body(self, state_of(self))
        return self._body


class ServiceRoute(APIRoute):
    """A route that checks the key, answers errors as problems, and logs acts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI makes of the function."""
        handle = super().get_route_handler()
        scope = cast("Scope | None", (self.openapi_extra or {}).get(SCOPE_FIELD))
        has_json = self.body_field is not None
        name = self.name

        async def answer(given: Request) -> Response:
            if getattr(given.state, "sheltered", False):
                given.scope["path_params"] = unsheltered(given.path_params)
            request = ServiceRequest(given.scope, given.receive)
            state = state_of(request)
            try:
                if scope is not None:
                    await _admit(request, state)
                    _require_scope(request, state, scope)
                if has_json:
                    _require_json(request)
                    await request.json()  # read here: FastAPI words all its errors as one
                response = await handle(request)
            except Exception as error:  # noqa: BLE001 (each is answered as a problem)
                response = _failed(request, error)
            if scope in AUDITED and request.method in ACTS and response.status_code != 429:
                try:
                    await _audit(request, state, name, response.status_code)
                except PromptyardError as error:
                    response = _failed(request, error)
            if isinstance(response, StreamingResponse):
                return state.open_streams.counted(response, request)
            return response

        return answer


def _failed(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):  # nobody reads the answer, and nothing is wrong here
        return Response(status_code=400)
    response = problem_of(request, error)
    if response.status_code == 500:
        # The path as it was sent is ASCII: no request can write lines of its own into the log.
        path = request.scope.get("raw_path", b"").decode("ascii", "replace")
        log.error("%s %s failed", request.method, path[:200], exc_info=error)
    return response


async def _admit(request: Request, state: ServiceState) -> None:
    """Find out who asks, and count the request. Raises RequestRefused."""
    address = address_of(request)
    try:
        claimed = request.headers.get("x-promptyard-actor", "")
        caller = await state.access.caller(_sent_key(request), claimed)
    except KeyRefused as error:
        state.wrong_keys.take(block_of(address))
        request.state.caller = Caller("" if error.key is None else error.key.name, error.key)
        raise
    request.state.caller = caller
    state.rates.take(caller.key_id or block_of(address))


def _require_scope(request: Request, state: ServiceState, scope: Scope) -> None:
    """Raise RequestRefused for a caller without the scope; too many such are no longer logged."""
    caller = caller_of(request)
    if not caller.allows(scope):
        state.wrong_keys.take(f"scope {caller.key_id}")
    caller.require(scope)


def _sent_key(request: Request) -> str | None:
    """Return the key that came with a request, None without one. Raises KeyRefused."""
    headers = request.headers.getlist("authorization")
    if not headers:
        return request.headers.get("x-api-key")
    kind, _, text = headers[0].partition(" ")
    if len(headers) > 1 or kind.lower() != "bearer" or not text.strip():
        raise KeyRefused("the Authorization header is `Bearer py_...`, once")
    return text.strip()


def address_of(request: Request) -> str:
    """Return who connected; what proxies say of others before them is not believed."""
    host = request.client.host if request.client else ""
    return str(ip_of(host) or host)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        detail = f"the body is application/json; the Content-Type is {kind[:100] or 'missing'!a}"
        raise RequestRefused(415, "media-type", detail)


async def _read_body(request: Request, state: ServiceState) -> bytes:
    most = state.settings.max_body_bytes
    length = request.headers.get("content-length", "0")
    if len(length) > _MAX_DIGITS or not length.isdecimal() or int(length) > most:
        raise _too_large(most)
    try:
        async with asyncio.timeout(state.settings.read_timeout_s):
            body = await _received(request, most)
    except TimeoutError:
        detail = f"the body did not arrive within {state.settings.read_timeout_s:g} s"
        raise RequestRefused(408, "too-slow", detail) from None
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding != "gzip":
        detail = f"the Content-Encoding {encoding[:100]!a} is not known; send gzip or none"
        raise RequestRefused(415, "media-type", detail)
    return _decompressed(body, state.settings.max_decompressed_bytes)


async def _received(request: Request, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _decompressed(body: bytes, most: int) -> bytes:
    """Decompress gzip up to a size and a ratio; a bomb is found before it goes off.

    Raises RequestRefused.
    """
    cap = min(most, max(ALWAYS_BYTES, MAX_RATIO * len(body)))
    stream = zlib.decompressobj(wbits=31)
    try:
        result = stream.decompress(body, cap + 1)
    except zlib.error as error:
        raise RequestRefused(400, "not-gzip", f"the body is no gzip: {error}") from None
    if len(result) > cap:
        detail = (
            f"the body becomes more than {most:,} bytes, or more than {MAX_RATIO} times what was "
            "sent; send less at once"
        )
        raise RequestRefused(413, "too-large", detail)
    if not stream.eof or stream.unused_data:
        raise RequestRefused(400, "not-gzip", "the body is no single, whole gzip stream")
    return result


def _too_large(most: int) -> RequestRefused:
    detail = f"the body has more than {most:,} bytes; send less at once"
    return RequestRefused(413, "too-large", detail)


async def _audit(request: Request, state: ServiceState, action: str, status: int) -> None:
    """Log an act before it is answered; one that no caller could be found for is logged, too."""
    caller: Caller = getattr(request.state, "caller", Caller("", None))
    entry = AuditEntry(
        actor=caller.name,
        key_id=caller.key_id,
        action=action,
        target=request.url.path[:500],
        status=status,
        address=address_of(request),
        request_id=str(getattr(request.state, "request_id", "")),
        detail=getattr(request.state, "audit", {}),
    )
    await state.store.add_audit(entry)
