"""Puts the application together: routes, the guard of the host name, request ids, start and end."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.datastructures import Headers
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptyard.service.background import run_background
from promptyard.service.openapi import ServiceApp
from promptyard.service.paths import API, sheltered
from promptyard.service.problems import problem, problem_of
from promptyard.service.rates import ip_of
from promptyard.service.request_counts import Counted
from promptyard.service.routes import ROUTERS
from promptyard.service.state import ServiceState
from promptyard.service.workers import WORKERS

HEALTH = "/healthz"


def build_app(state: ServiceState) -> FastAPI:
    """Return the application of one replica. Its start opens the store, its end closes it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await state.store.open()
        tasks = [
            asyncio.create_task(state.changes.run(), name="changes"),
            asyncio.create_task(state.manifest.run(), name="manifest"),
            asyncio.create_task(state.jobs.run(), name="jobs"),
            asyncio.create_task(run_background(state, WORKERS), name="background"),
        ]
        try:
            yield
        finally:
            state.stopping.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await state.store.close()

    app = ServiceApp(lifespan=lifespan)
    app.state.service = state
    app.add_exception_handler(Exception, problem_of)
    app.add_exception_handler(404, _nothing_there)
    app.add_exception_handler(405, _not_allowed)
    app.add_middleware(Doorway, state=state)
    app.add_middleware(Counted, requests=state.requests, counts=state.counts)
    return app


def _nothing_there(request: Request, _: Exception) -> Response:
    detail = f"nothing lies at {_shown_path(request)}; {API}/openapi.json says what there is"
    return problem(request, 404, "not-found", detail)


def _not_allowed(request: Request, _: Exception) -> Response:
    """Answer with all methods of the path; each route by itself knows its own alone."""
    routes = [*request.app.routes, *(route for router in ROUTERS for route in router.routes)]
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    allowed = ", ".join(sorted(methods))
    detail = f"{request.method[:20]} is not allowed at {_shown_path(request)}; allowed: {allowed}"
    return problem(request, 405, "method-not-allowed", detail, headers={"Allow": allowed})


def _shown_path(request: Request) -> str:
    return request.scope.get("raw_path", b"").decode("ascii", "replace")[:200]


class Doorway:
    """Gives each request an id; while there are no keys, lets in only who calls us loopback.

    A page in a browser of this machine could otherwise reach us under a name of its own that
    resolves to loopback, or send acts without a body across: browsers say from where (`Origin`).
    """

    def __init__(self, app: ASGIApp, state: ServiceState) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = sheltered(scope.get("raw_path") or b"")
        if path is not None:
            scope["path"] = path
            scope.setdefault("state", {})["sheltered"] = True
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            refusal = await self._refusal(scope, receive)
        except Exception as error:  # noqa: BLE001 (the store; answered like every failure)
            # That the process lives is true without a store, too: nobody need start it anew.
            is_alive = scope["path"] == HEALTH
            refusal = None if is_alive else problem_of(Request(scope, receive), error)
        try:
            await (refusal or self._app)(scope, receive, named)
        finally:
            self._state.under_way.end(scope)

    async def _refusal(self, scope: Scope, receive: Receive) -> Response | None:
        """Return why a request without keys is not let in, None where it is."""
        if await self._state.access.has_keys():
            return None
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        if not is_loopback(_host_name(host)):
            detail = f"without keys only loopback is answered, not {host[:100]!a}"
            return problem(Request(scope, receive), 421, "host", detail)
        origin = headers.get("origin")
        if origin is not None and _place_of(origin) != host:
            detail = f"without keys pages of other places are not answered, not {origin[:100]!a}"
            return problem(Request(scope, receive), 403, "origin", detail)
        return None


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine alone."""
    if host == "localhost":
        return True
    address = ip_of(host)
    return address is not None and address.is_loopback


def _place_of(origin: str) -> str | None:
    """Return host and port of an origin, None where it is none (`null`)."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
