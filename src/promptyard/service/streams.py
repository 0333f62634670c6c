"""Server-sent events: a line of talk that the service keeps up until either side ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from fastapi.responses import StreamingResponse

from promptyard.records.base import Json

HEARTBEAT_S = 15.0
"""After so long without an event a comment is sent: proxies close what is silent."""


class ServerEvent(NamedTuple):
    """One event: its name, its data, and the id under which a client may go on after it."""

    name: str
    data: Json
    id: str = ""


def event_stream(
    events: AsyncIterator[ServerEvent | None],
    stopping: asyncio.Event,
    admitted: Callable[[], Awaitable[bool]],
) -> StreamingResponse:
    """Answer with events until they end, the service does, or who asked is no longer `admitted`.

    None among the events is a heartbeat.
    """

    async def lines() -> AsyncGenerator[bytes]:
        yield b": ok\n\n"  # so that the client knows at once that it is connected
        async for event in _until(events, stopping):
            if not await admitted():
                return
            yield b": still here\n\n" if event is None else _written(event)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


async def _until(
    events: AsyncIterator[ServerEvent | None], stopping: asyncio.Event
) -> AsyncGenerator[ServerEvent | None]:
    """Pass events on until they end or the service does, which does not wait for the next one."""
    ending = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[ServerEvent | None] | None = None
    try:
        while not stopping.is_set():
            following = asyncio.ensure_future(anext(events))
            await asyncio.wait({ending, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                event = following.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        waiting: list[asyncio.Future[Any]] = [ending]
        if following is not None:
            waiting.append(following)
        for item in waiting:  # both before waiting for either: who is called off does not wait
            item.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _written(event: ServerEvent) -> bytes:
    data = json.dumps(event.data, separators=(",", ":"))  # one line, whatever it holds
    number = f"id: {event.id}\n" if event.id else ""
    return f"event: {event.name}\n{number}data: {data}\n\n".encode()
