"""The model contract, run on the models that the tests themselves stand on."""

from __future__ import annotations

import pytest

from promptyard.errors import AuthFailed, ModelError, RateLimited
from promptyard.protocols import Model
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage
from promptyard.testing import ModelContract, ScriptedModel


class TestScriptedModelKeepsTheContract(ModelContract):
    def model(self) -> Model:
        return ScriptedModel(lambda _: "yes")

    def failing_models(self) -> list[tuple[Model, type[ModelError]]]:
        return [
            (ScriptedModel([RateLimited("slow down")]), RateLimited),
            (ScriptedModel([AuthFailed("no key")]), AuthFailed),
        ]


class Forgetful(ScriptedModel):
    """Breaks the contract: its body ignores the messages."""

    def body(self, request: Request) -> dict[str, Json]:
        return dict(super().body(request)) | {"messages": []}


class Chatty(ScriptedModel):
    """Breaks the contract: it answers with its errors."""

    async def send(self, body: object, *, timeout_s: float) -> Completion:
        return Completion(text="error: slow down", model=self.name)


class Careless(ScriptedModel):
    """Breaks the contract: more tokens come from the cache than were asked."""

    async def send(self, body: object, *, timeout_s: float) -> Completion:
        return Completion(text="a", model=self.name, usage=Usage(cached_input_tokens=1))


def test_the_suite_finds_bodies_that_forget_the_messages() -> None:
    class Suite(ModelContract):
        def model(self) -> Model:
            return Forgetful("yes")

    with pytest.raises(AssertionError):
        Suite().test_different_messages_have_different_bodies()


def test_the_suite_finds_errors_that_come_back_as_answers() -> None:
    class Suite(ModelContract):
        def failing_models(self) -> list[tuple[Model, type[ModelError]]]:
            return [(Chatty("yes"), RateLimited)]

    with pytest.raises(AssertionError):
        Suite().test_failures_are_typed_and_say_so_in_one_line()


def test_the_suite_finds_impossible_usage() -> None:
    class Suite(ModelContract):
        def model(self) -> Model:
            return Careless("yes")

    with pytest.raises(AssertionError):
        Suite().test_an_answer_is_a_completion_with_honest_figures()


def test_the_suite_finds_bodies_that_share_data_with_the_request() -> None:
    class Sharing(ScriptedModel):
        def body(self, request: Request) -> dict[str, Json]:
            return {"messages": request.messages[0].text, "params": request.params}

    class Suite(ModelContract):
        def model(self) -> Model:
            return Sharing("yes")

    with pytest.raises(AssertionError):
        Suite().test_a_changed_body_changes_nothing_else()
