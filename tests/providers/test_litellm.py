"""The extra `litellm`: what holds without the library, and the contract against the real one.

The second half needs `pip install 'promptyard[litellm]'` and is skipped where that is missing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import pytest

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    ConfigError,
    InvalidRequest,
    ModelError,
    ModelTimeout,
    PromptError,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.plugins import resolve
from promptyard.protocols import Model
from promptyard.providers import ENDPOINTS, PROVIDERS, ProviderSettings
from promptyard.providers.litellm import PARAMS, LiteLLM
from promptyard.records.messages import (
    Completion,
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    Usage,
)
from promptyard.testing import ModelContract
from support.chat_server import ChatServer, Fault
from support.messages_server import KEY, MessagesServer
from support.service_images import PIXEL_URL

INSTALLED = importlib.util.find_spec("litellm") is not None
NOT_RUN = "NOT RUN against the real library: pip install 'promptyard[litellm]'"


def needs_litellm(test: Any) -> Any:
    """Skip aloud without the library. It leaves sockets to the garbage collector, which warns."""
    for message in ("unclosed", "Exception ignored in"):
        test = pytest.mark.filterwarnings(f"ignore:{message}")(test)
    return pytest.mark.skipif(not INSTALLED, reason=NOT_RUN)(test)


PRICES = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
ASK = Request(messages=(Message.of("user", "Is the sky blue?"),))
VERDICT: dict[str, Any] = {
    "type": "object",
    "properties": {"verdict": {"type": "string", "enum": ["pass", "fail"]}},
    "required": ["verdict"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def _as_installed(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (pytest calls it)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a model be described as where the library is installed."""

    def found(name: str, package: str | None = None) -> object:
        del name, package
        return object()

    monkeypatch.setattr("promptyard.providers.litellm.importlib.util.find_spec", found)


def test_without_the_library_one_line_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        del name

    monkeypatch.setattr("promptyard.providers.litellm.importlib.util.find_spec", missing)
    with pytest.raises(ConfigError) as caught:
        PROVIDERS["litellm"]("gemini/m1", ProviderSettings())
    assert str(caught.value) == (
        "model 'litellm/gemini/m1' needs the library litellm: pip install 'promptyard[litellm]'"
    )


@pytest.mark.parametrize("name", ["m1", "/m1", "openai/", ""])
def test_a_name_without_a_provider_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="write litellm/provider/model"):
        LiteLLM(name)


@pytest.mark.usefixtures("pretend")
def test_describing_a_model_and_its_calls_imports_nothing() -> None:
    before = "litellm" in sys.modules
    model = LiteLLM("openai/m1", api_key="sk-secret-1")
    assert model.body(ASK) == {
        "model": "openai/m1",
        "messages": [{"role": "user", "content": "Is the sky blue?"}],
    }
    assert repr(model) == "LiteLLM('openai/m1', base_url='litellm:')"
    asyncio.run(model.close())
    assert ("litellm" in sys.modules) == before


@pytest.mark.usefixtures("pretend")
def test_the_table_knows_it_and_gives_it_the_address() -> None:
    factory = resolve("providers", "litellm", PROVIDERS)
    model = factory("openai/m1", ProviderSettings(base_url="http://h/v1/", api_key="k"))
    assert (model.name, model.base_url) == ("litellm/openai/m1", "http://h/v1")
    assert factory("openai/m1", ProviderSettings()).base_url == "litellm:"
    assert ENDPOINTS["litellm"].key_variable is None


@pytest.mark.usefixtures("pretend")
@pytest.mark.parametrize(
    "key",
    ["api_base", "base_url", "api_key", "mock_response", "fallbacks", "num_retries", "callbacks"],
)
def test_a_prompt_cannot_say_where_a_call_goes(key: str) -> None:
    with pytest.raises(PromptError, match=f"Parameter '{key}' cannot go through litellm"):
        LiteLLM("openai/m1").body(Request(messages=ASK.messages, params={key: "x"}))


@pytest.mark.usefixtures("pretend")
def test_parameters_of_chat_completions_are_passed_on() -> None:
    params = dict.fromkeys(sorted(PARAMS - {"tools", "response_format"}), 1)
    body = LiteLLM("openai/m1").body(Request(messages=ASK.messages, params=params))
    assert {key: body[key] for key in params} == params


