"""Totals by hours: deletes spans into them in one transaction, and counts those that are there."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, select, tuple_

from promptyard.records.traffic import (
    Folded,
    TrafficHour,
    TrafficKey,
    TrafficSums,
    TrafficTotals,
)
from promptyard.storage.statements import insert_or_replace
from promptyard.storage.stored_text import from_text, to_text
from promptyard.storage.tables import live_events, spans, traffic_hours

_KEY = ("prompt", "version", "arm", "hour")
_MAX_PARAMETERS = 500


@dataclass(frozen=True)
class Part:
    """Which rows: numbers above `after` up to `through`, at most `limit`."""

    after: int
    through: int
    limit: int


def number_at(connection: Connection, table: Table, at: str) -> int:
    """Return the number of the last row stored before a time: they are stored in that order.

    Halves the numbers, as there is no index on times: some 20 rows are looked at.
    """
    low, high = 0, last_number(connection, table)
    while low < high:
        middle = (low + high + 1) // 2
        query = select(table.c.id, table.c.stored_at).where(table.c.id >= middle)
        number, stored_at = connection.execute(query.order_by(table.c.id).limit(1)).one()
        if number <= high and stored_at < at:
            low = number
        else:
            high = middle - 1
    return low


def last_number(connection: Connection, table: Table) -> int:
    """Return the number of the newest row, 0 of none."""
    return connection.execute(select(func.max(table.c.id))).scalar() or 0


def count_events(connection: Connection, name: str, after: int) -> int:
    """How many live events of a prompt have numbers above `after`: a count in the index."""
    here = (live_events.c.prompt == name, live_events.c.id > after)
    return connection.execute(select(func.count(live_events.c.id)).where(*here)).scalar_one()


def list_event_rollouts(connection: Connection) -> list[str]:
    """Ids of the rollouts that events name; each is one step in the index."""
    found: list[str] = []
    column = live_events.c.rollout_id
    while True:
        query = select(func.min(column)).where(column > (found[-1] if found else ""))
        following = connection.execute(query).scalar()
        if following is None:
            return found
        found.append(following)


@dataclass(frozen=True)
class SpanFold:
    """A step of deleting spans: those stored before a time, and all but the `keep` newest.

    Those stored at `spare_from` or later stay in any case.
    """

    keep: int
    before: str
    spare_from: str
    after: int
    limit: int
    dry_run: bool

    def run(self, connection: Connection) -> Folded:
        """Delete spans and count them in their hours; the caller holds the lock of live events."""
        too_many = last_number(connection, spans) - self.keep
        through = min(
            max(too_many, number_at(connection, spans, self.before)),
            number_at(connection, spans, self.spare_from),
        )
        # Asked of each row as well: of a clock that was wrong for a while, numbers say nothing.
        old_enough = (
            spans.c.stored_at < self.spare_from,
            (spans.c.id <= too_many) | (spans.c.stored_at < self.before),
        )
        wanted = select(spans.c.id).where(*_between(self.after, through), *old_enough)
        numbers = _first(connection, wanted, self.limit)
        if numbers and not self.dry_run:
            of_part = (*_between(self.after, numbers[-1]), *old_enough)
            add_to_hours(connection, _span_sums(connection, of_part))
            connection.execute(delete(spans).where(*of_part))
        return Folded(
            n_spans=len(numbers),
            after=numbers[-1] if numbers else through,
            is_done=len(numbers) < self.limit,
        )


def list_hours(connection: Connection, name: str, since: str, until: str) -> list[TrafficHour]:
    """What was deleted of a prompt in some hours, by hour, version and arm."""
    table = traffic_hours.c
    query = select(traffic_hours).where(
        table.prompt == name, table.hour >= since, table.hour < until
    )
    rows = connection.execute(query.order_by(table.hour, table.version, table.arm)).mappings()
    return [
        TrafficHour(
            key=TrafficKey(**{column: row[column] for column in _KEY}),
            totals=from_text(TrafficTotals, row["totals"]),
        )
        for row in rows
    ]


def count_spans(connection: Connection, name: str, part: Part) -> tuple[list[TrafficHour], int]:
    """Count spans that are there, of a prompt or, for an empty name, of none; and how far."""
    of_prompt = spans.c.prompt == name if name else spans.c.prompt.is_(None)
    wanted = select(spans.c.id).where(of_prompt, *_between(part.after, part.through))
    numbers = _first(connection, wanted, part.limit)
    if not numbers:
        return [], 0
    sums = _span_sums(connection, (of_prompt, *_between(part.after, numbers[-1])))
    return sums.hours, numbers[-1] if len(numbers) == part.limit else 0


def _between(after: int, through: int) -> tuple[ColumnElement[bool], ...]:
    """Ask for numbers above one, up to another.

    A second upper bound beside it would be asked of each row: SQLite reads up to the first.
    """
    return (spans.c.id > after, spans.c.id <= through)


def _first(connection: Connection, wanted: Select[int], limit: int) -> list[int]:
    return list(connection.execute(wanted.order_by(spans.c.id).limit(limit)).scalars())


def _span_sums(connection: Connection, of_part: Sequence[ColumnElement[bool]]) -> TrafficSums:
    sums = TrafficSums()
    columns = (spans.c.prompt, spans.c.version, func.substr(spans.c.stored_at, 1, 13))
    counted = select(*columns, func.count(), func.sum(spans.c.is_error)).where(*of_part)
    for prompt, version, hour, n, n_errors in connection.execute(counted.group_by(*columns)):
        key = TrafficKey(prompt=prompt or "", version=version or 0, arm="", hour=hour)
        sums.add(key, TrafficTotals(n_spans=n, n_span_errors=int(n_errors)))
    return sums


def add_to_hours(connection: Connection, sums: TrafficSums) -> None:
    """Add totals to those of their hours that are stored."""
    new = sums.hours
    columns = [traffic_hours.c[name] for name in _KEY]
    for some in portions([tuple(getattr(item.key, name) for name in _KEY) for item in new]):
        query = select(*columns, traffic_hours.c.totals).where(tuple_(*columns).in_(some))
        for *key, totals in connection.execute(query):
            known = TrafficKey(**dict(zip(_KEY, key, strict=True)))
            sums.add(known, from_text(TrafficTotals, totals))
    for item in sums.hours:
        values = {name: getattr(item.key, name) for name in _KEY}
        values["totals"] = to_text(item.totals)
        connection.execute(insert_or_replace(connection, traffic_hours, _KEY, values))


def portions(items: Sequence[Any]) -> Generator[Sequence[Any]]:
    """Yield what fits the parameters of one statement, until all was there."""
    for start in range(0, len(items), _MAX_PARAMETERS):
        yield items[start : start + _MAX_PARAMETERS]
