"""Leases: which replica does a piece of background work for the moment, and how that stands."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Json, Record

WORK = ("canary", "monitors", "judges", "webhooks", "retention")
"""The names of the leases of background work; others are those of jobs."""


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


class WorkNote(Record):
    """How a piece of background work stands, as its owner writes it on its lease.

    Times are UTC, ISO 8601, of the owner's clock; `took_s` is how long the last turn took. `did`
    says in one line what it did, `error` why it failed, empty where it did not. `n_turns` and
    `n_failed` count the turns of this owner.
    """

    last_at: str = ""
    next_at: str = ""
    took_s: float = 0.0
    did: str = ""
    error: str = ""
    n_turns: int = 0
    n_failed: int = 0
