"""Asks the optimizer model: once more where a reply cannot be read, and never less than it pays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from promptyard.candidates.meta_prompt import MetaPrompts
from promptyard.candidates.reply import json_objects
from promptyard.errors import BudgetExceeded, ModelError, ModelUnusable
from promptyard.protocols import Bench
from promptyard.records.base import Json, Record
from promptyard.records.messages import Message

ResultT = TypeVar("ResultT")


class Readable(Protocol):
    """What is read out of a reply; `problem` says why nothing could be."""

    @property
    def problem(self) -> str | None:
        """Why the reply cannot be used, None where it can."""
        ...


ReplyT = TypeVar("ReplyT", bound=Readable)


async def ask(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    read: Callable[[str], ReplyT],
    *,
    schema: Mapping[str, Json],
    replicate: int = 0,
) -> tuple[str, ReplyT]:
    """Return (reply as it came, what was read out of it). Costs one optimizer call, at most two.

    Raises what the bench raises.
    """
    raw = (await bench.complete("optimizer", messages, schema=schema, replicate=replicate)).text
    reply = read(raw)
    if reply.problem is None:
        return raw, reply
    repair = meta_prompts.fill("repair", {"problem": reply.problem})
    again = after_reply(messages, raw, repair)
    raw = (await bench.complete("optimizer", again, schema=schema, replicate=replicate)).text
    return raw, read(raw)


def after_reply(
    messages: Sequence[Message], raw: str, more: Sequence[Message]
) -> tuple[Message, ...]:
    """Return a request, the reply to it, and what is asked then. Servers refuse an empty turn."""
    return (*messages, Message.of("assistant", raw or "(nothing)"), *more)


async def or_say(call: Awaitable[ResultT], unread: Callable[[str], ResultT]) -> ResultT:
    """Await a call; where it failed, or the budget ended, return `unread(problem)`.

    What was learnt in the other calls is paid for and goes on. Raises ModelUnusable: then no call
    can be made any more.
    """
    try:
        return await call
    except ModelUnusable:
        raise
    except (ModelError, BudgetExceeded) as error:
        return unread(f"no reply: {error}")


async def ask_or_say(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    read: Callable[[str], ReplyT],
    unread: Callable[[str], ReplyT],
    *,
    schema: Mapping[str, Json],
    replicate: int = 0,
) -> tuple[str, ReplyT]:
    """Ask as `ask` does; a failure becomes `unread(problem)`, as in `or_say`."""
    asked = ask(bench, meta_prompts, messages, read, schema=schema, replicate=replicate)
    return await or_say(asked, lambda problem: ("", unread(problem)))


class ObjectReply(Record):
    """The JSON object that a reply holds; `problem` says why there is none."""

    found: Mapping[str, Json] | None = None
    problem: str | None = None


async def ask_object(
    bench: Bench,
    meta_prompts: MetaPrompts,
    messages: Sequence[Message],
    schema: Mapping[str, Json],
    key: str,
) -> tuple[Mapping[str, Json] | None, str]:
    """Return the first object of the answer that has `key`, and the answer as it came.

    None where there is none, also after the repair, and where the call failed: the text then says
    so. Costs and raises as `ask_or_say`.
    """

    def read(text: str) -> ObjectReply:
        found = next((item for item in json_objects(text) if key in item), None)
        problem = None if found is not None else f"the reply holds no JSON object with `{key}`"
        return ObjectReply(found=found, problem=problem)

    raw, reply = await ask_or_say(bench, meta_prompts, messages, read, _no_object, schema=schema)
    return reply.found, raw or reply.problem or ""


def _no_object(problem: str) -> ObjectReply:
    return ObjectReply(problem=problem)


async def all_of(calls: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Run calls at the same time; raises the first error, after all of them have ended.

    Replies in flight are paid for: they are waited for and stored in any case.
    """
    results: list[ResultT] = []
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
