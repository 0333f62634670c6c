"""The messages provider against a strict server over real sockets."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import pytest

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.protocols import Model
from promptyard.providers.anthropic import API_VERSION, SAMPLING_API_VERSION, Anthropic
from promptyard.records.base import Json
from promptyard.records.messages import (
    Completion,
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from promptyard.testing import ModelContract
from support.messages_server import KEY, MessagesServer
from support.model_server import Fault
from support.service_images import PIXEL_URL

PRICES = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
ASK = Request(messages=(Message.of("user", "Is the sky blue?"),))
OPEN: dict[str, Json] = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}
VERDICT: dict[str, Json] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"enum": ["pass", "fail"]}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}


def _model(base_url: str, model: str = "m1", *, headers: dict[str, str] | None = None) -> Anthropic:
    return Anthropic(f"anthropic/{model}", model, base_url, KEY, prices=PRICES, headers=headers)


async def _send(model: Anthropic, request: Request = ASK, timeout_s: float = 10.0) -> Completion:
    try:
        return await model.send(model.body(request), timeout_s=timeout_s)
    finally:
        await model.close()


def _ask(server: MessagesServer, request: Request = ASK) -> Completion:
    return asyncio.run(_send(_model(server.base_url), request))


def _failure(fault: Fault, timeout_s: float = 10.0) -> ModelError:
    """Send one request to a server that fails in this way; return the error."""
    with MessagesServer(faults=lambda _index, _body: fault) as server:
        with pytest.raises(ModelError) as caught:
            asyncio.run(_send(_model(server.base_url), timeout_s=timeout_s))
        assert server.n_requests == 1, "one send is one attempt"
    error = caught.value
    assert str(error).startswith("anthropic/m1 at http://127.0.0.1:")
    assert "\n" not in str(error)
    assert KEY not in "".join(traceback.format_exception(error)) + repr(vars(error))
    return error


class TestAnthropicKeepsTheContract(ModelContract):
    def setup_method(self) -> None:
        failing = {
            "limited": Fault.status(429, retry_after=1),
            "overloaded": Fault.status(529),
            "broken": Fault.status(500),
            "dropped": Fault("drop_connection"),
            "cut": Fault("truncated_json"),
            "empty": Fault("empty_content"),
            "poor": Fault.status(402),
            "large": Fault.status(413),
        }
        self.server = MessagesServer(lambda _: "yes").__enter__()
        self.failing = MessagesServer(faults=lambda _, b: failing.get(b["model"])).__enter__()

    def teardown_method(self) -> None:
        self.server.stop()
        self.failing.stop()

    def model(self) -> Model:
        return _model(self.server.base_url)

    def refuses_empty_texts(self) -> bool:
        return True

    def failing_models(self) -> list[tuple[Model, type[ModelError]]]:
        kinds: dict[str, type[ModelError]] = {
            "limited": RateLimited,
            "overloaded": ServerError,
            "broken": ServerError,
            "dropped": ServerError,
            "cut": BadResponse,
            "empty": BadResponse,
            "poor": AuthFailed,
            "large": InvalidRequest,
        }
        url = self.failing.base_url
        return [
            *((_model(url, name), kind) for name, kind in kinds.items()),
            (Anthropic("anthropic/m1", "m1", url, "sk-ant-wrong-key"), AuthFailed),
            (Anthropic("anthropic/m1", "m1", url, None), AuthFailed),
            (_model("http://127.0.0.1:1/v1"), Unreachable),
        ]


def test_the_answer_is_a_completion_with_its_figures() -> None:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 400,
        "cache_creation_input_tokens": 500,
        "output_tokens": 10,
    }
    with MessagesServer(lambda _: {"usage": usage, "content": [_text("yes")]}) as server:
        completion = _ask(server)
    assert completion.text == "yes"
    assert completion.finish_reason == "stop"
    assert completion.usage == Usage(
        input_tokens=1000, output_tokens=10, cached_input_tokens=400, cache_write_tokens=500
    )
    assert completion.cost_usd == pytest.approx(0.00102)
    assert completion.model == "m1"
    assert completion.request_id == "req-0"
    assert completion.latency_s > 0


def test_the_request_arrives_with_key_and_version_exactly_as_the_body_says() -> None:
    text = "nai\u0308ve 日本 🧪 \ud83e \x00 {{x}}"
    request = Request(messages=(Message.of("system", "brief"), Message.of("user", text)))
    with MessagesServer() as server:
        model = _model(server.base_url, headers={"anthropic-beta": "x-2026"})
        asyncio.run(_send(model, request))
        assert server.requests[0].body == model.body(request)
    (received,) = server.requests
    assert received.path == "/v1/messages"
    assert received.headers["x-api-key"] == KEY
    assert received.headers["anthropic-version"] == API_VERSION
    assert received.headers["anthropic-beta"] == "x-2026"
    assert "authorization" not in received.headers


def test_sampling_parameters_go_to_the_version_that_knows_them() -> None:
    with MessagesServer() as server:
        _ask(server, Request(messages=ASK.messages, params={"temperature": 0}))
        assert server.requests[0].headers["anthropic-version"] == SAMPLING_API_VERSION
        assert server.requests[0].body["temperature"] == 0


def test_a_version_of_ones_own_stands() -> None:
    with MessagesServer() as server:
        asyncio.run(_send(_model(server.base_url, headers={"Anthropic-Version": "2023-06-01"})))
    assert server.requests[0].headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("suffix", ["/v1", "/v1/", "/v1/messages", "", "/"])
def test_the_address_may_be_written_in_several_ways(suffix: str) -> None:
    with MessagesServer() as server:
        model = _model(server.base_url.removesuffix("/v1") + suffix)
        assert model.base_url == server.base_url
        assert asyncio.run(_send(model)).text == "ok"


@pytest.mark.parametrize("param", ["seed", "frequency_penalty", "logprobs", "response_format"])
def test_a_parameter_of_the_other_protocol_is_refused_by_the_server(param: str) -> None:
    request = Request(messages=ASK.messages, params={param: 1})
    with (
        MessagesServer() as server,
        pytest.raises(
            InvalidRequest, match=f"answered 400: {param}: Extra inputs are not permitted"
        ),
    ):
        _ask(server, request)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthFailed),
        (402, AuthFailed),
        (403, AuthFailed),
        (404, InvalidRequest),
        (413, InvalidRequest),
        (429, RateLimited),
        (500, ServerError),
        (504, ServerError),
        (529, ServerError),
    ],
)
def test_each_status_raises_its_error(code: int, kind: type[ModelError]) -> None:
    error = _failure(Fault.status(code, retry_after=3, headers={"request-id": "req_9"}))
    assert type(error) is kind
    assert (error.status, error.request_id) == (code, "req_9")
    assert error.retry_after_s == (3.0 if kind in (RateLimited, ServerError) else None)
    assert f"answered {code}: the test asked for status {code}" in str(error)


def test_a_wait_may_come_from_the_time_at_which_a_limit_is_reset() -> None:
    reset = datetime.fromtimestamp(time.time() + 30, UTC).isoformat(timespec="seconds")
    headers = {
        "anthropic-ratelimit-requests-remaining": "900",
        "anthropic-ratelimit-requests-reset": "2099-01-01T00:00:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": reset.replace("+00:00", "Z"),
    }
    wait_s = _failure(Fault.status(429, headers=headers)).retry_after_s
    assert wait_s == pytest.approx(30, abs=3)
    assert _failure(Fault.status(529, headers=headers)).retry_after_s is None


def test_a_spent_limit_is_not_worth_a_retry() -> None:
    details = {"error_code": "enforced_spend_limit_reached"}
    body = {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "m"} | {"details": details},
    }
    error = _failure(Fault.status(429, body=body))
    assert type(error) is AuthFailed
    assert "has reached its spend limit" in str(error)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("truncated_json"), "not valid JSON"),
        (Fault("html_200"), "not valid JSON"),
        (Fault("null_content"), "no list of content"),
        (Fault("empty_content"), "neither text nor tool calls"),
    ],
)
def test_a_200_that_is_no_message_is_a_bad_response(fault: Fault, said: str) -> None:
    error = _failure(fault)
    assert isinstance(error, BadResponse)
    assert said in str(error)


@pytest.mark.parametrize("kind", ["drop_connection", "drop_mid_body"])
def test_a_lost_connection_is_a_server_error(kind: Any) -> None:
    assert type(_failure(Fault(kind))) is ServerError


@pytest.mark.parametrize("fault", [Fault.hang(30), Fault.slow_drip(30)])
def test_the_deadline_bounds_the_whole_attempt(fault: Fault) -> None:
    assert isinstance(_failure(fault, timeout_s=0.2), ModelTimeout)


def test_a_cut_answer_is_a_completion_that_says_so() -> None:
    with MessagesServer(lambda _: "0123456789", lambda _i, _b: Fault("length")) as server:
        completion = _ask(server)
    assert (completion.text, completion.finish_reason) == ("01234", "length")


def test_a_refused_answer_is_a_completion_that_says_so() -> None:
    with MessagesServer(faults=lambda _i, _b: Fault("refusal")) as server:
        completion = _ask(server)
    assert (completion.text, completion.finish_reason) == ("I cannot help here.", "content_filter")


def test_a_server_without_usage_gives_zero_tokens_but_no_cost() -> None:
    with MessagesServer(faults=lambda _i, _b: Fault("no_usage")) as server:
        completion = _ask(server)
    assert completion.usage == Usage()
    assert completion.cost_usd is None
    assert completion.request_id == "msg_0"


def test_prices_come_from_the_table_and_know_the_cache() -> None:
    url = "https://api.anthropic.com/v1"
    model = Anthropic("anthropic/claude-sonnet-5-5", "claude-sonnet-5-5", url, KEY)
    costs = [
        model.cost_usd(usage)
        for usage in (
            Usage(input_tokens=1_000_000, cached_input_tokens=1_000_000),
            Usage(input_tokens=1_000_000),
            Usage(input_tokens=1_000_000, cache_write_tokens=1_000_000),
        )
    ]
    assert None not in costs
    assert costs == sorted(costs, key=lambda cost: cost or 0)
    assert len(set(costs)) == 3


def test_a_schema_is_forced_and_the_text_is_its_json() -> None:
    said = '{"reason": "é", "verdict": "pass"}'
    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=VERDICT))
    with MessagesServer(lambda _: said) as server:
        completion = _ask(server, request)
        assert server.requests[0].body["output_config"]["format"]["type"] == "json_schema"
    assert json.loads(completion.text) == json.loads(said)
    assert (completion.finish_reason, completion.tool_calls) == ("stop", ())


def test_a_schema_that_needs_a_tool_gives_the_same_kind_of_answer() -> None:
    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=OPEN))
    with MessagesServer(lambda _: '{"n": 3}') as server:
        completion = _ask(server, request)
        assert server.requests[0].body["tool_choice"]["type"] == "tool"
    assert json.loads(completion.text) == {"n": 3}
    assert (completion.finish_reason, completion.tool_calls) == ("stop", ())


def test_a_model_that_refuses_forced_tools_says_what_to_change() -> None:
    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=OPEN))
    with (
        MessagesServer(forces_tools=False) as server,
        pytest.raises(InvalidRequest) as caught,
    ):
        _ask(server, request)
    assert caught.value.status == 400
    assert "because output.schema has an object without `additionalProperties: false`" in str(
        caught.value
    )
    assert "params: {tool_choice: {type: auto}}" in str(caught.value)


def test_a_model_that_refuses_the_format_says_what_to_set() -> None:
    refusal = {"error": {"message": "output_config: Extra inputs are not permitted"}}
    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=VERDICT))
    with (
        MessagesServer(faults=lambda _i, _b: Fault.status(400, body=refusal)) as server,
        pytest.raises(InvalidRequest, match=r"set `params: \{output_config: \{format: null\}\}`"),
    ):
        _ask(server, request)
    freed = request.model_copy(update={"params": {"output_config": {"format": None}}})
    with MessagesServer() as server:
        assert _ask(server, freed).text == "ok"


def test_another_refusal_gets_no_advice_about_the_schema() -> None:
    refusal = {"error": {"message": "prompt is too long"}}
    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=VERDICT))
    with (
        MessagesServer(faults=lambda _i, _b: Fault.status(400, body=refusal)) as server,
        pytest.raises(InvalidRequest, match=r"prompt is too long$"),
    ):
        _ask(server, request)


def test_images_arrive_as_bytes_or_by_address() -> None:
    parts = (
        TextPart(text="Which is larger?"),
        ImagePart(url=PIXEL_URL),
        ImagePart(url="https://example.org/a.png"),
    )
    with MessagesServer() as server:
        _ask(server, Request(messages=(Message(role="user", parts=parts),)))
    content = server.requests[0].body["messages"][0]["content"]
    assert [block["type"] for block in content] == ["text", "image", "image"]
    assert [block["source"]["type"] for block in content[1:]] == ["base64", "url"]


def test_an_image_that_is_none_is_refused_by_the_server() -> None:
    image = ImagePart(url="data:image/png;base64,bm90IGFuIGltYWdl")
    with MessagesServer() as server, pytest.raises(InvalidRequest, match="does not match"):
        _ask(server, Request(messages=(Message(role="user", parts=(image,)),)))


def test_tool_calls_and_their_results_make_a_round_trip() -> None:
    call = {"type": "tool_use", "id": "toolu_9", "name": "search", "input": {"q": "sky"}}
    tools = (Tool(name="search", parameters={"type": "object"}),)
    with MessagesServer(lambda _: {"content": [call], "stop_reason": "tool_use"}) as server:
        completion = _ask(server, Request(messages=ASK.messages, tools=tools))
    assert completion.finish_reason == "tool_calls"
    assert completion.tool_calls == (
        ToolCallPart(id="toolu_9", name="search", arguments='{"q": "sky"}'),
    )
    turns = (
        *ASK.messages,
        Message(role="assistant", parts=completion.tool_calls),
        Message(role="tool", parts=(ToolResultPart(id="toolu_9", text="blue"),)),
    )
    with MessagesServer(lambda _: "It is.") as server:
        assert _ask(server, Request(messages=turns, tools=tools)).text == "It is."


def test_a_tool_result_without_its_call_is_refused() -> None:
    lone = Message(role="tool", parts=(ToolResultPart(id="toolu_9", text="blue"),))
    with (
        MessagesServer() as server,
        pytest.raises(InvalidRequest, match="unexpected `tool_use_id`"),
    ):
        _ask(server, Request(messages=(*ASK.messages, lone)))


@pytest.mark.parametrize("takes", [True, False])
def test_a_later_system_message_is_for_the_server_to_take_or_refuse(takes: bool) -> None:
    turns = (*ASK.messages, Message.of("system", "Answer in French."))
    with MessagesServer(takes_system_turns=takes) as server:
        if takes:
            assert _ask(server, Request(messages=turns)).text == "ok"
        else:
            with pytest.raises(InvalidRequest, match="role 'system' is not supported"):
                _ask(server, Request(messages=turns))


def test_64_calls_run_at_once() -> None:
    with MessagesServer(lambda b: b["messages"][0]["content"], latency_s=0.2) as server:
        model = _model(server.base_url)

        async def send_all() -> list[Completion]:
            requests = [Request(messages=(Message.of("user", f"case {n}"),)) for n in range(64)]
            try:
                return await asyncio.gather(
                    *(model.send(model.body(item), timeout_s=20) for item in requests)
                )
            finally:
                await model.close()

        completions = asyncio.run(send_all())
        assert server.max_in_flight > 50
    assert [completion.text for completion in completions] == [f"case {n}" for n in range(64)]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}
