"""Tables of built-in parts, each of which is imported when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TypeVar, cast

Part = TypeVar("Part")


class Parts(Mapping[str, Part]):
    """Built-in parts by name. Looking through the names imports nothing.

    A task uses few of the parts of a large table, and a module costs about a millisecond of
    start-up.
    """

    def __init__(self, package: str, places: Mapping[str, Part | str]) -> None:
        """Fill the table; `module:name` stands for what has this name in a module of `package`."""
        self._package = package
        self._parts = dict(places)

    def __getitem__(self, name: str) -> Part:
        """Return a part. Raises KeyError for an unknown name."""
        part = self._parts[name]
        if isinstance(part, str):
            module, _, attribute = part.partition(":")
            found = getattr(importlib.import_module(f"{self._package}.{module}"), attribute)
            part = self._parts[name] = cast("Part", found)
        return part

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts
