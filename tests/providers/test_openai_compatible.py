"""The provider against a real server over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    ConfigError,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.protocols import Model
from promptyard.providers.openai_compatible import OpenAICompatible
from promptyard.records.messages import (
    Completion,
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Usage,
)
from promptyard.testing import ModelContract
from support.chat_server import ChatServer, Fault
from support.service_images import PIXEL_URL

KEY = "sk-not-a-real-key-0123456789"
PRICES = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
ASK = Request(messages=(Message.of("user", "Is the sky blue?"),))


def _model(
    base_url: str,
    *,
    prices: Mapping[str, float] | None = PRICES,
    headers: Mapping[str, str] | None = None,
    max_connections: int = 256,
) -> OpenAICompatible:
    return OpenAICompatible(
        "test/m1",
        "m1",
        base_url,
        KEY,
        prices=prices,
        headers=headers,
        max_connections=max_connections,
    )


async def _send(model: OpenAICompatible, timeout_s: float = 10.0) -> Completion:
    try:
        return await model.send(model.body(ASK), timeout_s=timeout_s)
    finally:
        await model.close()


def _ask(server: ChatServer, timeout_s: float = 10.0) -> Completion:
    return asyncio.run(_send(_model(server.base_url), timeout_s))


def _failure(fault: Fault, timeout_s: float = 10.0) -> ModelError:
    """Send one request to a server that fails in this way; return the error."""
    with ChatServer(faults=lambda _index, _body: fault) as server:
        with pytest.raises(ModelError) as caught:
            _ask(server, timeout_s)
        assert server.n_requests == 1, "one send is one attempt"
    error = caught.value
    assert str(error).startswith("test/m1 at http://127.0.0.1:")
    assert "\n" not in str(error)
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert KEY not in shown
    return error


class TestOpenAICompatibleKeepsTheContract(ModelContract):
    def setup_method(self) -> None:
        self.server = ChatServer(lambda _: "yes").__enter__()
        failing = {"limited": Fault.status(429), "wrong": Fault.status(400)}
        self.failing = ChatServer(faults=lambda _, body: failing.get(body["model"])).__enter__()

    def teardown_method(self) -> None:
        self.server.stop()
        self.failing.stop()

    def model(self) -> Model:
        return _model(self.server.base_url)

    def failing_models(self) -> list[tuple[Model, type[ModelError]]]:
        url = self.failing.base_url
        return [
            (OpenAICompatible("test/limited", "limited", url, None), RateLimited),
            (OpenAICompatible("test/wrong", "wrong", url, None), InvalidRequest),
            (_model(f"http://127.0.0.1:{_free_port()}/v1"), Unreachable),
        ]


def test_the_answer_is_a_completion_with_its_figures() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 400},
    }
    choice = {"message": {"content": "yes"}, "finish_reason": "stop"}
    answer = {"choices": [choice], "usage": usage, "model": "m1-2026"}
    with ChatServer(lambda _: answer, latency_s=0.05) as server:
        completion = _ask(server)
    assert completion.text == "yes"
    assert completion.finish_reason == "stop"
    assert completion.usage == Usage(input_tokens=1000, output_tokens=10, cached_input_tokens=400)
    assert completion.cost_usd == pytest.approx(0.00102)
    assert completion.model == "m1-2026"
    assert completion.request_id == "req-0"
    assert 0.05 <= completion.latency_s < 5
    assert not completion.cached


def test_the_request_arrives_exactly_as_the_body_says() -> None:
    text = "nai\u0308ve 日本 🧪 \ud83e \x00 {{x}}"
    request = Request(
        messages=(Message.of("system", "brief JSON"), Message.of("user", text)),
        params={"temperature": 0, "max_tokens": 7},
        output=OutputContract(format="json"),
    )
    with ChatServer() as server:
        model = _model(server.base_url, headers={"X-Team": "evals"})
        body = model.body(request)

        async def send() -> None:
            await model.send(body, timeout_s=10)
            await model.close()

        asyncio.run(send())
    (received,) = server.requests
    assert received.body == body
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"] == "promptyard"
    assert received.headers["x-team"] == "evals"


@pytest.mark.parametrize("suffix", ["", "/", "/chat/completions", "/chat/completions/", "  "])
def test_the_address_may_be_written_in_several_ways(suffix: str) -> None:
    with ChatServer() as server:
        model = _model(server.base_url + suffix)
        assert model.base_url == server.base_url
        assert asyncio.run(_send(model)).text == "ok"
    assert server.requests[0].path == "/v1/chat/completions"


def test_a_query_in_the_address_is_kept_and_a_header_may_carry_the_key() -> None:
    with ChatServer() as server:
        model = OpenAICompatible(
            "azure/m1",
            "m1",
            server.base_url + "/?api-version=2024-10-21",
            KEY,
            headers={"api-key": KEY, "authorization": ""},
        )
        asyncio.run(_send(model))
    (received,) = server.requests
    assert received.path == "/v1/chat/completions?api-version=2024-10-21"
    assert received.headers["api-key"] == KEY
    assert KEY not in received.headers["authorization"]


def test_without_a_key_no_authorization_is_sent() -> None:
    with ChatServer() as server:
        asyncio.run(_send(OpenAICompatible("test/m1", "m1", server.base_url, None)))
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "127.0.0.1:80",
        "ftp://h/v1",
        "http://",
        "http://h:x/v1",
        "http://h:99999/v1",
        "/v1",
        "http://[::1/v1",
        "http://a..b/v1",
        "http://h st/v1",
        "http://h\u200bst/v1",
        "http://" + "a" * 70 + ".com/v1",
    ],
)
def test_an_address_that_is_none_is_an_error_at_once(base_url: str) -> None:
    with pytest.raises(ConfigError, match="base_url of test/m1 is no http"):
        _model(base_url)


@pytest.mark.parametrize("address", ["http://user:hunter2@h/v1", "ftp://user:hunter2@h"])
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _model(address)
    assert "hunter2" not in str(caught.value)


def test_a_key_may_end_in_a_newline_but_not_contain_one() -> None:
    with ChatServer() as server:
        asyncio.run(_send(OpenAICompatible("test/m1", "m1", server.base_url, KEY + "\n")))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    with pytest.raises(ConfigError) as caught:
        OpenAICompatible("test/m1", "m1", "http://h/v1", KEY + "\nX: y")
    assert KEY not in str(caught.value)


def test_the_model_is_shown_without_its_key() -> None:
    model = _model("http://h/v1/")
    assert repr(model) == "OpenAICompatible('test/m1', 'm1', 'http://h/v1')"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (429, RateLimited),
        (500, ServerError),
        (503, ServerError),
        (401, AuthFailed),
        (403, AuthFailed),
        (400, InvalidRequest),
        (404, InvalidRequest),
        (422, InvalidRequest),
        (408, ModelTimeout),
    ],
)
def test_each_status_raises_its_error(code: int, kind: type[ModelError]) -> None:
    error = _failure(Fault.status(code, retry_after=0.25, headers={"x-request-id": "r-9"}))
    assert type(error) is kind
    assert (error.status, error.request_id) == (code, "r-9")
    assert error.retry_after_s == (0.25 if kind in (RateLimited, ServerError) else None)
    assert f"answered {code}: the test asked for status {code}" in str(error)


def test_a_wait_may_come_from_the_rate_limit_headers() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m0.5s"}
    assert _failure(Fault.status(429, headers=headers)).retry_after_s == 60.5


def test_an_unknown_model_is_named_with_its_address() -> None:
    body = {"error": {"message": "no such model", "code": "model_not_found"}}
    message = str(_failure(Fault.status(404, body=body)))
    assert message.endswith(
        "/v1/chat/completions answered 404: no such model; check the model name 'm1' and base_url"
    )


def test_a_key_that_the_server_repeats_is_blotted_out() -> None:
    body = {"error": {"message": f"Incorrect API key provided: {KEY}. " + "Sorry! " * 100}}
    message = str(_failure(Fault.status(401, body=body)))
    assert "Incorrect API key provided: [redacted]." in message
    assert len(message) < 300 + 150
    said = {"error": {"message": f"bad key {KEY}"}}
    assert "bad key [redacted]" in str(_failure(Fault("not_json", body=json.dumps(said))))


def test_a_placeholder_for_a_key_does_not_spoil_the_message() -> None:
    with ChatServer(faults=lambda _i, _b: Fault.status(400, body="no, none of it")) as server:
        model = OpenAICompatible("test/m1", "m1", server.base_url, "none")
        with pytest.raises(InvalidRequest, match="no, none of it"):
            asyncio.run(_send(model))


VERDICT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "verdict": {"type": "string", "enum": ["pass", "fail"]},
    },
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}


def _ask_for(
    server: ChatServer, schema: Mapping[str, Any], **params: Any
) -> tuple[Completion, Mapping[str, Any]]:
    output = OutputContract(format="json", schema=schema)
    request = Request(
        messages=(Message.of("user", "Judge, in JSON."),), params=params, output=output
    )
    model = _model(server.base_url)

    async def send() -> Completion:
        try:
            return await model.send(model.body(request), timeout_s=10)
        finally:
            await model.close()

    return asyncio.run(send()), server.requests[-1].body["response_format"]


def test_a_schema_is_forced_strictly_and_the_text_is_its_json() -> None:
    with ChatServer(lambda _: '{"reason": "é", "verdict": "pass"}') as server:
        completion, sent = _ask_for(server, VERDICT)
    assert json.loads(completion.text) == {"reason": "é", "verdict": "pass"}
    assert sent["json_schema"] == {"name": "answer", "schema": VERDICT, "strict": True}


@pytest.mark.parametrize(
    "change",
    [
        {"additionalProperties": True},
        {"required": ["reason"]},
        {"properties": VERDICT["properties"] | {"reason": {"type": "string", "minLength": 1}}},
        {"properties": VERDICT["properties"] | {"reason": {"oneOf": [{"type": "string"}]}}},
        {"default": {}},
    ],
)
def test_a_schema_that_is_not_strict_is_sent_as_a_hint(change: dict[str, Any]) -> None:
    with ChatServer(lambda _: "{}") as server:
        _, sent = _ask_for(server, VERDICT | change)
    assert sent["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    "said",
    [
        "response_format.type must be 'text' or 'json_object'",
        "Unsupported parameter: json_schema",
        "failed to parse grammar",
    ],
)
def test_a_server_that_refuses_the_schema_says_what_to_set(said: str) -> None:
    def faults(_: int, body: Mapping[str, Any]) -> Fault | None:
        refused = body["response_format"]["type"] == "json_schema"
        return Fault.status(400, body={"error": {"message": said}}) if refused else None

    with ChatServer(lambda _: "{}", faults) as server:
        with pytest.raises(InvalidRequest) as caught:
            _ask_for(server, VERDICT)
        assert f"answered 400: {said}; if this server takes no such schema" in str(caught.value)
        assert "`params: {response_format: {type: json_object}}`" in str(caught.value)
        assert server.n_requests == 1, "nothing is tried in another way behind the user's back"
        completion, _ = _ask_for(server, VERDICT, response_format={"type": "json_object"})
    assert completion.text == "{}"


def test_another_refusal_gets_no_advice_about_the_schema() -> None:
    fault = Fault.status(400, body={"error": {"message": "the prompt is too long"}})
    with (
        ChatServer(faults=lambda _i, _b: fault) as server,
        pytest.raises(InvalidRequest, match=r"the prompt is too long$"),
    ):
        _ask_for(server, VERDICT)


def test_images_arrive_in_the_wire_format() -> None:
    parts = (TextPart(text="What is it?"), ImagePart(url=PIXEL_URL), ImagePart(url="https://h/a"))
    request = Request(messages=(Message(role="user", parts=parts),))
    with ChatServer() as server:
        model = _model(server.base_url)
        asyncio.run(model.send(model.body(request), timeout_s=10))
    content = server.requests[0].body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url"]


def test_redirects_are_not_followed() -> None:
    with ChatServer() as other:
        headers = {"Location": other.base_url + "/chat/completions"}
        error = _failure(Fault.status(307, headers=headers, body=""))
        assert other.n_requests == 0
    assert isinstance(error, InvalidRequest)
    assert "redirects are not followed" in str(error)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("truncated_json"), "not valid JSON"),
        (Fault("not_json"), "not valid JSON"),
        (Fault("html_200"), "not valid JSON"),
        (Fault("not_json", body="[1]"), "no object"),
        (Fault("not_json", body='{"error": {"message": "overloaded"}}'), "overloaded"),
        (Fault("no_choices"), "no choices"),
        (Fault("empty_choices"), "empty or malformed `choices`"),
        (Fault("null_content"), "neither content nor tool calls"),
    ],
)
def test_a_200_that_is_no_completion_is_a_bad_response(fault: Fault, said: str) -> None:
    error = _failure(fault)
    assert isinstance(error, BadResponse)
    assert error.status == 200
    assert said in str(error)


def test_an_answer_larger_than_the_limit_is_refused() -> None:
    error = _failure(Fault("huge"))
    assert isinstance(error, BadResponse)
    assert "larger than 64 MiB" in str(error)


def test_a_large_answer_within_the_limit_is_read() -> None:
    with ChatServer(faults=lambda _i, _b: Fault("huge", n_bytes=3_000_000)) as server:
        assert _ask(server).text == "ok"


def test_an_error_document_without_end_is_cut() -> None:
    answer = b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n" + b"x" * 1_000_000
    with _raw_server(answer) as url, pytest.raises(ServerError, match="answered 500: xxx"):
        asyncio.run(_send(_model(url)))


@pytest.mark.parametrize("kind", ["drop_connection", "drop_mid_body"])
def test_a_lost_connection_is_a_server_error(kind: Any) -> None:
    error = _failure(Fault(kind))
    assert type(error) is ServerError
    assert "dropped the connection" in str(error)


def test_a_server_that_does_not_speak_http_is_a_bad_response() -> None:
    answer = b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
    with _raw_server(answer) as url, pytest.raises(BadResponse, match="did not answer in HTTP"):
        asyncio.run(_send(_model(url)))


def test_a_cut_answer_is_a_completion_that_says_so() -> None:
    with ChatServer(lambda _: "0123456789", lambda _i, _b: Fault("length")) as server:
        completion = _ask(server)
    assert (completion.text, completion.finish_reason) == ("01234", "length")


def test_a_filtered_answer_is_a_completion_that_says_so() -> None:
    with ChatServer(faults=lambda _i, _b: Fault("content_filter")) as server:
        completion = _ask(server)
    assert (completion.text, completion.finish_reason) == ("", "content_filter")


def test_nobody_listening_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="check base_url") as caught:
        asyncio.run(_send(_model(f"http://127.0.0.1:{_free_port()}/v1")))
    assert caught.value.retryable


def test_an_unknown_host_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # The resolver of the machine would decide how long this takes.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match=r"no-such-host\.invalid"):
        asyncio.run(_send(_model("http://no-such-host.invalid/v1")))


def test_a_failed_tls_handshake_is_unreachable() -> None:
    with ChatServer() as server, pytest.raises(Unreachable):
        asyncio.run(_send(_model(server.base_url.replace("http:", "https:"))))


@pytest.mark.parametrize("fault", [Fault.hang(30), Fault.slow_drip(30)])
def test_the_deadline_bounds_the_whole_attempt(fault: Fault) -> None:
    started = time.perf_counter()
    error = _failure(fault, timeout_s=0.2)
    took_s = time.perf_counter() - started
    assert isinstance(error, ModelTimeout)
    assert "within 0.2 s" in str(error)
    assert 0.2 <= took_s < 1.5


def test_waiting_for_a_connection_counts_against_the_deadline() -> None:
    with ChatServer(latency_s=0.3) as server:
        model = _model(server.base_url, max_connections=1)

        async def send_two() -> list[Completion | BaseException]:
            sends = [model.send(model.body(ASK), timeout_s=0.5) for _ in range(2)]
            try:
                return await asyncio.gather(*sends, return_exceptions=True)
            finally:
                await model.close()

        first, second = asyncio.run(send_two())
    assert isinstance(first, Completion)
    assert isinstance(second, ModelTimeout)
    assert server.max_in_flight == 1


def test_a_server_without_usage_gives_zero_tokens_but_no_cost() -> None:
    with ChatServer(lambda _: {"usage": None, "choices": [_choice("yes")]}) as server:
        completion = _ask(server)
    assert completion.usage == Usage()
    assert completion.cost_usd is None


def test_the_id_of_the_answer_stands_in_for_a_missing_request_id() -> None:
    with ChatServer(faults=lambda _i, _b: Fault("length")) as server:
        assert _ask(server).request_id == "chatcmpl-0"


def test_prices_come_from_the_table_when_none_are_given() -> None:
    known = OpenAICompatible("openai/gpt-5-mini", "gpt-5-mini", "https://api.openai.com/v1", KEY)
    cost = known.cost_usd(Usage(input_tokens=1_000_000))
    assert cost is not None
    assert cost > 0
    assert _model("http://h/v1", prices=None).cost_usd(Usage(input_tokens=1)) is None


def test_256_calls_run_at_once_over_256_connections() -> None:
    with ChatServer(lambda body: body["messages"][0]["content"], latency_s=0.3) as server:
        model = _model(server.base_url, max_connections=256)

        async def send_all() -> list[Completion]:
            bodies = [
                model.body(Request(messages=(Message.of("user", f"case {index}"),)))
                for index in range(256)
            ]
            try:
                return await asyncio.gather(*(model.send(b, timeout_s=20) for b in bodies))
            finally:
                await model.close()

        completions = asyncio.run(send_all())
    assert [completion.text for completion in completions] == [f"case {i}" for i in range(256)]
    assert server.max_in_flight > 200


def test_connections_are_used_again() -> None:
    with ChatServer() as server:
        model = _model(server.base_url)

        async def send_ten() -> int:
            for _ in range(10):
                await model.send(model.body(ASK), timeout_s=10)
            n_connections = server.n_connections
            await model.close()
            return n_connections

        assert asyncio.run(send_ten()) == 1


def test_a_cancelled_call_leaves_nothing_behind() -> None:
    with ChatServer(faults=lambda _i, _b: Fault.hang(30)) as server:
        model = _model(server.base_url)

        async def cancel() -> None:
            sends = [
                asyncio.create_task(model.send(model.body(ASK), timeout_s=30)) for _ in range(5)
            ]
            await _until(lambda: server.n_in_flight == 5)
            for send in sends:
                send.cancel()
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
            # The server sees the connections go: the calls are given up, not left to finish.
            await _until(lambda: server.n_in_flight == 0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await model.close()

        asyncio.run(cancel())
    gc.collect()


def test_an_outer_timeout_is_not_taken_for_the_deadline() -> None:
    with ChatServer(faults=lambda _i, _b: Fault.hang(30)) as server:
        model = _model(server.base_url)

        async def give_up() -> None:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(0.05):
                    await model.send(model.body(ASK), timeout_s=30)
            assert not isinstance(caught.value, ModelError)
            await model.close()

        asyncio.run(give_up())


def test_connections_end_with_their_event_loop_though_nobody_closed_the_model() -> None:
    # Warnings are errors here: an unclosed session, connection or socket would fail this test.
    with ChatServer() as server:
        model = _model(server.base_url)
        for _ in range(3):
            completion = asyncio.run(model.send(model.body(ASK), timeout_s=10))
            assert completion.text == "ok"
            asyncio.run(_until(lambda: server.n_connections == 0))
        del model
        gc.collect()


def test_a_model_forgotten_in_a_running_loop_is_cleaned_up() -> None:
    with ChatServer() as server:

        async def forget() -> None:
            model = _model(server.base_url)
            await model.send(model.body(ASK), timeout_s=10)
            assert server.n_connections == 1
            del model
            gc.collect()
            await _until(lambda: server.n_connections == 0)

        asyncio.run(forget())


def test_two_event_loops_may_share_a_model() -> None:
    with ChatServer(latency_s=0.05) as server:
        model = _model(server.base_url)
        texts: list[str] = []

        async def send_some() -> None:
            for _ in range(5):
                texts.append((await model.send(model.body(ASK), timeout_s=10)).text)

        threads = [threading.Thread(target=lambda: asyncio.run(send_some())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(model.close())
    assert texts == ["ok"] * 15


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = f"http://127.0.0.1:{_free_port()}"
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, dead)
    monkeypatch.setenv("no_proxy", "")
    with ChatServer() as server:
        assert _ask(server).text == "ok"


def test_cookies_of_the_server_are_not_kept() -> None:
    fault = Fault.status(500, headers={"Set-Cookie": "sticky=1; Path=/"})
    with ChatServer(faults=lambda index, _: fault if index == 0 else None) as server:
        model = _model(server.base_url)

        async def send_twice() -> None:
            with contextlib.suppress(ServerError):
                await model.send(model.body(ASK), timeout_s=10)
            await model.send(model.body(ASK), timeout_s=10)
            await model.close()

        asyncio.run(send_twice())
    assert "cookie" not in server.requests[1].headers


def test_a_body_that_is_no_json_is_refused_before_anything_is_sent() -> None:
    with ChatServer() as server:
        model = _model(server.base_url)
        body = dict(model.body(ASK)) | {"temperature": float("nan")}
        with pytest.raises(InvalidRequest, match="cannot be JSON"):
            asyncio.run(model.send(body, timeout_s=10))
    assert server.n_requests == 0


def _choice(text: str) -> dict[str, Any]:
    return {"message": {"content": text}, "finish_reason": "stop"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def _raw_server(answer: bytes) -> Generator[str]:
    """Answer one connection with these very bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread.join(5)
