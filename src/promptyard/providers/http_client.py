"""Posts JSON to one address: connections per event loop, one deadline a call, typed errors.

What every provider on HTTP needs below its wire format. aiohttp because it costs a tenth of the
CPU of the vendors' clients and sends the body exactly as given.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from promptyard.errors import BadResponse, ConfigError, ModelTimeout
from promptyard.providers.http_errors import one_line, request_id, status_error, transport_error

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024

MIN_SECRET_CHARS = 6
"""Shorter values (`none`, `EMPTY`) are no keys; blotting them out would only spoil messages."""

_SECRET_HEADERS = ("key", "token", "auth", "secret", "cookie")


class HttpAnswer(NamedTuple):
    """A 2xx answer: its body and how long the call took, in seconds."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    latency_s: float

    @property
    def request_id(self) -> str | None:
        """The server's id of the request out of the headers."""
        return request_id(self.headers)


class HttpClient:
    """The way to one endpoint of one model server.

    Connections belong to the event loop that uses them: each loop gets its own, and a loop that
    ends closes them, whether `close` was called or not.
    """

    def __init__(
        self, url: str, *, name: str, model: str, headers: Mapping[str, str], max_connections: int
    ) -> None:
        """Describe the endpoint; no connection is made.

        Args:
            url: the address that is posted to.
            name: full name of the model, `provider/model`; error messages open with it.
            model: the name that the server knows it by.
            headers: sent with every call. Values whose header speaks of a key or token are kept
                out of every error message.
            max_connections: connections kept open at most; further calls wait for one.

        Raises ConfigError for a header value that HTTP cannot carry.
        """
        parts = urlsplit(url)
        self.where = f"{name} at {parts.scheme}://{parts.netloc}{parts.path}"
        self._url = url
        self._model = model
        self._headers = _checked(headers, name)
        self._set = {header.lower() for header in self._headers}
        self._secrets = _secrets(self._headers)
        self._max_connections = max_connections
        self._connections: dict[asyncio.AbstractEventLoop, _Connections] = {}

    async def post(
        self, payload: bytes, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """Post once and return the whole answer, which must be 2xx and at most 64 MiB.

        `timeout_s` bounds everything, from waiting for a connection to the last byte. Redirects
        are not followed. `headers` belong to this call; those of the client win over them.
        Raises the ModelError that fits whatever went wrong.
        """
        own = {key: value for key, value in (headers or {}).items() if key.lower() not in self._set}
        session = await self._session()
        started = time.perf_counter()
        status, received, raw = await self._exchange(session, payload, own, timeout_s)
        answer = HttpAnswer(status, received, raw, time.perf_counter() - started)
        if not _is_success(status):
            raise status_error(
                status,
                received,
                raw,
                where=self.where,
                model=self._model,
                now=time.time(),
                secrets=self._secrets,
            )
        if len(raw) > MAX_ANSWER_BYTES:
            raise self.bad_response("the answer is larger than 64 MiB", answer)
        return answer

    def bad_response(self, reason: str, answer: HttpAnswer) -> BadResponse:
        """Return the error for an answer that is not what the protocol says; one line."""
        return BadResponse(
            f"{self.where}: {one_line(reason, self._secrets)}",
            status=answer.status,
            request_id=answer.request_id,
        )

    async def close(self) -> None:
        """Close the connections of every event loop. Safe to call twice; a later post reopens."""
        mine = self._connections.pop(asyncio.get_running_loop(), None)
        # A generator of another loop, once dropped, is ended by that loop itself.
        self._connections.clear()
        if mine is not None:
            await mine.lifeline.aclose()

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        known = self._connections.get(loop)
        if known is not None and not known.session.closed:
            return known.session
        for ended in [other for other in self._connections if other.is_closed()]:
            self._connections.pop(ended, None)
        session = self._new_session()
        lifeline = _close_at_end(session)
        await anext(lifeline)
        self._connections[loop] = _Connections(session, lifeline)
        return session

    def _new_session(self) -> aiohttp.ClientSession:
        import aiohttp

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._max_connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            # The deadline of a call is ours; aiohttp would round it up to whole seconds.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
        )

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        payload: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        import aiohttp

        try:
            async with asyncio.timeout(timeout_s):
                async with session.post(
                    self._url, data=payload, headers=headers, allow_redirects=False
                ) as response:
                    limit = MAX_ANSWER_BYTES if _is_success(response.status) else MAX_ERROR_BYTES
                    raw = await _read(response.content, limit)
                    return response.status, response.headers, raw
        except TimeoutError:
            raise ModelTimeout(
                f"{self.where} gave no whole answer within {timeout_s:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise transport_error(error, where=self.where, secrets=self._secrets) from None


class _Connections(NamedTuple):
    """The session of one event loop, and the generator whose end closes it."""

    session: aiohttp.ClientSession
    lifeline: AsyncGenerator[None, None]


async def _close_at_end(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Hold a session open; ending this generator closes it.

    An event loop ends its asynchronous generators before it closes (asyncio.run does), so the
    connections go with the loop that owns them even when nobody called `close`.
    """
    try:
        yield
    finally:
        await session.close()


async def _read(stream: aiohttp.StreamReader, limit: int) -> bytes:
    """Read at most a chunk more than `limit` bytes, counted after decompression."""
    chunks = bytearray()
    async for chunk in stream.iter_any():
        chunks += chunk
        if len(chunks) > limit:
            break
    return bytes(chunks)


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _checked(headers: Mapping[str, str], name: str) -> dict[str, str]:
    # A key read out of a file often ends in a newline.
    stripped = {header: value.strip() for header, value in headers.items()}
    for header, value in stripped.items():
        if not value.isprintable():
            raise ConfigError(
                f"The header {header} of {name} contains a control character; "
                "check the API key and the configured headers."
            )
    return stripped


def _secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Collect what a message must not repeat, longest first: keys with and without `Bearer`."""
    values = {
        secret
        for header, value in headers.items()
        if any(word in header.lower() for word in _SECRET_HEADERS)
        for secret in (value, value.removeprefix("Bearer "))
        if len(secret) >= MIN_SECRET_CHARS
    }
    return tuple(sorted(values, key=len, reverse=True))
