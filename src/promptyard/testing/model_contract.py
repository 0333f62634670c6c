"""What every model must do, as tests: subclass, say how to build one, run under pytest."""

from __future__ import annotations

import asyncio
import json
import math
import unittest
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from promptyard.errors import InvalidRequest, ModelError
from promptyard.protocols import Model
from promptyard.records.base import Json
from promptyard.records.messages import Completion, FinishReason, Message, Request, Usage

TIMEOUT_S = 30.0

N_CONCURRENT = 64

UNUSUAL_TEXTS = (
    "",
    "naïve café, nai\u0308ve",
    "日本語 🧪 \u200b\u202e",
    "line\r\nbreak\ttab\x00null",
    '{"json": "in text"} {{variable}} <edit>',
)


class ModelContract:
    """The contract of the seam `Model`; a subclass whose name begins with Test is a suite.

        class TestMyModel(ModelContract):
            def model(self) -> Model:
                return MyModel("mine/m1")

    Use `setup_method` and `teardown_method` of pytest for what the model needs around it. Each
    test makes a model of its own; together they cost about 80 calls.
    """

    def model(self) -> Model:
        """Return a new model that answers every request with some text."""
        raise NotImplementedError("a ModelContract suite says how to build its model")

    def failing_models(self) -> Sequence[tuple[Model, type[ModelError]]]:
        """Return models whose every call fails, each with the error it must raise."""
        return ()

    def test_it_has_a_name_and_an_address(self) -> None:
        """Names and addresses are part of the identity of a call."""
        model = self.model()
        assert isinstance(model, Model)
        provider, slash, rest = model.name.partition("/")
        assert provider, model.name
        assert slash, model.name
        assert rest, model.name
        assert model.base_url

    def test_a_body_is_plain_json(self) -> None:
        """A body survives JSON, so that it can be hashed, stored and sent."""
        model = self.model()
        for request in _requests():
            body = model.body(request)
            assert json.loads(_exact(body)) == body

    def test_equal_requests_have_equal_bodies(self) -> None:
        """The body depends on the request alone: not on time, order of calls or object."""
        first, second = self.model(), self.model()
        for request in _requests():
            copy = Request.model_validate(request.model_dump(by_alias=True))
            bodies = [first.body(request), first.body(request), first.body(copy)]
            assert all(_exact(body) == _exact(second.body(request)) for body in bodies)

    def test_different_messages_have_different_bodies(self) -> None:
        """Every text, role and order of messages gives a body of its own."""
        model = self.model()
        requests = [_request(text) for text in (*UNUSUAL_TEXTS, "a", "b")]
        system, user = Message.of("system", "a"), Message.of("user", "b")
        requests += [Request(messages=order) for order in ((system, user), (user, system))]
        requests.append(Request(messages=(Message.of("assistant", "a"), user)))
        bodies = [_exact(model.body(request)) for request in requests]
        assert len(set(bodies)) == len(bodies)

    def test_different_parameters_have_different_bodies(self) -> None:
        """A parameter that the model would heed must not share a stored answer."""
        if self.ignores_params():
            raise unittest.SkipTest("this model heeds no parameters")
        model = self.model()
        settings: list[dict[str, Json]] = [
            {},
            {"temperature": 0.0},
            {"temperature": 0.5},
            {"seed": 1},
            {"stop": ["a"]},
            {"stop": ["a", "b"]},
        ]
        bodies = [_exact(model.body(_request("a", **params))) for params in settings]
        assert len(set(bodies)) == len(bodies)

    def test_a_changed_body_changes_nothing_else(self) -> None:
        """Neither the request nor a later body shares data with a body."""
        model = self.model()
        request = _request("a", stop=["x"])
        before = request.model_dump_json()
        body = model.body(request)
        expected = _exact(body)
        _deface(body)
        assert request.model_dump_json() == before
        assert _exact(model.body(request)) == expected

    def test_an_answer_is_a_completion_with_honest_figures(self) -> None:
        """Latency, tokens and price are there, finite and not negative."""
        model = self.model()
        request = _request("Is the sky blue? Answer yes or no.")
        body = model.body(request)
        sent = _exact(body)
        completion = asyncio.run(_send_and_close(model, [body]))[0]
        assert _exact(body) == sent
        _check_completion(completion)

    def test_unusual_text_is_answered(self) -> None:
        """No text of a case can break the wire format."""
        model = self.model()
        texts = [text for text in UNUSUAL_TEXTS if text or not self.refuses_empty_texts()]
        bodies = [model.body(_request(text)) for text in texts]
        for completion in asyncio.run(_send_and_close(model, bodies)):
            _check_completion(completion)

    def test_an_empty_text_that_is_refused_is_an_invalid_request(self) -> None:
        """Not every service takes a message without content; it never becomes an answer."""
        if not self.refuses_empty_texts():
            raise unittest.SkipTest("this model answers empty messages")
        model = self.model()
        outcome = asyncio.run(_outcome_and_close(model, model.body(_request(""))))
        assert type(outcome) is InvalidRequest, repr(outcome)

    def test_many_calls_run_at_once(self) -> None:
        """Calls do not disturb each other."""
        model = self.model()
        bodies = [model.body(_request(f"case {index}")) for index in range(N_CONCURRENT)]
        completions = asyncio.run(_send_and_close(model, bodies))
        assert len(completions) == N_CONCURRENT
        for completion in completions:
            _check_completion(completion)

    def test_the_price_grows_with_the_tokens(self) -> None:
        """A price is None for every usage or a finite number for every usage."""
        model = self.model()
        costs = [
            model.cost_usd(
                Usage(
                    input_tokens=n,
                    output_tokens=n,
                    cached_input_tokens=n // 2,
                    cache_write_tokens=n // 4,
                )
            )
            for n in (0, 1000, 2_000_000)
        ]
        known = [cost for cost in costs if cost is not None]
        assert len(known) in (0, len(costs))
        assert known == sorted(known)
        assert all(math.isfinite(cost) and cost >= 0 for cost in known)

    def test_failures_are_typed_and_say_so_in_one_line(self) -> None:
        """A failed call raises its ModelError; an error never comes back as text."""
        failing = self.failing_models()
        if not failing:
            raise unittest.SkipTest("this suite names no failing models")
        for model, expected in failing:
            body = model.body(_request("a"))
            outcome = asyncio.run(_outcome_and_close(model, body))
            assert type(outcome) is expected, repr(outcome)
            assert str(outcome)
            assert "\n" not in str(outcome)

    def test_it_can_be_closed_twice_and_before_any_call(self) -> None:
        """Closing is safe at any moment."""
        model = self.model()

        async def close_twice() -> None:
            await model.close()
            await model.send(model.body(_request("a")), timeout_s=TIMEOUT_S)
            await model.close()
            await model.close()

        asyncio.run(close_twice())

    def test_it_serves_one_event_loop_after_another(self) -> None:
        """The synchronous API opens an event loop a call; a model outlives each of them."""
        model = self.model()
        body = model.body(_request("a"))
        for _ in range(2):
            _check_completion(asyncio.run(model.send(body, timeout_s=TIMEOUT_S)))
        asyncio.run(model.close())

    def ignores_params(self) -> bool:
        """Say whether the model heeds no parameters, so that bodies may leave them out."""
        return False

    def refuses_empty_texts(self) -> bool:
        """Say whether a message without content is refused as an InvalidRequest."""
        return False