# From here on: the real library.


def _model(base_url: str, model: str = "m1", **options: Any) -> LiteLLM:
    return LiteLLM(f"openai/{model}", base_url=base_url, api_key=KEY, prices=PRICES, **options)


async def _send(model: LiteLLM, request: Request = ASK, timeout_s: float = 20.0) -> Completion:
    try:
        return await model.send(model.body(request), timeout_s=timeout_s)
    finally:
        await model.close()


def _failure(fault: Fault, timeout_s: float = 20.0) -> ModelError:
    with ChatServer(faults=lambda _index, _body: fault) as server:
        with pytest.raises(ModelError) as caught:
            asyncio.run(_send(_model(server.base_url), timeout_s=timeout_s))
        assert server.n_requests == 1, "one send is one attempt"
    error = caught.value
    assert str(error).startswith("litellm/openai/m1 ")
    assert "\n" not in str(error)
    assert KEY not in "".join(traceback.format_exception(error)) + repr(vars(error))
    return error


@needs_litellm
class TestLiteLLMKeepsTheContract(ModelContract):
    def setup_method(self) -> None:
        failing = {
            "limited": Fault.status(429, retry_after=1),
            "broken": Fault.status(500),
            "overloaded": Fault.status(529),
            "denied": Fault.status(403),
            "wrong": Fault.status(400),
            "unknown": Fault.status(404),
            "dropped": Fault("drop_connection"),
            "cut": Fault("truncated_json"),
            "empty": Fault("empty_choices"),
            "null": Fault("null_content"),
        }
        self.server = ChatServer(lambda _: "yes").__enter__()
        self.failing = ChatServer(faults=lambda _, b: failing.get(b["model"])).__enter__()

    def teardown_method(self) -> None:
        self.server.stop()
        self.failing.stop()

    def model(self) -> Model:
        return _model(self.server.base_url)

    def failing_models(self) -> list[tuple[Model, type[ModelError]]]:
        kinds: dict[str, type[ModelError]] = {
            "limited": RateLimited,
            "broken": ServerError,
            "overloaded": ServerError,
            "denied": AuthFailed,
            "wrong": InvalidRequest,
            "unknown": InvalidRequest,
            "dropped": ServerError,
            "cut": BadResponse,
            "empty": BadResponse,
            "null": BadResponse,
        }
        return [
            *((_model(self.failing.base_url, name), kind) for name, kind in kinds.items()),
            (_model("http://127.0.0.1:1/v1"), Unreachable),
        ]


@needs_litellm
class TestLiteLLMKeepsTheContractOnTheMessagesProtocol(ModelContract):
    def setup_method(self) -> None:
        self.server = MessagesServer(lambda _: "yes").__enter__()

    def teardown_method(self) -> None:
        self.server.stop()

    def model(self) -> Model:
        url = self.server.base_url.removesuffix("/v1")
        return LiteLLM("anthropic/m1", base_url=url, api_key=KEY)


@needs_litellm
def test_the_answer_is_a_completion_with_its_figures() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 10,
        "total_tokens": 1010,
        "prompt_tokens_details": {"cached_tokens": 400},
    }
    with ChatServer(lambda _: {"usage": usage, "choices": [_choice("yes")]}) as server:
        completion = asyncio.run(_send(_model(server.base_url)))
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[0].body["model"] == "m1"
    assert completion.text == "yes"
    assert completion.usage == Usage(input_tokens=1000, output_tokens=10, cached_input_tokens=400)
    assert completion.cost_usd == pytest.approx(0.00102)
    assert completion.request_id == "req-0"
    assert completion.latency_s > 0


@needs_litellm
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, InvalidRequest),
        (401, AuthFailed),
        (403, AuthFailed),
        (404, InvalidRequest),
        (408, ModelTimeout),
        (422, InvalidRequest),
        (429, RateLimited),
        (500, ServerError),
        (503, ServerError),
        (529, ServerError),
    ],
)
def test_each_status_raises_its_error_after_one_attempt(code: int, kind: type[ModelError]) -> None:
    error = _failure(Fault.status(code, retry_after=3, headers={"x-request-id": "r-9"}))
    assert type(error) is kind
    assert error.retry_after_s == (3.0 if kind in (RateLimited, ServerError) else None)


