"""Collects the spool of a client into the store; removes only what is stored durably.

Events are idempotent by their id, so a collector may be killed at any moment, and several may run
at once: what was read twice counts once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from pydantic import Field

from promptyard.errors import ConfigError
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import ProgressSink, ReleaseStore
from promptyard.records.base import Record
from promptyard.records.live import Feedback, LiveEvent
from promptyard.records.runs import Progress
from promptyard.traces.collect import CLOSED, Rejected, Segment, read_segment, segments

REJECTED = "rejected"
CLIENT_NAME = re.compile(r"[0-9]{20}-")
"""How the names of a client's segments begin."""

BATCH = 1_000
ABANDONED_S = 600.0
"""After so long without a line, an open segment whose lock is free is that of a dead process.

A client closes its segments after a minute.
"""


class Collected(Record):
    """What one collecting did.

    `n_new` events were stored now and `n_repeated` had been before. `n_rejected` lines are no
    events: they stand, with their reasons, in the folder `rejected` of the spool; `kinds` counts
    them by what they are (`too_long`, `no_json` ...). `n_feedback` of the events are feedback;
    where there is any, `n_unjoined` counts that of the whole store without an outcome. `n_removed`
    segments are gone, since all that they held is stored or kept; `n_left` are still open. `errors`
    are segments that could not be read or removed; they are tried again next time.
    """

    n_new: int = 0
    n_repeated: int = 0
    n_rejected: int = 0
    kinds: Mapping[str, int] = Field(default_factory=dict)
    n_feedback: int = 0
    n_unjoined: int = 0
    n_removed: int = 0
    n_left: int = 0
    errors: tuple[str, ...] = ()


async def collect_spool(
    url: StoreOrUrl, folder: Path, *, on_progress: ProgressSink | None = None
) -> Collected:
    """Collect a spool into the store at `url`. See `collect`.

    Raises ConfigError where there is no such folder: somebody named it, so it is a slip.
    """
    if not await asyncio.to_thread(folder.is_dir):
        raise ConfigError(f"there is no folder {folder}; name the client's `record_to`")
    async with opened(url, must_exist=False) as store:
        return await collect(store, folder, on_progress=on_progress)


async def collect(
    store: ReleaseStore, folder: Path, *, on_progress: ProgressSink | None = None
) -> Collected:
    """Store every event of the spool `folder`, each once, and remove the segments that are closed.

    A folder that is not there yet holds nothing. Progress counts bytes. Raises ConfigError for a
    folder that cannot be read, StorageError when the store fails: then nothing was removed that it
    does not hold.
    """
    try:
        found = await asyncio.to_thread(segments, folder)
    except FileNotFoundError:
        return Collected()
    except OSError as error:
        raise ConfigError(f"the spool {folder} cannot be read: {error.strerror}") from None
    total = sum(segment.n_bytes for segment in found)
    done = 0
    parts: list[Collected] = []
    for segment in found:
        parts.append(await _collect_segment(store, folder, segment))
        done += segment.n_bytes
        if on_progress is not None:
            on_progress(Progress(phase="collect", done=done, total=total))
    collected = _sum(parts)
    if not collected.n_feedback:
        return collected
    return collected.model_copy(update={"n_unjoined": await store.unjoined_feedback()})


def _is_foreign(segment: Segment) -> bool:
    """Say whether a file only ends like a segment: no client names it so, and it begins otherwise.

    Whoever names a task's folder instead of the spool must not lose the cases in it.
    """
    if CLIENT_NAME.match(segment.name):
        return False
    first = next(iter(read_segment(segment)), None)
    return isinstance(first, Rejected)


