from __future__ import annotations

import asyncio

import pytest

from promptyard.errors import InvalidRequest, ModelTimeout, RateLimited
from promptyard.records.messages import (
    Completion,
    ImagePart,
    Message,
    OutputContract,
    Request,
    TextPart,
    Tool,
)
from promptyard.testing import ScriptedModel


def _send(model: ScriptedModel, text: str = "a", timeout_s: float = 5.0) -> Completion:
    body = model.body(Request(messages=(Message.of("user", text),)))
    return asyncio.run(model.send(body, timeout_s=timeout_s))


def test_a_function_answers_from_the_body() -> None:
    model = ScriptedModel(lambda body: body["messages"][-1]["content"].upper())
    assert _send(model, "blue").text == "BLUE"
    assert _send(model, "red").text == "RED"


def test_replies_are_given_in_order_and_exceptions_raised() -> None:
    model = ScriptedModel(["one", RateLimited("wait", retry_after_s=2.0), "three"])
    assert _send(model).text == "one"
    with pytest.raises(RateLimited) as caught:
        _send(model)
    assert caught.value.retry_after_s == 2.0
    assert _send(model).text == "three"
    assert model.n_requests == 3


def test_a_single_text_is_one_reply_and_not_one_reply_a_letter() -> None:
    model = ScriptedModel("yes")
    assert _send(model).text == "yes"
    with pytest.raises(InvalidRequest, match="1 replies and was called 2 times"):
        _send(model)


def test_a_function_may_return_an_exception_to_raise() -> None:
    with pytest.raises(InvalidRequest, match="too long"):
        _send(ScriptedModel(lambda _: InvalidRequest("too long")))


def test_an_exception_that_is_no_model_error_is_raised_too() -> None:
    with pytest.raises(ZeroDivisionError):
        _send(ScriptedModel([ZeroDivisionError()]))


def test_a_completion_is_given_as_it_is() -> None:
    completion = Completion(text="cut", finish_reason="length", cost_usd=0.5, model="m")
    assert _send(ScriptedModel([completion])) is completion


def test_words_are_counted_as_tokens() -> None:
    model = ScriptedModel(lambda _: "one two three")
    short, long = _send(model, "a"), _send(model, "a b c d e")
    assert short.usage.output_tokens == 3
    assert long.usage.input_tokens == short.usage.input_tokens + 4


def test_calls_under_way_at_one_time_are_counted() -> None:
    model = ScriptedModel(lambda _: "yes", latency_s=0.02)

    async def send_many() -> None:
        body = model.body(Request(messages=(Message.of("user", "a"),)))
        await asyncio.gather(*(model.send(body, timeout_s=5) for _ in range(7)))

    asyncio.run(send_many())
    assert model.max_in_flight == 7
    assert model.n_requests == 7


def test_a_cancelled_call_is_no_longer_in_flight() -> None:
    model = ScriptedModel(lambda _: "yes", latency_s=10)

    async def cancel() -> None:
        body = model.body(Request(messages=(Message.of("user", "a"),)))
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await model.send(body, timeout_s=60)

    asyncio.run(cancel())
    assert model.max_in_flight == 1


def test_latency_beyond_the_deadline_is_a_timeout() -> None:
    with pytest.raises(ModelTimeout):
        _send(ScriptedModel("yes", latency_s=5), timeout_s=0.01)


def test_latency_is_measured() -> None:
    assert _send(ScriptedModel("yes", latency_s=0.02)).latency_s >= 0.02


def test_the_body_tells_tools_contract_and_images_apart() -> None:
    model = ScriptedModel("yes")
    messages = (Message.of("user", "a"),)
    image = Message(role="user", parts=(TextPart(text="a"), ImagePart(url="data:,")))
    bodies = [
        model.body(Request(messages=messages)),
        model.body(Request(messages=messages, tools=(Tool(name="search"),))),
        model.body(Request(messages=messages, output=OutputContract(format="json"))),
        model.body(Request(messages=(image,))),
    ]
    assert bodies[0] == {
        "model": "scripted/model",
        "messages": [{"role": "user", "content": "a"}],
        "params": {},
    }
    assert all(bodies.count(body) == 1 for body in bodies)
