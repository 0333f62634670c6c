"""Adaptive concurrency: halves on 429, grows by one a round, pauses when told."""

from __future__ import annotations

import asyncio
import time

from promptyard.runner.limiter import AdaptiveLimiter


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
