"""Sends what webhooks are told: signed, to checked addresses alone, once a call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence

import aiohttp
from yarl import URL

from promptyard import __version__
from promptyard.errors import ConfigError
from promptyard.line.name_resolution import resolve_by_system
from promptyard.line.webhook_addresses import (
    Place,
    Resolve,
    addresses_of,
    read_allowed,
    read_url,
)
from promptyard.line.webhook_settings import webhook_secret
from promptyard.records.webhooks import Delivered, Delivery, signed_headers, signing_key

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 64 << 10
"""What is read of an answer, so that its end is seen; nothing of it is kept."""
MAX_ADDRESSES = 3
CONNECT_S = 3.0
"""How long an address may take to connect where there is a next one, for which time is left so."""
REST_S = 1.0
"""How long what comes after the status is read: the receiver has said then how it went."""


class WebhookSender:
    """Tries deliveries. The environment is read at each, so a changed one counts at once."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        resolve: Resolve = resolve_by_system,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environ = environ
        self._resolve = resolve
        self._clock = clock

    async def send(self, delivery: Delivery) -> Delivered:
        """Try a delivery once; takes up to 11 s. What went wrong stands in what is returned.

        The host is resolved anew and all its addresses are checked; the connection goes to one of
        these. A redirect is not followed: it is a failure, as is all but a status of 200 to 299.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S) as limit:
                key = signing_key(webhook_secret(self._environ), delivery.webhook_id)
                place = read_url(delivery.url)
                allowed = read_allowed(self._environ)
                addresses = await addresses_of(place, allowed, self._resolve)
                headers = signed_headers(key, delivery, int(self._clock()))
                status = await _post(place, addresses, headers, delivery.body.encode(), limit)
        except ConfigError as error:
            return Delivered(error=str(error))
        except TimeoutError:
            return Delivered(error=f"no answer within {TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Delivered(error=f"the connection failed ({type(error).__name__})")
        if 200 <= status < 300:
            return Delivered(status=status)
        why = ": redirects are not followed" if 300 <= status < 400 else ""
        return Delivered(status=status, error=f"answered {status}{why}")


async def _post(
    place: Place,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    limit: asyncio.Timeout,
) -> int:
    """Send a body to the first address that takes the connection; returns the status.

    `limit` is how long that may take; once there is a status, it is lifted.
    """
    sent = {
        **headers,
        "Host": place.netloc,
        "Content-Type": "application/json",
        "User-Agent": f"promptyard/{__version__}",
    }
    connector = aiohttp.TCPConnector(force_close=True, limit=1)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        for number, address in enumerate(addresses[:MAX_ADDRESSES], 1):
            is_last = number == min(len(addresses), MAX_ADDRESSES)
            connect_s = None if is_last else CONNECT_S
            try:
                async with session.post(
                    _url(place, address),
                    data=body,
                    headers=sent,
                    # Certificates are held against the name, though the address is connected to.
                    server_hostname=place.host if place.scheme == "https" else None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(sock_connect=connect_s),
                ) as response:
                    # The status has been said, whatever becomes of the rest.
                    limit.reschedule(None)
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with asyncio.timeout(REST_S):
                            await response.content.read(MAX_ANSWER_BYTES)
                    return response.status
            except aiohttp.ClientConnectorCertificateError:
                raise
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                if is_last:
                    raise
    raise OSError("no address")


def _url(place: Place, address: str) -> URL:
    host = f"[{address}]" if ":" in address else address
    return URL(f"{place.scheme}://{host}:{place.port}{place.target}", encoded=True)
