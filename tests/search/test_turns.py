"""Work side by side is heard in its order, whichever piece ends first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from promptyard.records.turns import in_turn
from promptyard.search.pipeline import in_order, side_by_side

Say = Callable[[str], Awaitable[None]]


def heard(work: Callable[[Say], Awaitable[None]]) -> list[str]:
    said: list[str] = []

    async def say(text: str) -> None:
        async def now() -> None:
            said.append(text)

        await in_turn(now)

    asyncio.run(asyncio.wait_for(_run(work, say), 10))
    return said


async def _run(work: Callable[[Say], Awaitable[None]], say: Say) -> None:
    await work(say)


def test_pieces_side_by_side_are_heard_in_the_order_given() -> None:
    async def work(say: Say) -> None:
        async def piece(number: int) -> int:
            await say(f"{number} begins")
            await asyncio.sleep(0.003 * (4 - number))
            await say(f"{number} ends")
            return number

        await say("before")
        assert await side_by_side(piece(number) for number in range(4)) == [0, 1, 2, 3]
        await say("after")

    pieces = [f"{number} {what}" for number in range(4) for what in ("begins", "ends")]
    assert heard(work) == ["before", *pieces, "after"]


def test_a_piece_is_heard_just_before_it_is_decided() -> None:
    async def work(say: Say) -> None:
        async def piece(number: int) -> int:
            await asyncio.sleep(0.002 * (number % 3 == 0))
            await say(f"piece {number}")
            return number

        async def decide(number: int) -> None:
            await say(f"decided {number}")

        await in_order(lambda n: piece(n) if n < 6 else None, decide, width=3)

    assert heard(work) == [f"{what} {n}" for n in range(6) for what in ("piece", "decided")]


def test_pieces_within_pieces_wait_for_the_outer_turn() -> None:
    async def work(say: Say) -> None:
        async def inner(name: str, wait_s: float) -> None:
            await asyncio.sleep(wait_s)
            await say(name)

        async def outer(number: int) -> None:
            await side_by_side(
                [inner(f"{number}a", 0.004 / (number + 1)), inner(f"{number}b", 0.0)]
            )
            await say(f"{number}c")

        await side_by_side(outer(number) for number in range(3))

    assert heard(work) == [f"{number}{name}" for number in range(3) for name in "abc"]


def test_what_a_failing_piece_said_is_heard_as_well() -> None:
    async def work(say: Say) -> None:
        async def piece(number: int) -> None:
            await say(f"{number}")
            if number == 1:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await side_by_side(piece(number) for number in range(3))

    assert heard(work) == ["0", "1", "2"]
