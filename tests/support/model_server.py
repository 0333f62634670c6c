"""What the model servers of the tests share: a real server in a thread, and the ways to fail.

A subclass speaks one protocol: it refuses wrong requests as the real service does, writes the
document of an answer and damages it. See `chat_server` and `messages_server`.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

from aiohttp import web

Body: TypeAlias = dict[str, Any]
Answer: TypeAlias = Callable[[Body], str | dict[str, Any]]

FaultKind: TypeAlias = Literal[
    "status",  # an HTTP status with an error document
    "hang",  # nothing for `seconds`, then the normal answer
    "slow_drip",  # the normal answer, spread byte by byte over `seconds`
    "truncated_json",  # a whole HTTP answer whose JSON ends in the middle
    "not_json",  # 200 with plain text
    "html_200",  # 200 with the page of a proxy
    "no_choices",  # chat: a completion without `choices`
    "empty_choices",  # chat: a completion with `choices: []`
    "null_content",  # the content of the message is null
    "empty_content",  # messages: `content: []` although the turn ended
    "no_usage",  # messages: an answer that does not say what it cost
    "length",  # the normal answer cut in half at the limit of tokens
    "content_filter",  # no text, stopped by a filter
    "refusal",  # messages: the model declined, with an explanation
    "drop_connection",  # connection reset before anything is answered
    "drop_mid_body",  # connection reset in the middle of the answer
    "huge",  # `n_bytes` of white space and then the normal answer
]


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong. Kinds that need nothing else are built as `Fault("length")`."""

    kind: FaultKind
    code: int = 500
    seconds: float = 0.0
    n_bytes: int = 65 * 1024 * 1024
    body: str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def status(
        cls,
        code: int,
        *,
        retry_after: float | str | None = None,
        body: str | Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Answer with an HTTP status; without `body`, with the protocol's error document."""
        extra = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls("status", code=code, body=body, headers=extra | dict(headers or {}))

    @classmethod
    def hang(cls, seconds: float) -> Fault:
        """Answer normally, but only after `seconds`."""
        return cls("hang", seconds=seconds)

    @classmethod
    def slow_drip(cls, seconds: float) -> Fault:
        """Start to answer at once and be done after `seconds`."""
        return cls("slow_drip", seconds=seconds)


class Received(NamedTuple):
    """One request as it arrived; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Body


@dataclass(frozen=True)
class Refusal:
    """A request that the real service refuses: the status and the message it would give."""

    code: int
    message: str
    kind: str = "invalid_request_error"


class ModelServer(ABC):
    """A server on a free port; a context manager that is up inside its block.

    `answer` maps a posted body to the text, or to fields of the answer's document. `faults` maps
    the number of a request since `reset()` and its body to a Fault or None. Both run in the
    server's thread, one call at a time, so they may keep state; an exception in them becomes a
    500 and is raised again when the server is left.

    Attributes:
        base_url: address to give to a client, `http://127.0.0.1:<port>/v1`.
        requests: every request since `reset()`, in order of arrival.
        max_in_flight: most requests that were being answered at one time since `reset()`.
    """

    endpoint: ClassVar[str]
    request_id_header: ClassVar[str] = "x-request-id"

    @abstractmethod
    def refuse(self, headers: Mapping[str, str], body: Body) -> Refusal | None:
        """Say what the real service would refuse about a request; headers in lower case."""

    @abstractmethod
    def document(self, index: int, body: Body, answer: str | dict[str, Any]) -> Body:
        """Build the document of a normal answer; the fields of a dict are merged over it."""

    @abstractmethod
    def damaged(self, fault: Fault, document: Body) -> Body:
        """Build the document of a fault of the protocol."""

    @abstractmethod
    def error_document(self, code: int, message: str, kind: str) -> Body:
        """Build the document of an error."""

    def __init__(
        self,
        answer: Answer = lambda _: "ok",
        faults: Callable[[int, Body], Fault | None] = lambda _index, _body: None,
        *,
        latency_s: float = 0.0,
    ) -> None:
        self.base_url = ""
        self.requests: list[Received] = []
        self.max_in_flight = 0
        self.latency_s = latency_s
        self._answer = answer
        self._faults = faults
        self._n_in_flight = 0
        self._held_from: float = math.inf
        self._problems: list[Exception] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._runner: web.AppRunner | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="model-server", daemon=True)

    @property
    def n_requests(self) -> int:
        """Requests that have arrived since `reset()`."""
        return len(self.requests)

    @property
    def n_in_flight(self) -> int:
        """Requests that are being answered now."""
        return self._n_in_flight

    @property
    def n_connections(self) -> int:
        """Connections that are open now, idle ones included."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    def reset(self) -> None:
        """Forget the requests so far; requests in flight stay counted as in flight."""
        with self._lock:
            self.requests = []
            self.max_in_flight = self._n_in_flight

    def hold(self, index: int) -> None:
        """Answer no request from this number on until `release`: a client is then stopped there."""
        self._held_from = index

    def release(self) -> None:
        """Answer what was held, and all that comes."""
        self._held_from = math.inf

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the model server did not start within 10 s")
        if not self.base_url:
            raise RuntimeError(f"the model server could not start: {self._problems}")
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if error is None and self._problems:
            raise self._problems[0]

    def stop(self) -> None:
        """Break off what hangs, close the port and end the thread. Safe to call twice."""
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        if self._thread.is_alive():
            raise RuntimeError("the model server did not stop within 10 s")

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as problem:  # noqa: BLE001  # handed to the test's own thread
            self._problems.append(problem)
        finally:
            self._ready.set()

    async def _run(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_post("/{path:.*}", self._handle)
        # Cancelled when its client goes, so that `n_in_flight` tells who still waits.
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0
        )
        self._runner = runner
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.base_url = f"http://{host}:{port}/v1"
            self._ready.set()
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            body: Body = await request.json()
        except ValueError:
            return self._error(400, "the body is not JSON", "invalid_request_error")
        with self._lock:
            index = len(self.requests)
            headers = {key.lower(): value for key, value in request.headers.items()}
            self.requests.append(Received(request.path_qs, headers, body))
            self._n_in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._n_in_flight)
        try:
            return await self._respond(request, index, body)
        finally:
            with self._lock:
                self._n_in_flight -= 1

    async def _respond(self, request: web.Request, index: int, body: Body) -> web.StreamResponse:
        if not request.path.endswith(self.endpoint):
            return self._error(404, f"no such path: {request.path}", "not_found_error")
        if refusal := self.refuse(self.requests[index].headers, body):
            return self._error(refusal.code, refusal.message, refusal.kind)
        try:
            fault = self._faults(index, body)
            document = self.document(index, body, self._answer(body))
        except Exception as problem:  # noqa: BLE001  # handed to the test's own thread
            self._problems.append(problem)
            return self._error(500, f"the test's own function failed: {problem!r}")
        while index >= self._held_from:
            if not await self._wait(0.005):
                return self._error(503, "the server is stopping")
        wait_s = self.latency_s + (fault.seconds if fault and fault.kind == "hang" else 0.0)
        if wait_s and not await self._wait(wait_s):
            return self._error(503, "the server is stopping")
        if fault is None or fault.kind == "hang":
            headers = {self.request_id_header: f"req-{index}"}
            return web.json_response(document, headers=headers)
        if fault.kind in ("slow_drip", "drop_connection", "drop_mid_body", "huge"):
            return await self._break_transport(request, fault, document)
        try:
            return self._broken(fault, document)
        except ValueError as problem:
            self._problems.append(problem)
            return self._error(500, str(problem))

    def _broken(self, fault: Fault, document: Body) -> web.Response:
        """Build the response of a fault that is wrong in its status or in its document."""
        match fault.kind:
            case "status":
                return self._status_response(fault)
            case "truncated_json":
                raw = json.dumps(document)
                return web.Response(text=raw[: len(raw) // 2], content_type="application/json")
            case "not_json":
                return web.Response(text=str(fault.body or "Internal error, please retry"))
            case "html_200":
                page = str(fault.body or "<html><body><h1>502 Bad Gateway</h1></body></html>")
                return web.Response(text=page, content_type="text/html")
            case _:
                return web.json_response(self.damaged(fault, document))

    def _status_response(self, fault: Fault) -> web.Response:
        if fault.body is None:
            message = f"the test asked for status {fault.code}"
            return self._error(fault.code, message, headers=fault.headers)
        if isinstance(fault.body, str):
            return web.Response(status=fault.code, text=fault.body, headers=fault.headers)
        return web.json_response(fault.body, status=fault.code, headers=fault.headers)

    def _error(
        self,
        code: int,
        message: str,
        kind: str = "api_error",
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        document = self.error_document(code, message, kind)
        return web.json_response(document, status=code, headers=headers)

    async def _break_transport(
        self, request: web.Request, fault: Fault, document: Body
    ) -> web.StreamResponse:
        """Answer in a way that is wrong below the level of a response object."""
        raw = json.dumps(document).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if fault.kind == "drop_connection":
            return _reset_connection(request, response)
        response.content_length = len(raw) + (fault.n_bytes if fault.kind == "huge" else 0)
        try:
            await response.prepare(request)
            if fault.kind == "huge":
                block = b" " * (1024 * 1024)
                for start in range(0, fault.n_bytes, len(block)):
                    await response.write(block[: fault.n_bytes - start])
                await response.write(raw)
            elif fault.kind == "drop_mid_body":
                await response.write(raw[: len(raw) // 2])
                return _reset_connection(request, response)
            else:
                await self._drip(response, raw, fault.seconds)
        except ConnectionError:
            pass  # the client has seen enough
        return response

    async def _drip(self, response: web.StreamResponse, raw: bytes, seconds: float) -> None:
        for start in range(len(raw)):
            await response.write(raw[start : start + 1])
            if not await self._wait(seconds / len(raw)):
                raise ConnectionError("the server is stopping")

    async def _wait(self, seconds: float) -> bool:
        """Wait; False when the server was stopped meanwhile."""
        assert self._stopping is not None
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return True
        return False


def _reset_connection(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response
