"""Checks what a client is set up with; a mistake in it is said at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from promptyard.client.address import Address, address_of, default_spool, is_url
from promptyard.errors import ConfigError

if TYPE_CHECKING:
    from promptyard.client.spans import SpanEmitter


def check_arguments(*, shadow_rate: float, snapshot: str | Path | None, **positive: float) -> None:
    """Raise ConfigError for a number that cannot be meant, naming it."""
    for name, value in positive.items():
        if not value > 0:
            raise ConfigError(f"{name} is above 0, got {value!r}")
    if not 0.0 <= shadow_rate <= 1.0:
        raise ConfigError(f"shadow_rate is in [0, 1], got {shadow_rate!r}")
    if snapshot is not None and not Path(snapshot).name:
        raise ConfigError(f"snapshot={str(snapshot)!r} is a folder; name a file in it")


def address_in(source: str | Path, key: str | None) -> Address | None:
    """Return the address that a source names; None for a path. Raises ConfigError."""
    if is_url(source):
        return address_of(str(source), key)
    if key is not None:
        raise ConfigError("a key is for a service; the source is a file")
    return None


def spool_in(record_to: str | Path | None, *, record: bool, address: Address | None) -> Path | None:
    """Return the folder for live events; None where none are recorded. Raises ConfigError."""
    if record_to is not None or not record:
        return None if record_to is None else Path(record_to)
    if address is None or address.reports is None:
        raise ConfigError("nothing takes events at a file: name a folder with record_to=...")
    return default_spool(address)


def span_emitter() -> SpanEmitter:
    """Return what makes spans of outcomes. Raises ConfigError where OpenTelemetry is missing."""
    try:
        from promptyard.client.spans import SpanEmitter
    except ImportError:
        raise ConfigError(
            "spans=True needs OpenTelemetry; install it with: pip install 'promptyard[otel]'"
        ) from None
    return SpanEmitter()
