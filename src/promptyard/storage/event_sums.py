"""Adds live events up by hours, and deletes what is too old: a part at a time, however much it is.

What was said of the outcomes of a part is read before, page by page, so that no transaction gets
longer by it. In the one that deletes them only what has come since is read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, select

from promptyard.errors import Tampered
from promptyard.records.live import Feedback, LiveEvent, Outcome
from promptyard.records.traffic import (
    Folded,
    TrafficHour,
    TrafficKey,
    TrafficSums,
    TrafficTotals,
    hour_of,
)
from promptyard.storage.feedback import (
    FeedbackReading,
    OutcomeKey,
    SaidOfOutcome,
    delete_feedback,
)
from promptyard.storage.live import read_event
from promptyard.storage.tables import live_events
from promptyard.storage.traffic import Part, add_to_hours, last_number, number_at, portions


@dataclass
class _Found:
    """What a part of the events came to, and which rows that was, feedback left out."""

    sums: TrafficSums = field(default_factory=TrafficSums)
    ids: list[int] = field(default_factory=list[int])
    outcomes: list[OutcomeKey] = field(default_factory=list[OutcomeKey])
    n_feedback: int = 0
    n_exposures: int = 0
    n_damaged: int = 0

    def add_outcomes(
        self, rows: Sequence[RowMapping], said_of: Callable[[str], SaidOfOutcome]
    ) -> None:
        for row in rows:
            said = said_of(row["event_id"])
            outcome = _read(row)
            if outcome is None or said.is_damaged:
                self.n_damaged += 1
                continue
            assert isinstance(outcome, Outcome)
            self.sums.add_outcome(row["stored_at"], outcome, said.said)
            self.outcomes.append(OutcomeKey(row["prompt"], row["event_id"]))
            self.n_feedback += said.n_feedback
            self.ids.append(row["id"])

    def add_exposures(self, rows: Sequence[RowMapping]) -> None:
        for row in rows:
            event = _read(row)
            if event is None:
                self.n_damaged += 1
                continue
            assert not isinstance(event, Feedback)
            key = TrafficKey(
                prompt=event.prompt,
                version=event.version,
                arm=event.arm or "",
                hour=hour_of(row["stored_at"]),
            )
            self.sums.add(key, TrafficTotals(n_exposures=1))
            self.n_exposures += 1
            self.ids.append(row["id"])


@dataclass(frozen=True)
class EventPart:
    """Some events, and the last number of all: so far feedback on them is read before.

    `after` is the number up to which was looked, `is_done` whether nothing is left beyond it.
    """

    rows: Sequence[RowMapping]
    last: int
    after: int
    is_done: bool

    def reading(self, limit: int) -> FeedbackReading:
        """Begin to read what was said of the outcomes."""
        outcomes = (OutcomeKey(row["prompt"], row["event_id"]) for row in _of(self.rows, "outcome"))
        return FeedbackReading(outcomes, self.last, limit)

    def hours(self, reading: FeedbackReading) -> list[TrafficHour]:
        """Add them up, with what was said."""
        found = _Found()
        found.add_outcomes(_of(self.rows, "outcome"), reading.of)
        found.add_exposures(_of(self.rows, "exposure"))
        return found.sums.hours


def part_of_prompt(connection: Connection, name: str, part: Part) -> EventPart:
    """Return events of a prompt."""
    return _part(connection, live_events.c.prompt == name, part)


@dataclass(frozen=True)
class Step:
    """What a step of deleting did; of its `outcomes` there is feedback left if `has_more`."""

    folded: Folded
    outcomes: Sequence[OutcomeKey]
    has_more: bool


@dataclass(frozen=True)
class EventFold:
    """A step of deleting events of a rollout, or of none, that were stored before a time."""

    rollout_id: str | None
    before: str
    after: int
    limit: int
    dry_run: bool

    def part(self, connection: Connection) -> EventPart:
        """Look which events that would be."""
        through = number_at(connection, live_events, self.before)
        return _part(connection, self._here, Part(self.after, through, self.limit))

    def run(self, part: EventPart, reading: FeedbackReading, connection: Connection) -> Step | None:
        """Delete events and add them to their hours; the caller holds the lock of live events.

        So is the feedback on their outcomes, `limit` rows at most. None, and nothing done, where
        more than so many have come since it was read.
        """
        # Read again: somebody else may have deleted some of them meanwhile.
        rows = _rows(connection, self._here, Part(self.after, part.after, self.limit))
        outcomes = _of(rows, "outcome")
        late = reading.since(connection, [row["event_id"] for row in outcomes])
        if late is None:
            return None
        found = _Found()
        found.add_outcomes(outcomes, lambda outcome_id: reading.of(outcome_id, late))
        found.add_exposures(_of(rows, "exposure"))
        orphans = _without_outcome(connection, _of(rows, "feedback"))
        n_gone = 0
        if not self.dry_run:
            n_gone = delete_feedback(connection, found.outcomes, self.limit)
            for some in portions([*found.ids, *orphans]):
                connection.execute(delete(live_events).where(live_events.c.id.in_(some)))
            add_to_hours(connection, found.sums)
        folded = Folded(
            n_outcomes=len(found.outcomes),
            n_feedback=found.n_feedback + len(orphans),
            n_exposures=found.n_exposures,
            n_damaged=found.n_damaged,
            after=part.after,
            is_done=part.is_done,
        )
        return Step(folded, found.outcomes, has_more=n_gone == self.limit)

    @property
    def _here(self) -> ColumnElement[bool]:
        column = live_events.c.rollout_id
        of_rollout = column.is_(None) if self.rollout_id is None else column == self.rollout_id
        # Asked of each row as well: of a clock that was wrong for a while, numbers say nothing.
        return of_rollout & (live_events.c.stored_at < self.before)


def _part(connection: Connection, here: ColumnElement[bool], part: Part) -> EventPart:
    rows = _rows(connection, here, part)
    return EventPart(
        rows=rows,
        last=last_number(connection, live_events),
        after=rows[-1]["id"] if rows else part.through,
        is_done=len(rows) < part.limit,
    )


def _rows(connection: Connection, here: ColumnElement[bool], part: Part) -> Sequence[RowMapping]:
    numbers = (live_events.c.id > part.after, live_events.c.id <= part.through)
    query = select(live_events).where(here, *numbers).order_by(live_events.c.id)
    return connection.execute(query.limit(part.limit)).mappings().all()


def _of(rows: Sequence[RowMapping], kind: str) -> list[RowMapping]:
    return [row for row in rows if row["kind"] == kind]


def _read(row: RowMapping) -> LiveEvent | None:
    try:
        return read_event(row["id"], row["event"])
    except Tampered:
        return None


def _without_outcome(connection: Connection, feedback: Sequence[RowMapping]) -> list[int]:
    """Return the numbers of feedback whose outcome is not there: it says nothing of anything."""
    there: set[tuple[str, str]] = set()
    for some in portions([row["outcome_id"] for row in feedback]):
        query = select(live_events.c.prompt, live_events.c.event_id).where(
            live_events.c.event_id.in_(some), live_events.c.kind == "outcome"
        )
        there.update((prompt, event_id) for prompt, event_id in connection.execute(query))
    return [row["id"] for row in feedback if (row["prompt"], row["outcome_id"]) not in there]
