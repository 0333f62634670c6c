"""Reads what was said of outcomes page by page: of one there may be any number of feedback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, delete, select

from promptyard.errors import Tampered
from promptyard.records.live import Feedback
from promptyard.records.traffic import Said
from promptyard.storage.live import read_event
from promptyard.storage.statements import MAX_PARAMETERS
from promptyard.storage.tables import live_events


class Spoken(NamedTuple):
    """A row of feedback: its number, the prompt and outcome it names, what it says.

    `feedback` is None where the row cannot be read.
    """

    number: int
    prompt: str
    outcome_id: str
    feedback: Feedback | None


class OutcomeKey(NamedTuple):
    """Which outcome: feedback belongs to one of the same prompt."""

    prompt: str
    outcome_id: str


@dataclass
class SaidOfOutcome:
    """What the feedback on one outcome came to, as far as it was read."""

    said: Said = field(default_factory=Said)
    n_feedback: int = 0
    is_damaged: bool = False

    def after(self, rows: Iterable[Spoken]) -> SaidOfOutcome:
        """Return what it comes to with some more rows; this one stays as it is."""
        later = SaidOfOutcome(
            Said(dict(self.said.scores), self.said.hard_failure), self.n_feedback, self.is_damaged
        )
        for row in rows:
            later.add(row)
        return later

    def add(self, row: Spoken) -> None:
        """Take in the next row."""
        self.n_feedback += 1
        if row.feedback is None:
            self.is_damaged = True
        else:
            self.said.add(row.feedback)


class FeedbackReading:
    """Reads the feedback on some outcomes with numbers up to `through`, `limit` rows at a time.

    Each `page` is one short reading, which changes nothing here, as it may be made again; `take`
    adds it up.
    """

    def __init__(self, outcomes: Iterable[OutcomeKey], through: int, limit: int) -> None:
        self.through = through
        self._outcomes = {item.outcome_id: item for item in outcomes}
        self._limit = limit
        self._said: dict[str, SaidOfOutcome] = {}
        self._left = list(self._outcomes)
        self._above = 0
        self._inside: tuple[str, int] | None = None

    @property
    def is_done(self) -> bool:
        """Whether all of it has been read."""
        return not self._left and self._inside is None

    def of(
        self, outcome_id: str, late: Mapping[str, Sequence[Spoken]] | None = None
    ) -> SaidOfOutcome:
        """Return what was said of an outcome as far as it was read, and `late`, by outcome."""
        said = self._said.get(outcome_id) or SaidOfOutcome()
        return said.after(late[outcome_id]) if late and outcome_id in late else said

    def page(self, connection: Connection) -> list[Spoken]:
        """Read on: `limit` rows at most, those of an outcome oldest first."""
        if self._inside is not None:
            outcome_id, above = self._inside
            return _rows(connection, [outcome_id], (above, self.through), self._limit)
        some = self._left[:MAX_PARAMETERS]
        return _rows(connection, some, (self._above, self.through), self._limit)

    def take(self, rows: Sequence[Spoken]) -> None:
        """Add up what `page` has read, and go on behind it."""
        for row in rows:
            if self._is_ours(row):
                self._said.setdefault(row.outcome_id, SaidOfOutcome()).add(row)
        if self._inside is None:
            seen = {row.outcome_id for row in rows}
            is_whole = len(rows) < self._limit
            some = self._left[:MAX_PARAMETERS]
            unseen = [] if is_whole else [item for item in some if item not in seen]
            self._left = [*unseen, *self._left[MAX_PARAMETERS:]]
        self._inside = None if len(rows) < self._limit else (rows[-1].outcome_id, rows[-1].number)

    def go_on(self, through: int) -> None:
        """Read on what has come since, up to another number; all before has been read."""
        self._left, self._above, self.through = list(self._outcomes), self.through, through

    def since(
        self, connection: Connection, outcome_ids: Sequence[str]
    ) -> Mapping[str, Sequence[Spoken]] | None:
        """Return the feedback that has come since, by outcome; None of more than a page."""
        found: list[Spoken] = []
        for start in range(0, len(outcome_ids), MAX_PARAMETERS):
            some = outcome_ids[start : start + MAX_PARAMETERS]
            found += _rows(connection, some, (self.through, None), self._limit + 1)
            if len(found) > self._limit:
                return None
        late: dict[str, list[Spoken]] = {}
        for row in found:
            if self._is_ours(row):
                late.setdefault(row.outcome_id, []).append(row)
        return late

    def _is_ours(self, row: Spoken) -> bool:
        return self._outcomes[row.outcome_id].prompt == row.prompt


def delete_feedback(connection: Connection, outcomes: Sequence[OutcomeKey], limit: int) -> int:
    """Delete `limit` rows at most of the feedback on some outcomes; returns how many it were."""
    outcome_ids: dict[str, list[str]] = {}
    for item in outcomes:
        outcome_ids.setdefault(item.prompt, []).append(item.outcome_id)
    n_deleted = 0
    for prompt, ids in outcome_ids.items():
        for start in range(0, len(ids), MAX_PARAMETERS):
            here = live_events.c.outcome_id.in_(ids[start : start + MAX_PARAMETERS])
            some = select(live_events.c.id).where(here, live_events.c.prompt == prompt)
            numbers = some.limit(limit - n_deleted).scalar_subquery()
            gone = connection.execute(delete(live_events).where(live_events.c.id.in_(numbers)))
            n_deleted += gone.rowcount
            if n_deleted >= limit:
                return n_deleted
    return n_deleted


def _rows(
    connection: Connection,
    outcome_ids: Sequence[str],
    numbers: tuple[int, int | None],
    limit: int,
) -> list[Spoken]:
    """Return feedback with numbers above the first up to the second, by outcome and number."""
    columns = live_events.c
    query = select(columns.id, columns.prompt, columns.outcome_id, columns.event).where(
        columns.outcome_id.in_(outcome_ids), columns.id > numbers[0]
    )
    if numbers[1] is not None:
        query = query.where(columns.id <= numbers[1])
    rows = connection.execute(query.order_by(columns.outcome_id, columns.id).limit(limit))
    return [Spoken(row[0], row[1], row[2], _feedback(row[0], row[3])) for row in rows]


def _feedback(number: int, text: str) -> Feedback | None:
    try:
        event = read_event(number, text)
    except Tampered:
        return None
    return event if isinstance(event, Feedback) else None
