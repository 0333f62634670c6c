"""Work side by side, decisions in order: no barrier between proposals, and the same search again.

Piece n of the work is begun as soon as piece n - width has been decided, and sees exactly what the
decisions up to that one have made of the search. So nothing waits for a whole generation, and
which answer comes in first changes nothing. What a piece has to say is heard when it is decided.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from promptyard.records.turns import Turn

ResultT = TypeVar("ResultT")


async def in_order(
    begin: Callable[[int], Coroutine[Any, Any, ResultT] | None],
    decide: Callable[[ResultT], Awaitable[None]],
    *,
    width: int,
) -> None:
    """Begin pieces 0, 1, 2 ... with at most `width` undecided ones, and decide them in order.

    `begin` gives None where nothing can be begun now; it is asked again after the next decision,
    and where nothing is undecided that is the end. Where a piece fails, none is begun any more,
    the others are decided (they are paid for), and the first error is raised.
    """
    undecided: deque[tuple[Turn, asyncio.Task[ResultT]]] = deque()
    failed: Exception | None = None
    n_begun = 0
    try:
        while True:
            while failed is None and len(undecided) < width:
                work = begin(n_begun)
                if work is None:
                    break
                turn = Turn()
                undecided.append((turn, asyncio.create_task(turn.work(work))))
                n_begun += 1
            if not undecided:
                break
            turn, task = undecided[0]
            try:
                result = await task
            except Exception as error:  # noqa: BLE001 (raised below, after what is paid for)
                failed = failed or error
                await turn.comes()
            else:
                await turn.comes()
                await decide(result)
            undecided.popleft()
    finally:
        for _, task in undecided:
            task.cancel()
    if failed is not None:
        raise failed


async def side_by_side(work: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Run pieces at the same time; results in the order given, and in it they are heard.

    Raises the first error in that order, after all have ended.
    """
    pieces = [(Turn(), piece) for piece in work]
    ended = await asyncio.gather(
        *(asyncio.create_task(turn.work(piece)) for turn, piece in pieces), return_exceptions=True
    )
    for turn, _ in pieces:
        await turn.comes()
    results: list[ResultT] = []
    for result in ended:
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
