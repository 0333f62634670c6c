"""Work side by side, decided in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from promptyard.search.pipeline import in_order, side_by_side


def run(n_pieces: int, width: int, ticks: dict[int, int]) -> tuple[list[int], dict[int, int], int]:
    """Run pieces that take so many ticks; return decisions, what each had seen, most at once."""
    decided: list[int] = []
    seen: dict[int, int] = {}
    under_way = most = 0

    def begin(number: int) -> Coroutine[Any, Any, int] | None:
        seen[number] = len(decided)
        return piece(number) if number < n_pieces else None

    async def piece(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(ticks.get(number, 1)):
            await asyncio.sleep(0)
        under_way -= 1
        return number

    async def decide(number: int) -> None:
        decided.append(number)

    asyncio.run(in_order(begin, decide, width=width))
    seen.pop(n_pieces, None)
    return decided, seen, most


@pytest.mark.parametrize("width", [1, 3, 20])
def test_decisions_come_in_order_and_each_piece_sees_the_same_whoever_is_first(width: int) -> None:
    expected = {n: max(0, n - width + 1) for n in range(10)}
    for ticks in ({}, {0: 30}, {n: 10 - n for n in range(10)}):
        decided, seen, most = run(10, width, ticks)
        assert decided == list(range(10))
        assert seen == expected
        assert most == min(width, 10)


def test_a_failed_piece_ends_the_beginning_but_not_what_is_under_way() -> None:
    decided: list[int] = []

    def begin(number: int) -> Coroutine[Any, Any, int] | None:
        return piece(number)

    async def piece(number: int) -> int:
        await asyncio.sleep(0)
        if number == 2:
            raise ValueError("the second")
        return number

    async def decide(number: int) -> None:
        decided.append(number)

    with pytest.raises(ValueError, match="the second"):
        asyncio.run(in_order(begin, decide, width=3))
    assert decided == [0, 1, 3, 4]


def test_who_cannot_begin_now_is_asked_again_after_the_next_decision() -> None:
    purse = 2
    decided: list[int] = []

    def begin(number: int) -> Coroutine[Any, Any, int] | None:
        nonlocal purse
        if purse == 0 or number == 6:
            return None
        purse -= 1
        return piece(number)

    async def piece(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def decide(number: int) -> None:
        nonlocal purse
        purse += 1
        decided.append(number)

    asyncio.run(in_order(begin, decide, width=4))
    assert decided == list(range(6))


def test_cancelling_the_whole_cancels_the_pieces() -> None:
    ended: list[str] = []

    async def piece() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def decide(_: None) -> None:
        raise AssertionError("nothing was done")

    async def work() -> None:
        whole = asyncio.create_task(in_order(lambda n: piece() if n < 3 else None, decide, width=3))
        await asyncio.sleep(0.01)
        whole.cancel()
        await asyncio.gather(whole, return_exceptions=True)
        await asyncio.sleep(0)

    asyncio.run(work())
    assert ended == ["cancelled"] * 3


def test_side_by_side_gives_results_in_order_and_waits_before_it_raises() -> None:
    done: list[int] = []

    async def piece(number: int) -> int:
        for _ in range(5 - number):
            await asyncio.sleep(0)
        if number == 1:
            raise ValueError("one")
        done.append(number)
        return number

    assert asyncio.run(side_by_side([piece(0), piece(2), piece(3)])) == [0, 2, 3]
    done.clear()
    with pytest.raises(ValueError, match="one"):
        asyncio.run(side_by_side([piece(0), piece(1), piece(2)]))
    assert sorted(done) == [0, 2]
