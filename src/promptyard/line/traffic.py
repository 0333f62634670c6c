"""What traffic came to by hours: what is deleted already and what is still there, added up."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from promptyard.errors import ConfigError, Conflict
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.protocols import Store
from promptyard.records.traffic import TrafficHour, TrafficRow, TrafficSums

MAX_DAYS = 31
_SKEW = timedelta(minutes=2)
"""How far the clocks of replicas may be apart: so far around an hour its events are looked for."""
_MAX_TRIES = 20
_FIRST_HOUR, _LAST_HOUR = "0000", "9999-12-31T24"
_LAST_NUMBER = (1 << 63) - 1
_HOUR = "%Y-%m-%dT%H"


class _ReadPart(Protocol):
    """A method of the store that adds up a part of what is there, and says how far it got."""

    def __call__(
        self, name: str, *, after: int, through: int
    ) -> Awaitable[tuple[Sequence[TrafficHour], int]]: ...


async def traffic_hours(
    url: StoreOrUrl, name: str, *, since: str | None = None, until: str | None = None
) -> Sequence[TrafficHour]:
    """Return the totals of a prompt by hour, version and arm, from `since` up to before `until`.

    Both are times, ISO 8601, rounded down and up to hours of UTC; by default the last 24 hours. At
    most 31 days. Counts each event once, also while retention is deleting: then it is read anew.
    Reads all events of these hours that are still there. Raises ConfigError for other times,
    NotFound for a prompt that is neither registered nor has traffic of any time.
    """
    end = _ceil(_time(until, "until") if until else datetime.now(UTC))
    start = _floor(_time(since, "since") if since else end - timedelta(hours=24))
    if not start < end <= start + timedelta(days=MAX_DAYS):
        raise ConfigError(
            f"since {start:{_HOUR}} until {end:{_HOUR}}: expected an earlier and a later hour, at "
            f"most {MAX_DAYS} days apart"
        )
    async with opened(url) as store:
        for _ in range(_MAX_TRIES):
            found = await _read(store, name, start, end)
            if found is not None:
                if not found and name:
                    await _require_known(store, name)
                return found
    raise Conflict(f"the traffic of '{name}' is deleted faster than it can be read; try again")


async def list_traffic(
    url: StoreOrUrl, name: str, *, since: str | None = None, until: str | None = None
) -> Sequence[TrafficRow]:
    """Return what `traffic_hours` finds, as people and graphs read it."""
    hours = await traffic_hours(url, name, since=since, until=until)
    return [TrafficRow.of(hour) for hour in hours]


async def _require_known(store: Store, name: str) -> None:
    """Raise NotFound where a prompt is not registered and nothing was ever heard of it."""
    if (
        name in await store.prompt_names()
        or await store.n_events(name, after=0)
        or (await store.present_spans(name, after=0, through=_LAST_NUMBER, limit=1))[0]
        or await store.folded_hours(name, since=_FIRST_HOUR, until=_LAST_HOUR)
    ):
        return
    await require_prompt(store, name)


async def _read(
    store: Store, name: str, start: datetime, end: datetime
) -> Sequence[TrafficHour] | None:
    """Add up; None where something was deleted, and so moved to the hours, meanwhile."""
    since, until = f"{start:{_HOUR}}", f"{end:{_HOUR}}"
    folded = await store.folded_hours(name, since=since, until=until)
    sums = TrafficSums()
    for item in folded:
        sums.add(item.key, item.totals)
    first, last = (f"{time:{_HOUR}:%M:%S}" for time in (_earlier(start), _later(end)))
    numbers = (await store.event_number_at(first), await store.event_number_at(last))
    await _add_present(store.present_hours, name, numbers, sums, (since, until))
    numbers = (await store.span_number_at(first), await store.span_number_at(last))
    await _add_present(store.present_spans, name, numbers, sums, (since, until))
    if await store.folded_hours(name, since=since, until=until) != folded:
        return None
    return sums.hours


def _earlier(time: datetime) -> datetime:
    return time - _SKEW if time > datetime.min.replace(tzinfo=time.tzinfo) + _SKEW else time


def _later(time: datetime) -> datetime:
    return time + _SKEW if time < datetime.max.replace(tzinfo=time.tzinfo) - _SKEW else time


async def _add_present(
    read: _ReadPart, name: str, numbers: tuple[int, int], sums: TrafficSums, hours: tuple[str, str]
) -> None:
    """Add what is still there, part by part, so that others get at the store in between."""
    after, through = numbers
    while after < through:
        found, after = await read(name, after=after, through=through)
        for item in found:
            if hours[0] <= item.key.hour < hours[1]:
                sums.add(item.key, item.totals)
        if not after:
            return


def _time(text: str, what: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{what} {text!r}: expected a time such as 2026-11-27T05:00:00Z"
        ) from None


def _floor(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)


def _ceil(time: datetime) -> datetime:
    whole = _floor(time)
    return whole if whole == time else whole + timedelta(hours=1)
