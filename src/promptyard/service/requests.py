"""How a request comes in: its key, its limits, its JSON; and how it is answered and logged.

`ServiceRoute` is the class of all routes. A body is read in full, within its limits, before
anything looks at it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Set
from typing import Annotated, Any, cast

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from promptyard.errors import PromptyardError
from promptyard.records.api_keys import Scope
from promptyard.records.audit import AuditEntry
from promptyard.service.access import (
    SCOPE_FIELD,
    Caller,
    KeyRefused,
    address_of,
    caller_of,
    sender_of,
)
from promptyard.service.bodies import HeldBody
from promptyard.service.paths import API, unsheltered
from promptyard.service.problems import RequestRefused, problem_of
from promptyard.service.rates import block_of
from promptyard.service.record_reader import RecordReader
from promptyard.service.state import ServiceState, state_of
from promptyard.service.strict_json import strict_json
from promptyard.service.wrong_values import wrong_query

AUDITED: frozenset[Scope] = frozenset({"write", "release", "admin"})
"""Scopes whose acts are logged; `report` has its own, larger records."""
ACTS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

log = logging.getLogger("promptyard.service")


class ServiceRequest(Request):
    """A request whose body is bounded and whose JSON is strict."""

    _held: HeldBody | None = None

    async def json(self) -> Any:
        """Parse the body. Raises RequestRefused."""
        if not hasattr(self, "_json"):
            try:
                self._json = strict_json(await self.body())
            except ValueError as error:
                raise RequestRefused(400, "not-json", f"the body is no JSON: {error}") from None
        return self._json

    async def read_record(self, reader: RecordReader) -> None:
        """Read the body as the record that the route takes. Raises RequestRefused.

        FastAPI, which asks for the JSON, is given the record: it takes texts for numbers, and words
        all errors as one.
        """
        body = await self.body()
        if not body.strip():
            raise reader.missing()
        _require_json(self)
        self._json = reader.read(body, await self.json())

    async def body(self) -> bytes:
        """Return the body, decompressed, within the limits. Raises RequestRefused."""
        if not hasattr(self, "_body"):
            bodies = state_of(self).bodies
            self._held = bodies.hold(sender_of(self))
            self._body = await bodies.read(self, self._held)
        return self._body

    def release(self) -> None:
        """Let others have the room of the body: the request is answered."""
        if self._held is not None:
            self._held.release()
            self._held = None


class ServiceRoute(APIRoute):
    """A route that checks the key, answers errors as problems, and logs acts."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI makes of the function."""
        handle = super().get_route_handler()
        scope = cast("Scope | None", (self.openapi_extra or {}).get(SCOPE_FIELD))
        reader = None
        if self.body_field is not None:
            field = self.body_field.field_info
            reader = RecordReader(self.name, Annotated[field.annotation, field])
        query = frozenset(item.alias for item in self.dependant.query_params)
        is_ours = self.path.startswith(API)  # to a standard's query its clients may add
        name = self.name

        async def answer(given: Request) -> Response:
            if getattr(given.state, "sheltered", False):
                given.scope["path_params"] = unsheltered(given.path_params)
            request = ServiceRequest(given.scope, given.receive)
            try:
                return await answer_held(request, state_of(request))
            finally:
                request.release()

        async def answer_held(request: ServiceRequest, state: ServiceState) -> Response:
            try:
                if scope is not None:
                    await _admit(request, state)
                    _require_scope(request, state, scope)
                if is_ours:
                    _require_query(request, query)
                if reader is not None:
                    await request.read_record(reader)
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
    try:
        claimed = request.headers.get("x-promptyard-actor", "")
        caller = await state.access.caller(_sent_key(request), claimed)
    except KeyRefused as error:
        state.wrong_keys.take(block_of(address_of(request)))
        request.state.caller = Caller("" if error.key is None else error.key.name, error.key)
        raise
    request.state.caller = caller
    state.rates.take(sender_of(request))
    state.under_way.begin(request)


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


def _require_query(request: Request, known: Set[str]) -> None:
    """Raise RequestRefused for parameters that are unknown or given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    if known >= set(given) and len(set(given)) == len(given):
        return
    lines = wrong_query(given, known)
    raise RequestRefused(422, "invalid", lines[0], errors=lines)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        how = f", not {kind[:100]!a}" if kind else ": say so (Content-Type: application/json)"
        detail = f"the body is application/json{how}"
        raise RequestRefused(415, "media-type", detail)


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
