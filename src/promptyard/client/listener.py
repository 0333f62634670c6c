"""Listens at a service for the word that there is another manifest, so that it is read at once.

It only makes the client look earlier: polling goes on, and what a stream says is never served.
"""

from __future__ import annotations

import json
import random
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol, cast

from promptyard.client.address import Address
from promptyard.client.backoff import Backoff
from promptyard.client.source import SourceFault

if TYPE_CHECKING:
    import http.client

    from promptyard.client.web import Line

SILENCE_S = 45.0
"""After so long without a sign, and the service gives one every 15 s, the connection is dead."""
FIRST_S, MOST_S = 1.0, 60.0
"""The waits before a connection is tried again, the first and the longest."""
LOOKS_S = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
"""Waits before the looks after a word: another replica may answer, half a second behind."""
MAX_LINE_BYTES = 1 << 16


class Renewed(Protocol):
    """What is told of another manifest."""

    def has_read(self, etag: str) -> bool:
        """Whether the manifest with this ETag is the last one that was read."""
        ...

    def check(self) -> bool:
        """Look at the source now."""
        ...


class Listener:
    """Keeps a connection to the stream of a service, in a thread.

    Attributes:
        is_connected: whether the service says now what changes.
        n_connections: how often it was connected.
        n_heard: how often it was told that there is another manifest.
        message: why it is not connected, in one line.
    """

    def __init__(self, address: Address, *, connect_s: float) -> None:
        self.is_connected = False
        self.n_connections = 0
        self.n_heard = 0
        self.message = ""
        self._address = address
        self._connect_s = connect_s
        self._begin()

    def _begin(self) -> None:
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._line: Line | None = None

    def start(self, renewed: Renewed) -> None:
        """Begin to listen, once; `renewed` is held weakly, and without it the thread ends."""
        if self._thread is not None or self._closing.is_set() or self._address.stream is None:
            return
        this = weakref.ref(renewed)
        self._thread = threading.Thread(
            target=self._run, args=(this, self._closing), name="promptyard-listen", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: polling is enough
            self._thread = None

    def close(self) -> None:
        """End the connection and the thread."""
        self._closing.set()
        if self._line is not None:
            self._line.cut()

    def after_fork(self) -> None:
        """Begin anew in a child: thread and connection are the parent's."""
        if self._line is not None:
            self._line.leave()
        self.is_connected = False
        self._begin()

    def _run(self, this: weakref.ref[Renewed], closing: threading.Event) -> None:
        backoff = Backoff(first_s=FIRST_S, most_s=MOST_S)
        while not closing.is_set() and this() is not None:
            asked_s = None
            try:
                self._listen(this, closing, backoff)
                self.message = "the service ended the stream"
            except SourceFault as fault:
                self.message, asked_s = str(fault), fault.retry_after_s
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end it
                self.message = repr(error)
            self.is_connected = False
            closing.wait(backoff.next(asked_s))

    def _listen(
        self, this: weakref.ref[Renewed], closing: threading.Event, backoff: Backoff
    ) -> None:
        from promptyard.client.web import Line, asked

        url = self._address.stream or ""
        line = self._line = Line()
        if closing.is_set():  # it may have been set before there was a line to cut
            return
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        with asked(
            url, key=self._address.key, timeout_s=self._connect_s, headers=headers, line=line
        ) as response:
            if response is None or response.headers.get_content_type() != "text/event-stream":
                raise SourceFault("corrupt", f"{url} answers with what is no stream of events")
            line.be_silent_for(SILENCE_S)
            self.n_connections += 1
            self.is_connected, self.message = True, ""
            self._hear(response, this, closing, backoff)

    def _hear(
        self,
        response: http.client.HTTPResponse,
        this: weakref.ref[Renewed],
        closing: threading.Event,
        backoff: Backoff,
    ) -> None:
        """Take lines until the stream ends; see the standard of server-sent events."""
        name, data = "", ""
        while text := response.readline(MAX_LINE_BYTES):
            backoff.reset()
            if closing.is_set() or this() is None:
                return
            line = text.decode("utf-8", "replace").rstrip("\r\n")
            field, _, value = line.partition(":")
            if not line:
                if name == "manifest":
                    self.n_heard += 1
                    _catch_up(this, closing, _etag_of(data))
                name, data = "", ""
            elif field == "event":
                name = value.removeprefix(" ")
            elif field == "data":
                data = value.removeprefix(" ")


def _catch_up(this: weakref.ref[Renewed], closing: threading.Event, etag: str) -> None:
    """Look until the manifest that was announced is read; at last the polls will find it."""
    chance = random.Random()
    for wait_s in LOOKS_S:
        if closing.wait(wait_s * chance.uniform(0.5, 1.0)):
            return
        renewed = this()
        if renewed is None or renewed.has_read(etag):
            return
        renewed.check()
        del renewed


def _etag_of(data: str) -> str:
    """Return the ETag in an event; what is none makes the client look all the same."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    etag = cast("dict[str, Any]", value).get("etag") if isinstance(value, dict) else None
    return etag if isinstance(etag, str) else ""
