"""Adaptive concurrency: halves on 429, grows by one a round, pauses when told."""

from __future__ import annotations

import asyncio
import time

from promptyard.runner.limiter import AdaptiveLimiter, call_priority


def test_no_more_than_the_limit_run_at_once() -> None:
    async def check() -> int:
        limiter = AdaptiveLimiter(5)
        most = 0

        async def work() -> None:
            nonlocal most
            async with limiter:
                most = max(most, limiter.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(work() for _ in range(40)))
        assert limiter.in_flight == 0
        return most

    assert asyncio.run(check()) == 5


def test_a_burst_of_429s_is_one_cut_and_successes_raise_the_limit_again() -> None:
    async def check() -> None:
        now = 0.0
        limiter = AdaptiveLimiter(16, clock=lambda: now)
        for _ in range(10):
            limiter.rate_limited(None)
        assert limiter.limit == 8
        now = 2.0
        limiter.rate_limited(None)
        assert limiter.limit == 4
        for _ in range(4):
            limiter.succeeded()
        assert 4.8 < limiter.limit <= 5
        for _ in range(1000):
            limiter.succeeded()
        assert limiter.limit == 16
        for _ in range(20):
            now += 2.0
            limiter.rate_limited(None)
        assert limiter.limit == 1

    asyncio.run(check())


def test_retry_after_pauses_everybody() -> None:
    async def check() -> float:
        limiter = AdaptiveLimiter(4)
        limiter.rate_limited(0.15)
        started_s = time.monotonic()
        async with limiter:
            return time.monotonic() - started_s

    assert asyncio.run(check()) >= 0.14


def test_a_cancelled_wait_leaves_no_place_taken() -> None:
    async def check() -> None:
        limiter = AdaptiveLimiter(1)
        async with limiter:

            async def enter() -> None:
                async with limiter:
                    pass

            waiting = asyncio.create_task(enter())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        assert limiter.in_flight == 0
        async with limiter:
            assert limiter.in_flight == 1

    asyncio.run(check())


def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    async def check() -> list[int]:
        limiter = AdaptiveLimiter(2)
        entered: list[int] = []

        async def work(number: int) -> None:
            async with limiter:
                entered.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(work(number) for number in range(50)))
        return entered

    assert asyncio.run(check()) == list(range(50))


def test_the_highest_priority_goes_first_and_equals_in_order_of_arrival() -> None:
    async def check() -> list[tuple[float, int]]:
        limiter = AdaptiveLimiter(1)
        entered: list[tuple[float, int]] = []

        async def work(priority: float, number: int) -> None:
            call_priority.set(priority)
            async with limiter:
                entered.append((priority, number))
                await asyncio.sleep(0)

        async with limiter:
            wanted = [(0.0, 0), (2.0, 1), (0.0, 2), (1.0, 3), (2.0, 4), (-1.0, 5)]
            waiting = [asyncio.create_task(work(*item)) for item in wanted]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        return entered

    assert [number for _, number in asyncio.run(check())] == [1, 4, 3, 0, 2, 5]


def test_who_comes_later_does_not_pass_those_of_its_own_priority() -> None:
    async def check() -> list[str]:
        limiter = AdaptiveLimiter(1)
        entered: list[str] = []

        async def work(name: str, priority: float) -> None:
            call_priority.set(priority)
            async with limiter:
                entered.append(name)
                await asyncio.sleep(0.001)

        waiting = [asyncio.create_task(work(f"low {number}", 0.0)) for number in range(3)]
        await asyncio.sleep(0)
        waiting += [asyncio.create_task(work("high", 1.0)), asyncio.create_task(work("last", 0.0))]
        await asyncio.gather(*waiting)
        return entered

    assert asyncio.run(check()) == ["low 0", "high", "low 1", "low 2", "last"]


def test_a_place_given_to_a_caller_that_is_cancelled_goes_to_the_next() -> None:
    async def check() -> None:
        limiter = AdaptiveLimiter(1)
        entered: list[str] = []

        async def enter(name: str) -> None:
            async with limiter:
                entered.append(name)

        async with limiter:
            first = asyncio.create_task(enter("first"))
            second = asyncio.create_task(enter("second"))
            await asyncio.sleep(0)
        first.cancel()  # it has been given the place and has not run since
        await asyncio.gather(first, second, return_exceptions=True)
        assert entered == ["second"]
        assert limiter.in_flight == 0

    asyncio.run(check())


def test_callers_that_wait_are_let_in_when_a_pause_ends_and_when_it_grows() -> None:
    async def check() -> float:
        limiter = AdaptiveLimiter(4)
        started_s = time.monotonic()

        async def work() -> None:
            async with limiter:
                pass

        limiter.rate_limited(0.05)
        waiting = [asyncio.create_task(work()) for _ in range(10)]
        await asyncio.sleep(0.01)
        limiter.rate_limited(0.14)
        await asyncio.gather(*waiting)
        return time.monotonic() - started_s

    assert asyncio.run(check()) >= 0.14
