"""Cases are handed out once each, in order, and looked up by chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from promptyard.errors import StorageError
from promptyard.records.cases import Case
from promptyard.runner.feed import CaseFeed


def cases(n_cases: int) -> list[Case]:
    return [Case(id=f"c{number}", input={}) for number in range(n_cases)]


@pytest.mark.parametrize(("n_cases", "n_workers"), [(0, 3), (1, 3), (7, 1), (50, 8), (64, 8)])
def test_each_case_goes_to_one_worker_after_its_chunk_was_looked_up(
    n_cases: int, n_workers: int
) -> None:
    looked_up: list[list[str]] = []
    taken: list[tuple[int, str]] = []

    async def look_up(some: Sequence[Case]) -> None:
        await asyncio.sleep(0)
        looked_up.append([case.id for case in some])

    async def check() -> None:
        feed = CaseFeed(cases(n_cases), 8, look_up)

        async def work() -> None:
            while (item := await feed.take()) is not None:
                index, case = item
                assert any(case.id in chunk for chunk in looked_up)
                taken.append((index, case.id))
                await asyncio.sleep(0)

        await asyncio.gather(*(work() for _ in range(n_workers)))

    asyncio.run(check())
    assert taken == [(number, f"c{number}") for number in range(n_cases)]
    assert [name for chunk in looked_up for name in chunk] == [name for _, name in taken]
    assert all(1 <= len(chunk) <= 8 for chunk in looked_up)


def test_the_next_chunk_is_not_looked_up_before_it_is_wanted() -> None:
    async def check() -> int:
        n_looked_up = 0

        async def look_up(some: Sequence[Case]) -> None:
            nonlocal n_looked_up
            n_looked_up += len(some)

        feed = CaseFeed(cases(100), 10, look_up)
        for _ in range(10):
            await feed.take()
        return n_looked_up

    assert asyncio.run(check()) == 10


def test_a_look_up_that_fails_fails_for_who_asked() -> None:
    async def check() -> None:
        async def look_up(some: Sequence[Case]) -> None:
            raise StorageError(f"{len(some)} cases")

        feed = CaseFeed(cases(5), 2, look_up)
        with pytest.raises(StorageError, match="2 cases"):
            await feed.take()

    asyncio.run(check())
