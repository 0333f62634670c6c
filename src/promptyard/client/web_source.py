"""A manifest that a service gives: asked for again only with the ETag that is known."""

from __future__ import annotations

from pathlib import Path

from promptyard.client.address import Address
from promptyard.client.listener import Listener
from promptyard.client.source import FileSource, Found, Mark, Source, SourceFault, WebMark

BYTE_SHARE = 0.85
"""How much of the deadline is waited for a byte; the rest is for saying that none came."""
TOTAL_SHARE = 5.0
"""How many deadlines a whole answer may take: a large manifest on a slow line comes later."""


class WebSource:
    """The manifest at a URL."""

    hint = "`promptyard serve` answers there"

    def __init__(self, address: Address, *, deadline_s: float) -> None:
        self._address = address
        self._timeout_s = BYTE_SHARE * deadline_s
        self._total_s = TOTAL_SHARE * deadline_s

    def __str__(self) -> str:
        return self._address.manifest

    def read(self, known: Mark | None) -> Found | None:
        """Ask for the manifest. Raises SourceFault."""
        from promptyard.client.web import asked, read_whole

        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if isinstance(known, WebMark) and known.etag:
            headers["If-None-Match"] = known.etag
        elif isinstance(known, WebMark) and known.modified:
            headers["If-Modified-Since"] = known.modified
        url = self._address.manifest
        with asked(
            url,
            key=self._address.key,
            timeout_s=self._timeout_s,
            total_s=self._total_s,
            headers=headers,
        ) as response:
            if response is None:
                if known is None:
                    raise SourceFault("corrupt", f"{url} answers 304 to who has nothing yet")
                return None
            etag = response.headers.get("ETag") or ""
            modified = response.headers.get("Last-Modified") or ""
            return Found(read_whole(url, response), WebMark(etag, modified))

    def has_moved(self) -> bool:
        """Never: reads of it end by themselves."""
        return False


def source_of(source: str | Path, address: Address | None, *, deadline_s: float) -> Source:
    """Return the source at an address, or the file where there is none."""
    if address is None:
        return FileSource(Path(source))
    return WebSource(address, deadline_s=deadline_s)


def listener_at(address: Address | None, *, deadline_s: float) -> Listener | None:
    """Return what listens at a service; None for a file, here or on a web server."""
    if address is None or address.stream is None:
        return None
    return Listener(address, connect_s=max(1.0, deadline_s))
