"""Leases: which replica does a piece of background work for the moment."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Json, Record


class Lease(Record):
    """A right to do something until a time, by the database's clock.

    `fence` counts up whenever the owner changes. `ends_in_s` is negative where it has run out.
    `note` is what its owner last said of the work, for people.
    """

    name: str
    owner: str
    fence: int
    ends_in_s: float
    note: Mapping[str, Json] = Field(default_factory=dict)