@needs_litellm
@pytest.mark.parametrize("fault", [Fault.hang(30), Fault.slow_drip(30)])
def test_the_deadline_bounds_the_attempt(fault: Fault) -> None:
    assert isinstance(_failure(fault, timeout_s=0.5), ModelTimeout)


@needs_litellm
def test_a_cut_answer_is_a_completion_that_says_so() -> None:
    with ChatServer(lambda _: "0123456789", lambda _i, _b: Fault("length")) as server:
        completion = asyncio.run(_send(_model(server.base_url)))
    assert (completion.text, completion.finish_reason) == ("01234", "length")


@needs_litellm
def test_tools_images_and_schemas_go_through_it() -> None:
    parts = (TextPart(text="Judge it."), ImagePart(url=PIXEL_URL))
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    request = Request(
        messages=(Message(role="user", parts=parts),),
        tools=(Tool(name="f", parameters={"type": "object", "properties": {}}),),
        output=OutputContract(format="json", schema=VERDICT),
    )
    answer = {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "tool_calls": [call]},
                "finish_reason": "tool_calls",
            }
        ]
    }
    with ChatServer(lambda _: answer) as server:
        completion = asyncio.run(_send(_model(server.base_url), request))
        sent = server.requests[0].body
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert [part["type"] for part in sent["messages"][0]["content"]] == ["text", "image_url"]
    assert completion.tool_calls == (ToolCallPart(id="c1", name="f", arguments='{"a":1}'),)
    assert completion.finish_reason == "tool_calls"


@needs_litellm
def test_a_schema_reaches_the_messages_protocol_too() -> None:
    def verdict(body: Mapping[str, Any]) -> str:
        del body
        return '{"verdict": "pass"}'

    request = Request(messages=ASK.messages, output=OutputContract(format="json", schema=VERDICT))
    with MessagesServer(verdict) as server:
        url = server.base_url.removesuffix("/v1")
        model = LiteLLM("anthropic/claude-haiku-5-5", base_url=url, api_key=KEY)
        completion = asyncio.run(_send(model, request))
    assert json.loads(completion.text) == {"verdict": "pass"}


@needs_litellm
def test_a_missing_key_is_named() -> None:
    with pytest.raises(AuthFailed, match="set OPENAI_API_KEY"):
        asyncio.run(_send(LiteLLM("openai/m1", base_url="http://127.0.0.1:1/v1")))


@needs_litellm
def test_a_parameter_that_the_provider_does_not_know_is_refused() -> None:
    with MessagesServer() as server:
        url = server.base_url.removesuffix("/v1")
        model = LiteLLM("anthropic/m1", base_url=url, api_key=KEY)
        with pytest.raises(InvalidRequest, match="does not support parameters"):
            asyncio.run(_send(model, Request(messages=ASK.messages, params={"seed": 1})))
        assert server.n_requests == 0


@needs_litellm
def test_prices_come_from_either_table_or_there_are_none() -> None:
    usage = Usage(input_tokens=1_000_000)
    for name in ("openai/gpt-5-mini", "gemini/gemini-2.5-flash", "bedrock/amazon.nova-lite-v1:0"):
        cost = LiteLLM(name).cost_usd(usage)
        assert cost is not None, name
        assert 0.001 < cost < 100
    assert LiteLLM("openai/no-such-model").cost_usd(usage) is None


@needs_litellm
def test_a_key_of_the_environment_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    body = {"error": {"message": "Incorrect API key provided: sk-from-the-environment"}}
    with ChatServer(faults=lambda _i, _b: Fault.status(401, body=body)) as server:
        model = LiteLLM("openai/m1", base_url=server.base_url)
        with pytest.raises(AuthFailed) as caught:
            asyncio.run(_send(model))
        assert server.requests[0].headers["authorization"] == "Bearer sk-from-the-environment"
    assert "sk-from" not in str(caught.value)
    assert "[redacted]" in str(caught.value)


def _choice(text: str) -> dict[str, Any]:
    return {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
