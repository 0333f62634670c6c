"""The bodies of requests: read within their limits, and within one bound for all of them together.

Each is bounded by itself, but many at once are not: so what has arrived, and what it decompresses
to, is counted from the first byte until the request is answered. Who would come above the bound is
told to send it again (503 with `Retry-After`, which every exporter of telemetry understands). A
body that is the only one is always let in.

One sender cannot keep out the others: where it sends several bodies at once they have half of the
bound (and, as all requests of a sender, half of the connections). And small bodies are let in
always: a rollback does not wait for telemetry.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter

from fastapi import Request

from promptyard.config.service_shape import ServiceConfig
from promptyard.service.problems import RequestRefused

MAX_RATIO = 100
"""How many times larger a body may become; telemetry of many like spans is some 50 times."""
ALWAYS_BYTES = 1 << 20
SMALL_BYTES = 16 << 10
"""Bodies up to this do not need room in the bound; connections bound how many there are."""
RETRY_AFTER_S = (1.0, 4.0)
"""Whoever is refused comes again after a time out of this range: not all at once."""
_MAX_DIGITS = 18


class Bodies:
    """All bodies that a replica holds; `held_bytes` is how many bytes that is now."""

    def __init__(self, settings: ServiceConfig) -> None:
        self.held_bytes = 0
        self._settings = settings
        self._bytes_of: Counter[str] = Counter()
        self._opening = asyncio.Lock()
        self._reads: set[asyncio.Timeout] = set()
        self._is_ending = False

    def end(self) -> None:
        """Refuse whatever has not arrived in full; what has is answered."""
        self._is_ending = True
        now_s = asyncio.get_running_loop().time()
        for read in self._reads:
            if not read.expired():
                read.reschedule(now_s)

    def hold(self, sender: str) -> HeldBody:
        """Begin to hold a body of a sender; nothing of it is there yet."""
        return HeldBody(self, sender)

    def room_bytes(self, sender: str, held_bytes: int) -> int:
        """How large a body may become that has `held_bytes` now."""
        most = self._settings.max_bodies_bytes
        room = max(self._settings.max_body_bytes, self._settings.max_decompressed_bytes)
        of_all = self.held_bytes - held_bytes
        if of_all:
            room = min(room, most - of_all)
        of_sender = self._bytes_of[sender] - held_bytes
        if of_sender:
            room = min(room, most // 2 - of_sender)
        return max(room, SMALL_BYTES)

    def no_room(self) -> RequestRefused:
        """Return what a body is answered with that would come above the bound."""
        most = self._settings.max_bodies_bytes
        again_s = random.uniform(*RETRY_AFTER_S)
        detail = f"bodies have up to {most:,} bytes together, half of it from one sender"
        return RequestRefused(503, "busy", f"{detail}; send it again later", retry_after_s=again_s)

    def change(self, sender: str, by_bytes: int) -> None:
        """Hold more or less of a sender."""
        self.held_bytes += by_bytes
        self._bytes_of[sender] += by_bytes
        if not self._bytes_of[sender]:
            del self._bytes_of[sender]

    async def read(self, request: Request, held: HeldBody) -> bytes:
        """Return a body, decompressed. Raises RequestRefused: 408, 413, 415, 503, 400."""
        most = self._settings.max_body_bytes
        length = request.headers.get("content-length", "0")
        if len(length) > _MAX_DIGITS or not length.isdecimal() or int(length) > most:
            raise _too_large(most)
        body = await self._receive(request, most, held)
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("identity", ""):
            return body
        if encoding != "gzip":
            detail = f"the Content-Encoding {encoding[:100]!a} is not known; send gzip or none"
            raise RequestRefused(415, "media-type", detail)
        opened_most = self._settings.max_decompressed_bytes
        if len(body) <= SMALL_BYTES:
            result = decompressed(body, opened_most, held)
            held.resize(len(result))
            return result
        # Not in the event loop, and one by one: what each becomes is counted before the next one.
        async with self._opening:
            result = await asyncio.to_thread(decompressed, body, opened_most, held)
            held.resize(len(result))
        return result

    async def _receive(self, request: Request, most: int, held: HeldBody) -> bytes:
        # A service that is ending still takes what is here already.
        timeout_s = 0.0 if self._is_ending else self._settings.read_timeout_s
        try:
            async with asyncio.timeout(timeout_s) as read:
                self._reads.add(read)
                try:
                    return await _received(request, most, held)
                finally:
                    self._reads.discard(read)
        except TimeoutError:
            if self._is_ending:
                detail = "the service is ending; send it again"
                raise RequestRefused(503, "ending", detail, retry_after_s=1.0) from None
            detail = f"the body did not arrive within {timeout_s:g} s"
            raise RequestRefused(408, "too-slow", detail) from None


class HeldBody:
    """What one request holds of the bound of all; given back by `release`."""

    def __init__(self, bodies: Bodies, sender: str) -> None:
        self._bodies = bodies
        self._sender = sender
        self._size = 0

    @property
    def room_bytes(self) -> int:
        """How large it may become beside what is held by others, and of the same sender."""
        return self._bodies.room_bytes(self._sender, self._size)

    def resize(self, size: int) -> None:
        """Hold so many bytes instead. Raises RequestRefused with 503 where there is no room."""
        if size > self.room_bytes:
            raise self.no_room()
        self._bodies.change(self._sender, size - self._size)
        self._size = size

    def release(self) -> None:
        """Hold nothing any more."""
        self._bodies.change(self._sender, -self._size)
        self._size = 0

    def no_room(self) -> RequestRefused:
        """Return what it is answered with where it would become too large."""
        return self._bodies.no_room()


async def _received(request: Request, most: int, held: HeldBody) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise _too_large(most)
        held.resize(size)
        parts.append(part)
    return b"".join(parts)


def decompressed(body: bytes, most: int, held: HeldBody) -> bytes:
    """Decompress gzip up to a size and a ratio, and not beyond the room that there is.

    A bomb is found before it goes off. Raises RequestRefused.
    """
    cap = min(most, max(ALWAYS_BYTES, MAX_RATIO * len(body)))
    bound = min(cap, held.room_bytes)
    stream = zlib.decompressobj(wbits=31)
    try:
        result = stream.decompress(body, bound + 1)
    except zlib.error as error:
        raise RequestRefused(400, "not-gzip", f"the body is no gzip: {error}") from None
    if len(result) > bound:
        if bound < cap:
            raise held.no_room()
        detail = (
            f"the body becomes more than {most:,} bytes, or more than {MAX_RATIO} times what was "
            "sent; send less at once"
        )
        raise RequestRefused(413, "too-large", detail)
    if not stream.eof or stream.unused_data:
        raise RequestRefused(400, "not-gzip", "the body is no single, whole gzip stream")
    return result


def _too_large(most: int) -> RequestRefused:
    detail = f"the body has more than {most:,} bytes; send less at once"
    return RequestRefused(413, "too-large", detail)
