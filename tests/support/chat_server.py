"""A real chat-completions server on 127.0.0.1, in a thread of the test process.

It answers what the test says and fails how and when the test says::

    def answer(body):                       # body: the posted JSON; returns text or fields
        return "yes" if "refund" in body["messages"][-1]["content"] else "no"

    def faults(index, body):                # index: 0 for the first request since reset()
        return Fault.status(429, retry_after=0.01) if index % 5 == 0 else None

    with ChatServer(answer, faults, latency_s=0.005) as server:
        model = OpenAICompatible("test/m1", "m1", server.base_url, "key")
        ...
    assert server.n_requests == 10

The client may live in this process or, by `server.base_url`, in another one that is killed.
`answer` and `faults` run in the server's thread, one call at a time, so they may keep state. An
exception in them becomes a 500 and is raised again when the server is left.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias

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
    "no_choices",  # a completion without `choices`
    "empty_choices",  # a completion with `choices: []`
    "null_content",  # a message whose content is null
    "length",  # the normal answer cut in half, finish_reason length
    "content_filter",  # no text, finish_reason content_filter
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
        """Answer with an HTTP status; without `body`, with an error document as OpenAI's."""
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


class ChatServer:
    """A server on a free port; a context manager that is up inside its block.

    Attributes:
        base_url: address to give to a client, `http://127.0.0.1:<port>/v1`.
        requests: every request since `reset()`, in order of arrival.
        max_in_flight: most requests that were being answered at one time since `reset()`.
    """

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
        self._problems: list[Exception] = []
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._runner: web.AppRunner | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="chat-server", daemon=True)

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

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the chat server did not start within 10 s")
        if not self.base_url:
            raise RuntimeError(f"the chat server could not start: {self._problems}")
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
            raise RuntimeError("the chat server did not stop within 10 s")

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
            return _error(400, "the body is not JSON")
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
        if not request.path.endswith("/chat/completions"):
            return _error(404, f"no such path: {request.path}")
        try:
            fault = self._faults(index, body)
            completion = _completion(index, body, self._answer(body))
        except Exception as problem:  # noqa: BLE001  # handed to the test's own thread
            self._problems.append(problem)
            return _error(500, f"the test's own function failed: {problem!r}")
        wait_s = self.latency_s + (fault.seconds if fault and fault.kind == "hang" else 0.0)
        if wait_s and not await self._wait(wait_s):
            return _error(503, "the server is stopping")
        if fault is None or fault.kind == "hang":
            return _json_response(completion, request_id=f"req-{index}")
        if fault.kind in ("slow_drip", "drop_connection", "drop_mid_body", "huge"):
            return await self._break_transport(request, fault, completion)
        return _broken(fault, completion)

    async def _break_transport(
        self, request: web.Request, fault: Fault, completion: Body
    ) -> web.StreamResponse:
        """Answer in a way that is wrong below the level of a response object."""
        raw = json.dumps(completion).encode()
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


def _completion(index: int, body: Body, answer: str | dict[str, Any]) -> Body:
    """Build the document of a normal answer; tokens are counted as words.

    A dict is merged over the document, key by key at the top level.
    """
    fields = {} if isinstance(answer, str) else answer
    text = answer if isinstance(answer, str) else ""
    n_input = len(json.dumps(body.get("messages", [])).split())
    n_output = len(text.split())
    return {
        "id": f"chatcmpl-{index}",
        "object": "chat.completion",
        "created": 1700000000,
        "model": body.get("model", ""),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": n_input,
            "completion_tokens": n_output,
            "total_tokens": n_input + n_output,
        },
    } | fields


def _broken(fault: Fault, completion: Body) -> web.Response:
    """Build the response of a fault that is wrong in its status or in its document."""
    choice: Body = dict(completion["choices"][0]) if completion.get("choices") else {}
    message: Body = dict(choice.get("message", {}))
    match fault.kind:
        case "status":
            return _status_response(fault)
        case "truncated_json":
            raw = json.dumps(completion)
            return web.Response(text=raw[: len(raw) // 2], content_type="application/json")
        case "not_json":
            return web.Response(text=str(fault.body or "Internal error, please retry"))
        case "html_200":
            page = str(fault.body or "<html><body><h1>502 Bad Gateway</h1></body></html>")
            return web.Response(text=page, content_type="text/html")
        case "no_choices":
            return _json_response({key: completion[key] for key in completion if key != "choices"})
        case "empty_choices":
            return _json_response(completion | {"choices": []})
        case "null_content":
            choice["message"] = message | {"content": None}
        case "length":
            text = str(message.get("content") or "")
            choice["message"] = message | {"content": text[: len(text) // 2]}
            choice["finish_reason"] = "length"
        case _:
            choice["message"] = message | {"content": ""}
            choice["finish_reason"] = "content_filter"
    return _json_response(completion | {"choices": [choice]})


def _status_response(fault: Fault) -> web.Response:
    if isinstance(fault.body, str):
        return web.Response(status=fault.code, text=fault.body, headers=fault.headers)
    if fault.body is not None:
        text = json.dumps(fault.body)
        return web.Response(
            status=fault.code, text=text, content_type="application/json", headers=fault.headers
        )
    return _error(fault.code, f"the test asked for status {fault.code}", fault.headers)


def _error(code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    document = {"error": {"message": message, "type": "test_error", "code": None}}
    return web.json_response(document, status=code, headers=headers)


def _json_response(document: Body, request_id: str | None = None) -> web.Response:
    headers = {"x-request-id": request_id} if request_id else None
    return web.json_response(document, headers=headers)


def _reset_connection(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return response
