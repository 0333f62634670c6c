"""The one store: completions, attempts, runs, versions and pointers, in SQLite or PostgreSQL."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from promptyard.errors import StorageError
from promptyard.storage.address import Address, parse_address

if TYPE_CHECKING:
    from promptyard.storage.sql_store import SqlStore

__all__ = ["STORES", "open_store"]


def open_store(url: str | None) -> SqlStore:
    """Return the store at `url`; its `open()` connects and migrates, nothing is touched before.

    None is a store in memory, `runs.db` and `sqlite:///runs.db` are a file, `postgresql://...` is
    a server. Raises StorageError for another scheme, and where the driver is not installed.
    """
    address = parse_address(url)
    return STORES[address.dialect](address)


def _sqlite(address: Address) -> SqlStore:
    from promptyard.storage.sql_store import SqlStore

    return SqlStore(address)


def _postgresql(address: Address) -> SqlStore:
    try:
        importlib.import_module("psycopg")
    except ImportError:  # not there, or there without the client library that it wraps
        raise StorageError(
            f"The store {address.shown} needs the PostgreSQL driver; "
            "install it with: pip install 'promptyard[postgres]'"
        ) from None
    from promptyard.storage.sql_store import SqlStore

    return SqlStore(address)


STORES: Mapping[str, Callable[[Address], SqlStore]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}
"""The stores that are built in, by dialect."""
