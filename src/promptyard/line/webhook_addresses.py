"""Where webhooks may go: to public addresses, and to what PROMPTYARD_WEBHOOK_ALLOW names.

Whoever may make webhooks must not reach with them what only this machine can reach: its own ports,
its neighbours, the metadata of its cloud. So a name is resolved once a delivery, all its addresses
are checked, and the connection goes to one of these very addresses.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from promptyard.config.load import WEBHOOK_ALLOW_VARIABLE as ALLOW_VARIABLE
from promptyard.errors import ConfigError

MAX_URL_CHARS = 2_000
RESOLVE_TIMEOUT_S = 5.0
PORTS = {"http": 80, "https": 443}

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host, at least one. Raises OSError where there are none."""

_URL = re.compile(r"[\x21-\x5b\x5d-\x7e]+")  # visible ASCII without the backslash
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")

# Source: IANA's registries of special-purpose addresses, and 168.63.129.16, where Azure answers
# its machines. Of IPv6 only 2000::/3 is in use; what stands here of it is special or hides an
# IPv4 address (Teredo 2001::/32, 6to4 2002::/16; NAT64 and mapped ones are outside of 2000::/3).
_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",
    )
)
_IN_USE_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


@dataclass(frozen=True)
class Place:
    """Where a URL leads: scheme, host in lower case, port, and path with query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def netloc(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Allowed:
    """What may be reached although it is not public: names of hosts, and blocks of addresses."""

    hosts: frozenset[str] = frozenset()
    blocks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def has(self, host: str, address: Ip) -> bool:
        """Whether a host, or one of its addresses, is allowed."""
        return host in self.hosts or any(address in block for block in self.blocks)


def read_url(url: str) -> Place:
    """Take a URL apart. Raises ConfigError for what is no plain http or https URL."""
    what = "a webhook's URL"
    if len(url) > MAX_URL_CHARS or not _URL.fullmatch(url):
        raise ConfigError(
            f"{what} is up to {MAX_URL_CHARS:,} characters of ASCII without blanks and "
            "backslashes; write others as %XX"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{what} cannot be read; write https://host/path") from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in PORTS or not _HOST.fullmatch(host) or port == 0:
        raise ConfigError(f"{what} begins with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise ConfigError(f"{what} has no user and no password; deliveries are signed instead")
    if parts.fragment:
        raise ConfigError(f"{what} has no #fragment; nobody would be sent it")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port or PORTS[parts.scheme], target)


def read_allowed(environ: Mapping[str, str]) -> Allowed:
    """Read PROMPTYARD_WEBHOOK_ALLOW: hosts and blocks (10.1.0.0/16). Raises ConfigError."""
    hosts: set[str] = set()
    blocks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for item in environ.get(ALLOW_VARIABLE, "").replace(",", " ").lower().split():
        try:
            blocks.append(ipaddress.ip_network(item))
        except ValueError:
            if "/" in item or not _HOST.fullmatch(item):
                raise ConfigError(
                    f"{ALLOW_VARIABLE}: {item[:100]!a} is neither a host nor a block of addresses "
                    "such as 10.1.0.0/16"
                ) from None
            hosts.add(item)
    return Allowed(frozenset(hosts), tuple(blocks))


def is_public(address: Ip) -> bool:
    """Whether an address is one of the public net, and hides no other one."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _NOT_PUBLIC_4)
    return address in _IN_USE_6 and not any(address in block for block in _NOT_PUBLIC_6)


async def addresses_of(place: Place, allowed: Allowed, resolve: Resolve) -> tuple[str, ...]:
    """Resolve a host once and return its addresses, all of which may be connected to.

    Raises ConfigError where it has none, or one that is not public and not allowed.
    """
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await resolve(place.host, place.port)
    except (OSError, UnicodeError, TimeoutError):
        raise ConfigError(f"the host {place.host} has no address that can be found") from None
    for text in found:
        address = ipaddress.ip_address(text)
        if not is_public(address) and not allowed.has(place.host, address):
            raise ConfigError(
                f"the host {place.host} is at {address}, which is not public; if webhooks may go "
                f"there, name the host or its block in {ALLOW_VARIABLE}"
            )
    return tuple(found)
