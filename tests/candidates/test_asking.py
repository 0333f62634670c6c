"""Asking the optimizer: one more try for what cannot be read, and failures as problems."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from promptyard.candidates.asking import ObjectReply, all_of, ask, ask_or_say, or_say
from promptyard.candidates.meta_prompt import MetaPrompts
from promptyard.errors import BudgetExceeded, ModelUnusable, ServerError
from promptyard.records.messages import Message
from promptyard.testing import ReplyingBench

QUESTION = [Message.of("user", "What is wrong?")]


def read(text: str) -> ObjectReply:
    return ObjectReply(found={}) if text == "fine" else ObjectReply(problem=f"read '{text}'")


def asked(*replies: str) -> tuple[tuple[str, ObjectReply], ReplyingBench]:
    left = iter(replies)
    bench = ReplyingBench(lambda messages: next(left))
    return asyncio.run(ask(bench, MetaPrompts(), QUESTION, read, schema={})), bench


def test_a_reply_that_can_be_read_is_asked_for_once() -> None:
    (raw, reply), bench = asked("fine")
    assert (raw, reply.problem) == ("fine", None)
    assert bench.requests == [QUESTION]


@pytest.mark.parametrize(("first", "shown"), [("chat", "chat"), ("", "(nothing)")])
def test_a_reply_that_cannot_be_read_is_shown_with_its_problem(first: str, shown: str) -> None:
    (raw, reply), bench = asked(first, "fine")
    assert (raw, reply.problem) == ("fine", None)
    again = bench.requests[1]
    assert again[0] == QUESTION[0]
    assert (again[1].role, again[1].text) == ("assistant", shown)
    assert f"read '{first}'" in again[2].text


def test_a_second_reply_that_cannot_be_read_is_a_problem() -> None:
    (raw, reply), bench = asked("chat", "more chat")
    assert (raw, reply.problem) == ("more chat", "read 'more chat'")
    assert len(bench.requests) == 2


@pytest.mark.parametrize("error", [ServerError("it is down"), BudgetExceeded("it is used up")])
def test_a_failed_call_is_a_problem(error: Exception) -> None:
    def fail(messages: Sequence[Message]) -> str:
        raise error

    raw, reply = asyncio.run(
        ask_or_say(
            ReplyingBench(fail),
            MetaPrompts(),
            QUESTION,
            read,
            lambda problem: ObjectReply(problem=problem),
            schema={},
        )
    )
    assert (raw, reply.problem) == ("", f"no reply: {error}")


@pytest.mark.parametrize("error", [ModelUnusable("no such model"), ZeroDivisionError("a mistake")])
def test_an_unusable_model_and_mistakes_of_ours_are_raised(error: Exception) -> None:
    async def fail() -> str:
        raise error

    with pytest.raises(type(error), match=str(error)):
        asyncio.run(or_say(fail(), lambda problem: problem))


def test_of_questions_side_by_side_all_end_before_one_error_is_raised() -> None:
    ended: list[str] = []

    async def fail() -> str:
        raise ModelUnusable("no such model")

    async def answer() -> str:
        await asyncio.sleep(0)
        ended.append("paid for")
        return "fine"

    with pytest.raises(ModelUnusable):
        asyncio.run(all_of([fail(), answer()]))
    assert ended == ["paid for"]
