"""The address of a service, and what stands where below it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from promptyard.errors import ConfigError

SCHEMES = ("http://", "https://")
MANIFEST = "/api/v1/manifest"
EVENTS = "/api/v1/events"
KEY = "PROMPTYARD_KEY"


class Address(NamedTuple):
    """Where a client reads and writes. `stream` and `reports` are None at a bare web server.

    `manifest` is read, `stream` says when there is another one, `reports` takes live events. `key`
    is sent to these and to nobody else.
    """

    manifest: str
    stream: str | None
    reports: str | None
    key: str | None


def is_url(source: object) -> bool:
    """Whether a source is named by a URL of the web, not by a path."""
    return isinstance(source, str) and source.lower().startswith(SCHEMES)


def address_of(url: str, key: str | None) -> Address:
    """Read the URL of a service, or of its manifest. Raises ConfigError saying what is wrong.

    One that ends in `.json` is a file on a web server: nothing is listened to or sent there.
    Without `key` the one of PROMPTYARD_KEY is taken, if there is one; a mere web server, which may
    be anybody's, gets only a key that was meant for it.
    """
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ConfigError(f"{url!r} is no URL") from None
    if not is_whole or any(sign <= " " or sign > "~" for sign in url):
        raise ConfigError(f"{url!r} is no URL; one is http://127.0.0.1:8700")
    if "@" in parts.netloc:
        raise ConfigError(f"a URL holds no secret: name the key with key=... or {KEY}")
    if parts.query or parts.fragment:
        raise ConfigError(f"{url!r} has a query or a fragment; name the service alone")
    is_file = parts.path.endswith(".json")
    key = (key or ("" if is_file else os.environ.get(KEY, ""))).strip() or None
    if key is not None and any(sign <= " " or sign > "~" for sign in key):
        raise ConfigError("the key has signs in it that no key has; it looks like py_..._...")
    if is_file:
        return Address(url, None, None, key)
    base = url.rstrip("/").removesuffix(MANIFEST).rstrip("/")
    return Address(base + MANIFEST, f"{base}{MANIFEST}/events", base + EVENTS, key)


def default_spool(address: Address) -> Path:
    """Return the folder of this user's machine where events for a service wait. Makes nothing.

    Raises ConfigError where the user has no folder of their own.
    """
    given = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        state = Path(given) if given else Path.home() / ".local" / "state"
    except RuntimeError:
        raise ConfigError("there is no home folder; name one for events: record_to=...") from None
    name = hashlib.sha256((address.reports or "").encode()).hexdigest()[:16]
    return state / "promptyard" / f"spool-{name}"