def _request(text: str, **params: Json) -> Request:
    return Request(messages=(Message.of("user", text),), params=params)


def _requests() -> list[Request]:
    system = Message.of("system", "Answer with one word.")
    return [
        *(_request(text) for text in UNUSUAL_TEXTS),
        Request(messages=(system, Message.of("user", "a"))),
        _request("a", temperature=0.5, max_tokens=10, stop=["x", "y"]),
        _request("a", stop=["x", "y"], max_tokens=10, temperature=0.5),
    ]


def _exact(body: Mapping[str, Json]) -> str:
    return json.dumps(body, sort_keys=True, allow_nan=False)


def _deface(value: Json) -> None:
    """Empty every list and dict within a body."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for child in fields.values():
            _deface(child)
        fields.clear()
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        for child in items:
            _deface(child)
        items.clear()


async def _send_and_close(
    model: Model, bodies: Sequence[Mapping[str, Json]]
) -> Sequence[Completion]:
    try:
        sends = (model.send(body, timeout_s=TIMEOUT_S) for body in bodies)
        return await asyncio.gather(*sends)
    finally:
        await model.close()


async def _outcome_and_close(model: Model, body: Mapping[str, Json]) -> Completion | ModelError:
    try:
        return await model.send(body, timeout_s=TIMEOUT_S)
    except ModelError as error:
        return error
    finally:
        await model.close()


def _check_completion(completion: Completion) -> None:
    assert isinstance(completion, Completion)
    assert completion.finish_reason in get_args(FinishReason)
    assert math.isfinite(completion.latency_s)
    assert completion.latency_s >= 0
    usage = completion.usage
    assert min(usage.cached_input_tokens, usage.cache_write_tokens) >= 0
    assert usage.input_tokens >= usage.cached_input_tokens + usage.cache_write_tokens
    assert usage.output_tokens >= 0
    assert completion.cost_usd is None or 0 <= completion.cost_usd < math.inf
    assert completion.model
    assert not completion.cached
