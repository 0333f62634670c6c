"""Pieces of work that run side by side and are heard one after the other.

Which of them ends first is chance; what they say is kept until the turn of each comes, so that a
run reads, and is repeated, the same. Pieces may hold pieces.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
Say: TypeAlias = Callable[[], Awaitable[None]]


class Turn:
    """What one piece has said and not been heard with."""

    def __init__(self) -> None:
        self._kept: list[Say] = []

    async def work(self, piece: Awaitable[Result]) -> Result:
        """Do a piece of work in a task of its own; all that is said in it waits."""
        _turn.set(self)
        return await piece

    def keep(self, say: Say) -> None:
        """Keep a saying."""
        self._kept.append(say)

    async def comes(self) -> None:
        """Let it say what was kept, in order, in the turn of the one who asks."""
        kept, self._kept = self._kept, []
        for say in kept:
            await in_turn(say)


_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)


async def in_turn(say: Say) -> None:
    """Say something now, or keep it where a turn has to come first."""
    turn = _turn.get()
    if turn is None:
        await say()
    else:
        turn.keep(say)
