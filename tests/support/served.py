"""The service itself, on loopback, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from promptyard.config.service_shape import ServiceConfig
from promptyard.protocols import Store
from promptyard.records.api_keys import ApiKey, Scope, digest_of, key_text
from promptyard.service.server import Server
from promptyard.service.state import ServiceState
from promptyard.storage import open_store
from support.stores import on_store

Result = TypeVar("Result")
_AT = "2026-11-27T10:00:00.000000+00:00"


@dataclass(frozen=True)
class Answer:
    """One answer of the service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Service:
    """A running service: its address, its store, and who asks by default."""

    url: str
    store_url: str
    state: ServiceState
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def ask(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """Send one request; `value` is sent as JSON, `body` as it is."""
        sent = {**self.headers, **(headers or {})}
        token = key or self.key
        if token:
            sent.setdefault("Authorization", f"Bearer {token}")
        if value is not None:
            body = json.dumps(value).encode()
            sent.setdefault("Content-Type", "application/json")
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()

    def get(self, path: str, **more: Any) -> Answer:
        """Ask for something."""
        return self.ask("GET", path, **more)

    def post(self, path: str, value: Any = None, **more: Any) -> Answer:
        """Send something."""
        return self.ask("POST", path, value, **more)

    def in_store(self, work: Callable[[Store], Awaitable[Result]]) -> Result:
        """Do some work on the same store, as another process would."""
        return on_store(self.store_url, work)

    def new_key(self, *scopes: Scope, name: str = "ada", expires_at: str | None = None) -> str:
        """Make a key in the store; returns its text."""
        key_id = secrets.token_hex(6)
        text = key_text(key_id, secrets.token_urlsafe(32))
        made = ApiKey(
            id=key_id,
            name=name,
            scopes=scopes,
            digest=digest_of(text),
            created_at=_AT,
            created_by="test",
            expires_at=expires_at,
        )
        self.in_store(lambda store: store.add_key(made))
        self.state.access.forget()
        return text


@contextlib.contextmanager
def served(where: Path | str, **settings: Any) -> Generator[Service]:
    """Serve the store in a folder, or at a URL, until the block ends.

    It listens at 127.0.0.1; with `host="::"` at IPv6 as well.
    """
    store_url = where if isinstance(where, str) else str(where / "service.db")
    if settings.get("host") == "::":
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ready = threading.Event()
    made: list[tuple[ServiceState, Server]] = []

    def run() -> None:
        async def main() -> None:
            state = ServiceState.of(open_store(store_url), ServiceConfig(**settings))
            server = Server(state, grace_s=2)
            made.append((state, server))
            serving = asyncio.ensure_future(server.serve(sockets=[listener]))
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            ready.set()
            await serving

        asyncio.run(main())

    thread = threading.Thread(target=run, name="service", daemon=True)
    thread.start()
    assert ready.wait(20)
    state, server = made[0]
    try:
        yield Service(url, store_url, state)
    finally:
        state.stopping.set()
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()
