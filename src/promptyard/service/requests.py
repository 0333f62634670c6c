"""How a request comes in: its key, its limits, its JSON; and how it is answered and logged.

`ServiceRoute` is the class of all routes. A body is read in full, within its limits, before
anything looks at it.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pydantic_core
from fastapi import Request, Response
from fastapi.routing import APIRoute

from promptyard.records.api_keys import Scope
from promptyard.records.audit import AuditEntry
from promptyard.service.access import SCOPE_FIELD, caller_of
from promptyard.service.problems import RequestRefused, problem_of
from promptyard.service.state import ServiceState, state_of

AUDITED: frozenset[Scope] = frozenset({"write", "release", "admin"})
"""Scopes whose acts are logged; `report` has its own, larger records."""
ACTS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CHUNK = 1 << 16

log = logging.getLogger("promptyard.service")


class ServiceRequest(Request):
    """A request whose JSON is strict: no NaN, no infinity, bounded depth."""

    async def json(self) -> Any:
        """Parse the body. Raises RequestRefused."""
        body = await self.body()
        try:
            return pydantic_core.from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise RequestRefused(400, "not-json", f"the body is no JSON: {error}") from None

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
            request = ServiceRequest(given.scope, given.receive)
            state = state_of(request)
            try:
                if scope is not None:
                    await _admit(request, state)
                if has_json:
                    _require_json(request)
                response = await handle(request)
            except Exception as error:
                response = problem_of(request, error)
                if response.status_code == 500:
                    log.exception("%s %s failed", request.method, request.url.path)
            if scope in AUDITED and request.method in ACTS:
                await _audit(request, state, name, response.status_code)
            return response

        return answer


async def _admit(request: Request, state: ServiceState) -> None:
    header = request.headers.get("authorization")
    text = None
    if header is not None:
        kind, _, text = header.partition(" ")
        if kind.lower() != "bearer" or not text.strip():
            detail = "the Authorization header is `Bearer py_...`"
            raise RequestRefused(401, "unauthorized", detail)
        text = text.strip()
    elif "x-api-key" in request.headers:
        text = request.headers["x-api-key"]
    claimed = request.headers.get("x-promptyard-actor", "")[:100]
    request.state.caller = await state.access.caller(text, claimed)
    address = request.client.host if request.client else ""
    state.rates.take(caller_of(request).key_id or address)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        detail = f"the body is application/json; the Content-Type is {kind or 'missing'!r}"
        raise RequestRefused(415, "media-type", detail)


async def _read_body(request: Request, state: ServiceState) -> bytes:
    most = state.settings.max_body_bytes
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    body = b"".join(parts)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding != "gzip":
        detail = f"the Content-Encoding {encoding!r} is not known; send gzip or none"
        raise RequestRefused(415, "media-type", detail)
    return _decompressed(body, state.settings.max_decompressed_bytes)


def _decompressed(body: bytes, most: int) -> bytes:
    """Decompress gzip up to a size; a bomb is found before it goes off. Raises RequestRefused."""
    stream = zlib.decompressobj(wbits=31)
    try:
        result = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise RequestRefused(400, "not-gzip", f"the body is no gzip: {error}") from None
    if len(result) > most:
        raise _too_large(most)
    if not stream.eof or stream.unused_data:
        raise RequestRefused(400, "not-gzip", "the body is no single, whole gzip stream")
    return result


def _too_large(most: int) -> RequestRefused:
    detail = f"the body has more than {most:,} bytes; send less at once"
    return RequestRefused(413, "too-large", detail)


async def _audit(request: Request, state: ServiceState, action: str, status: int) -> None:
    """Log an act before it is answered; one that no caller could be found for is logged, too."""
    caller = getattr(request.state, "caller", None)
    entry = AuditEntry(
        actor="" if caller is None else caller.name,
        key_id="" if caller is None else caller.key_id,
        action=action,
        target=request.url.path[:500],
        status=status,
        address=request.client.host if request.client else "",
        request_id=str(getattr(request.state, "request_id", "")),
        detail=getattr(request.state, "audit", {}),
    )
    await state.store.add_audit(entry)
