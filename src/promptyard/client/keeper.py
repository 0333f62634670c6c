"""Keeps what is served up to date: memory, then snapshot, then fallback, under one deadline.

The first call of a process reads source, snapshot and fallback at once, each in a thread that may
be left behind. From then on a thread looks at the source every `poll_s` and callers never wait.
What is newer is told by the revision of a manifest alone, within one store; where the source names
another store than a copy, the source is right. Intervals are measured by the monotonic clock. A
source that is broken, older or of another format never replaces a good copy.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from promptyard.client.contents import Contents, contents_of_bytes
from promptyard.client.health import Health
from promptyard.client.listener import Listener
from promptyard.client.reads import FirstRead, Known
from promptyard.client.snapshot import Snapshot
from promptyard.client.source import Source, SourceFault, WebMark
from promptyard.client.tasks import Task
from promptyard.client.view import Origin, Seen, View

SOURCE_SHARE = 0.5
"""How much of the deadline the source gets while there may be something else to serve."""
SNAPSHOT_SHARE = 0.75
FALLBACK_SHARE = 0.85
LAST_SHARE = 0.9
"""Until when each is waited for; the rest is for a machine that is busy."""
MAX_LEFT_BEHIND = 3
"""How many reads of the source may hang at once."""
MAX_GIVEN_UP = 12
"""How many hanging reads may be given up because the file that they hang at has been replaced."""


class Keeper:
    """Holds the current `view` and renews it. All durations are seconds."""

    def __init__(
        self,
        source: Source,
        *,
        snapshot: Path | None,
        fallback: Callable[[], Contents] | None,
        listener: Listener | None = None,
        deadline_s: float,
        poll_s: float,
        stale_after_s: float,
    ) -> None:
        self.view: View | None = None
        self.fallback_view: View | None = None
        self.health = Health()
        self.seen: dict[str, Seen] = {}
        self.source = source
        self.listener = listener
        self.snapshot = Snapshot(snapshot)
        self._fallback = fallback
        self._deadline_s = deadline_s
        self._poll_s = poll_s
        self.stale_after_s = stale_after_s
        self._known: Known | None = None
        self._snapshot_found: tuple[Contents, float] | None = None
        self._source_found: tuple[Contents, bytes] | None = None
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._polling: threading.Thread | None = None
        self._first: FirstRead | None = None
        self._reads: list[Task] = []
        self._given_up: list[Task] = []
        self._probe: Task | None = None
        self._numbers = itertools.count()
        self._latest = -1

    # the first call

    def first_view(self) -> View | None:
        """Read what can be read until the deadline; return what is best, None where nothing is.

        Callers that come at once wait for the same reads.
        """
        now = time.monotonic()
        with self._lock:
            if self.view is not None:
                return self.view
            first = self._first
            if first is None or first.is_settled:
                first = self._first = FirstRead(
                    now + self._deadline_s,
                    self._read_anew(),
                    # One that still hangs is waited for again, rather than joined by another.
                    _still(first and first.snapshot) or Task("snapshot", self._read_snapshot),
                    _still(first and first.fallback) or Task("fallback", self._read_fallback),
                )
        begun_s = first.end_s - self._deadline_s
        has_source = first.source.wait_until(begun_s + SOURCE_SHARE * self._deadline_s)
        first.snapshot.wait_until(begun_s + SNAPSHOT_SHARE * self._deadline_s)
        if not self._can_serve():
            first.fallback.wait_until(begun_s + FALLBACK_SHARE * self._deadline_s)
            if not has_source and self.fallback_view is None:
                first.source.wait_until(begun_s + LAST_SHARE * self._deadline_s)
        with self._lock:
            first.is_settled = True
            self._settle()
            if not first.source.done.is_set():
                self._note(SourceFault("hung", f"{self.source} does not answer"))
            self._start_polling()
            view = self.view
        if view is not None:
            Task("warm", lambda: self._warm(view))
        return view

    def fallback_in_time(self) -> View | None:
        """Return the fallback, which may still be being read; None where there is none."""
        if self.fallback_view is None and self._fallback is not None:
            with self._lock:
                first = self._first
                task = first.fallback if first else Task("fallback", self._read_fallback)
                began_s = first.end_s - self._deadline_s if first else time.monotonic()
            task.wait_until(began_s + LAST_SHARE * self._deadline_s)
        return self.fallback_view

    def _can_serve(self) -> bool:
        with self._lock:
            return self._source_found is not None or self._snapshot_found is not None

    def _settle(self) -> None:
        """Serve the best of what the first reads found, where nothing is served yet."""
        if self.view is not None:
            return
        if self._snapshot_found is not None:
            contents, age_s = self._snapshot_found
            self._show(contents, "snapshot", time.monotonic() - age_s)
        if self._source_found is not None:
            self._adopt(*self._source_found)
        if self.view is None:
            self.view = self.fallback_view

    def _read_snapshot(self) -> None:
        found = self.snapshot.load()
        if found is None:
            return
        with self._lock:
            self._snapshot_found = found
            view = self.view
            is_newer = view is not None and found[0].is_newer_than(view.contents)
            if view is not None and (is_newer or view.origin == "fallback"):  # it came late
                self._show(found[0], "snapshot", time.monotonic() - found[1])

    def _read_fallback(self) -> None:
        if self._fallback is None or self.fallback_view is not None:
            return
        try:
            contents = self._fallback()
        except SourceFault as fault:
            with self._lock:
                self.health.fallback_message = str(fault)
            return
        with self._lock:
            self.fallback_view = View(contents, "fallback", None, seen=self.seen)

    # the source

    def check(self) -> bool:
        """Look at the source now, for at most the deadline; returns whether it is good."""
        if self.view is None:
            self.first_view()
            return self.health.state == "ok"
        with self._lock:
            task = self._read_anew()
        is_done = task.wait_until(time.monotonic() + self._deadline_s)
        with self._lock:
            if not is_done:
                self._note(SourceFault("hung", f"{self.source} does not answer"))
            return self.health.state == "ok"

    def _read_anew(self) -> Task:
        """Begin to read the source, unless a read has just begun or too many hang already."""
        self._reads = [task for task in self._reads if not task.done.is_set()]
        if self._reads:
            last = self._reads[-1]
            is_young = time.monotonic() - last.began_s < max(self._deadline_s, self._poll_s)
            if is_young:
                return last
            if len(self._reads) >= MAX_LEFT_BEHIND:
                self._probe = _still(self._probe) or Task("probe", self._look_for_another)
                return last
        task = Task("source", self._read_source)
        self._reads.append(task)
        return task

    def _look_for_another(self) -> None:
        """Give the hanging reads up where another thing has come into the place of theirs.

        The next look reads it. This may hang itself, so there is one at a time.
        """
        if not self.source.has_moved():
            return
        with self._lock:
            self._given_up = [task for task in self._given_up if not task.done.is_set()]
            if len(self._given_up) >= MAX_GIVEN_UP:
                return
            self._given_up += self._reads
            self._reads = []

    def _read_source(self) -> None:
        number = next(self._numbers)
        try:
            self._look(number)
        except SourceFault as fault:
            self._note_of(number, fault)
        except Exception as error:  # noqa: BLE001 - a mistake of ours is a fault of the source, too
            self._note_of(number, SourceFault("corrupt", f"{self.source}: {error!r}"))

    def _note_of(self, number: int, fault: SourceFault) -> None:
        with self._lock:
            if self._is_latest(number):
                self._note(fault)

    def _is_latest(self, number: int) -> bool:
        """Whether no read that began later has come to a result; what came late says nothing."""
        if number < self._latest:
            return False
        self._latest = number
        return True

    def _look(self, number: int) -> None:
        known = self._known
        found = self.source.read(None if known is None else known.mark)
        if found is None:
            return self._repeat(number, known)
        content = hashlib.sha256(found.data).digest()
        if known is not None and known.content == content:
            known.mark = found.mark
            return self._repeat(number, known)
        known = Known(found.mark, content, None)
        try:
            contents = contents_of_bytes(found.data)
            if self.view is not None:  # a cold process answers first: see `_warm`
                contents.prove_programs()
        except SourceFault as fault:
            known.fault = SourceFault(fault.state, f"{self.source}: {fault}")
            with self._lock:
                if self._is_latest(number):
                    self._known = known
            raise known.fault from None
        with self._lock:
            if not self._is_latest(number):
                return None
            self._known = known
            self._source_found = (contents, found.data)
            if self.view is not None:
                self._adopt(contents, found.data)
            else:  # the first caller weighs it against the snapshot
                self.health.note_good(contents.revision)
            view = self.view
        if view is not None:
            Task("warm", lambda: self._warm(view))
        return None

    def has_read(self, etag: str) -> bool:
        """Whether the manifest with this ETag is the last one that was read."""
        known = self._known
        return known is not None and isinstance(known.mark, WebMark) and known.mark.etag == etag

    def _warm(self, view: View) -> None:
        """Build what is served; take it back where a program is none and there is better."""
        try:
            view.contents.prove_programs()
        except SourceFault as fault:
            self.fallback_in_time()
            with self._lock:
                if self.view is view and view.origin == "source":
                    self._take_back(SourceFault(fault.state, f"{self.source}: {fault}"))
        else:
            view.warm()

    def _take_back(self, fault: SourceFault) -> None:
        """Serve the snapshot or the fallback instead; what is good of it where there is neither."""
        if self._known is not None:
            self._known.fault = fault
        self._source_found = None
        self._note(fault)
        if self._snapshot_found is not None:
            contents, age_s = self._snapshot_found
            with contextlib.suppress(SourceFault):
                contents.prove_programs()
                return self._show(contents, "snapshot", time.monotonic() - age_s)
        if self.fallback_view is not None:
            self.view = self.fallback_view
        return None

    def _repeat(self, number: int, known: Known | None) -> None:
        """The source says what it said before."""
        if known is not None and known.fault is not None:
            raise known.fault.with_traceback(None)  # else it grows with every look
        with self._lock:
            if self._source_found is None or not self._is_latest(number):
                return
            if self.view is not None:
                self._adopt(*self._source_found)

    def _adopt(self, contents: Contents, data: bytes) -> None:
        """Serve what the source says, unless what is served is newer."""
        view = self.view
        if view is not None and view.origin != "fallback":
            served = view.contents
            if served.is_newer_than(contents):
                about = f"revision {contents.revision} is older than {served.revision}"
                self._note(SourceFault("older", f"{self.source}: {about}, which is served"))
                return
        self.health.note_good(contents.revision)
        now = time.monotonic()
        if view is not None and view.contents is contents:
            view.confirmed_s, view.reason = now, None
            self.snapshot.confirm()
        else:
            self._show(contents, "source", now)
            self.snapshot.keep(data, contents)

    def _show(self, contents: Contents, origin: Origin, confirmed_s: float | None) -> None:
        before = self.view
        view = View(contents, origin, confirmed_s, seen=self.seen, before=before)
        for rollout_id in self.seen.keys() - view.rollout_ids():
            del self.seen[rollout_id]
        self.view = view

    def _note(self, fault: SourceFault) -> None:
        """The source is no good now: say so, and of what is served that it is not confirmed."""
        self.health.note(fault)
        view = self.view
        if view is not None and view.origin == "source":
            is_stale = (view.age_s() or 0.0) > self.stale_after_s
            view.reason = "stale" if is_stale else "cached"

    # the polls

    def _start_polling(self) -> None:
        if self.listener is not None and not self._closing.is_set():
            self.listener.start(self)
        if self._polling is not None or self._closing.is_set():
            return
        # It holds the keeper weakly: a client that nobody has any more stops polling.
        closing, this = self._closing, weakref.ref(self)
        self._polling = threading.Thread(
            target=_poll, args=(this, closing, self._poll_s), name="promptyard-poll", daemon=True
        )
        try:
            self._polling.start()
        except RuntimeError:  # no more threads: what is in memory is served, and tried again
            self._polling = None

    def close(self) -> None:
        """Stop polling; wait a little for the snapshot. What is in memory can still be served."""
        self._closing.set()
        if self.listener is not None:
            self.listener.close()
        self.snapshot.close()

    def after_fork(self) -> None:
        """Begin anew in a child: threads and locks stayed with the parent."""
        self._begin()
        if self.listener is not None:
            self.listener.after_fork()
        self.snapshot.begin()
        self.seen.clear()
        view = self.view
        if view is not None:
            for entry in view.entries.values():
                if entry.split is not None:
                    entry.split.seen = self.seen.setdefault(entry.split.rollout_id, Seen())
            self._start_polling()


def _still(task: Task | None) -> Task | None:
    return None if task is None or task.done.is_set() else task


def _poll(this: weakref.ref[Keeper], closing: threading.Event, poll_s: float) -> None:
    jitter = random.Random()  # seeded by the system: clients must not poll in step
    while not closing.wait(poll_s * jitter.uniform(0.75, 1.0)):
        keeper = this()
        if keeper is None:
            return
        keeper.check()
        del keeper
