"""How many requests a key may make: a bucket that refills, one per key and replica.

And how many an address may make with keys that are wrong: each is looked up and may be logged.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from promptyard.service.problems import RequestRefused

MAX_BUCKETS = 10_000
WRONG_PER_S = 0.2
WRONG_BURST = 20
"""Requests with wrong keys that an address may make; more are answered with 429, right keys never.
Nobody guesses 256 bits: this bounds the audit log, where refused acts stand."""


class Rates:
    """Buckets of `burst` requests that refill by `per_s` a second."""

    def __init__(
        self,
        per_s: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        what: str = "requests",
    ) -> None:
        self._what = what
        self._per_s = per_s
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> None:
        """Count a request. Raises RequestRefused with 429 where there were too many."""
        now_s = self._clock()
        left, at_s = self._buckets.get(who, (self._burst, now_s))
        left = min(self._burst, left + (now_s - at_s) * self._per_s)
        if left < 1.0:
            wait_s = (1.0 - left) / self._per_s
            detail = f"more than {self._per_s:g} {self._what} a second; again in {wait_s:.1f} s"
            raise RequestRefused(429, "too-many-requests", detail, retry_after_s=wait_s)
        self._buckets[who] = (left - 1.0, now_s)
        self._buckets.move_to_end(who)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)


def wrong_keys() -> Rates:
    """Return the buckets of wrong keys, one per address."""
    return Rates(WRONG_PER_S, WRONG_BURST, what="requests with wrong keys")


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, None where it is none.

    A socket that listens at IPv6 as well hands IPv4 addresses over as `::ffff:192.0.2.7`: they are
    read as the IPv4 addresses that they are (RFC 4291, section 2.5.5.2).
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def block_of(text: str) -> str:
    """Return what one sender has: an IPv4 address, or the /64 of an IPv6 address."""
    address = ip_of(text)
    if address is None:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
