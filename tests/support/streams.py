"""Reads a stream of server-sent events, as any client of them would."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from support.served import Service


class Sent(NamedTuple):
    """One event, or a comment, whose name is empty."""

    name: str
    data: Any


@contextlib.contextmanager
def stream(service: Service, path: str, *, timeout_s: float = 5.0) -> Generator[Iterator[Sent]]:
    """Open a stream and give what it sends, until it ends."""
    place = urlsplit(service.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {service.key}"} if service.key else {}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        assert response.headers.get_content_type() == "text/event-stream"
        with response:
            yield _sent(response)
    finally:
        connection.close()


def _sent(response: http.client.HTTPResponse) -> Iterator[Sent]:
    fields: dict[str, str] = {}
    while line := response.readline().decode():
        line = line.rstrip("\n")
        if line.startswith(":"):
            yield Sent("", line)
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Sent(fields["event"], json.loads(fields["data"]))
            fields = {}