async def _collect_segment(store: ReleaseStore, folder: Path, segment: Segment) -> Collected:
    n_new = n_events = n_feedback = 0
    try:
        if await asyncio.to_thread(_is_foreign, segment):
            reason = f"{segment.path}: no segment of a client, left alone; is {folder} the spool?"
            return Collected(errors=(reason,))
        with _abandoned(segment) as is_abandoned, _RejectedLines(folder, segment) as rejected:
            lines = iter(read_segment(segment))
            while batch := await asyncio.to_thread(_take, lines):
                rejected.write([item for item in batch if isinstance(item, Rejected)])
                events: list[LiveEvent] = [i for i in batch if not isinstance(i, Rejected)]
                n_new += await store.add_live_events(events)
                n_events += len(events)
                n_feedback += sum(isinstance(event, Feedback) for event in events)
            kinds = await asyncio.to_thread(rejected.finish)
            is_done = is_abandoned or not segment.is_open
            if is_done:
                segment.path.unlink(missing_ok=True)
    except FileNotFoundError:  # its client closed it, or another collector was faster
        return Collected(n_new=n_new, n_repeated=n_events - n_new, n_feedback=n_feedback)
    except OSError as error:
        reason = f"{segment.path}: {error.strerror or error}"
        return Collected(
            n_new=n_new, n_repeated=n_events - n_new, n_feedback=n_feedback, errors=(reason,)
        )
    return Collected(
        n_new=n_new,
        n_feedback=n_feedback,
        n_repeated=n_events - n_new,
        n_rejected=sum(kinds.values()),
        kinds=kinds,
        n_removed=int(is_done),
        n_left=int(not is_done),
    )


def _take(lines: Iterator[LiveEvent | Rejected]) -> list[LiveEvent | Rejected]:
    return list(islice(lines, BATCH))


@contextlib.contextmanager
def _abandoned(segment: Segment) -> Generator[bool]:
    """Say whether an open segment is that of a dead process; hold its lock meanwhile if it is.

    Its owner holds a lock on it as long as it lives. A file system may not know locks of other
    machines, so a segment must have been silent for long, too.
    """
    if not segment.is_open or time.time() - segment.modified_s < ABANDONED_S:
        yield False
        return
    try:
        import fcntl
    except ImportError:  # not on Windows: such a segment stays and is read again
        yield False
        return
    with segment.path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


class _RejectedLines:
    """The rejected lines of a segment, in a file of the spool's folder `rejected`.

    The file is replaced as a whole, so that reading an open segment again keeps nothing twice.
    """

    def __init__(self, folder: Path, segment: Segment) -> None:
        self._segment = segment
        self._target = folder / REJECTED / f"{segment.name}{CLOSED}"
        self._temporary: Path | None = None
        self._kinds: list[str] = []

    def __enter__(self) -> _RejectedLines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def write(self, rejected: Sequence[Rejected]) -> None:
        """Add lines; they count when `finish` has returned."""
        if not rejected:
            return
        if self._temporary is None:
            self._target.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", dir=self._target.parent)
            os.close(descriptor)
            self._temporary = Path(name)
        with self._temporary.open("a", encoding="ascii") as file:
            file.writelines(self._line(item) for item in rejected)
        self._kinds += (item.kind for item in rejected)

    def finish(self) -> dict[str, int]:
        """Make the lines durable; return how many of each kind were not kept before."""
        if self._temporary is None:
            return {}
        n_before = 0
        with contextlib.suppress(FileNotFoundError), self._target.open("rb") as kept:
            n_before = sum(1 for _ in kept)
        with self._temporary.open("rb") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self._target)
        self._temporary = None
        return dict(Counter(self._kinds[n_before:]))

    def _line(self, item: Rejected) -> str:
        kept = {
            "segment": self._segment.name,
            "line_number": item.line_number,
            "kind": item.kind,
            "reason": item.reason,
            "n_bytes": item.n_bytes,
            "line": item.line.decode("utf-8", "surrogateescape"),
        }
        return json.dumps(kept) + "\n"


def _sum(parts: Sequence[Collected]) -> Collected:
    kinds: Counter[str] = Counter()
    for part in parts:
        kinds.update(part.kinds)
    return Collected(
        n_new=sum(part.n_new for part in parts),
        n_repeated=sum(part.n_repeated for part in parts),
        n_rejected=sum(part.n_rejected for part in parts),
        kinds=dict(kinds),
        n_feedback=sum(part.n_feedback for part in parts),
        n_removed=sum(part.n_removed for part in parts),
        n_left=sum(part.n_left for part in parts),
        errors=tuple(error for part in parts for error in part.errors),
    )
