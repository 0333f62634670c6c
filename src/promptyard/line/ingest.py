"""Takes telemetry in: spans become outcomes of prompts, evaluations become feedback."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from promptyard.errors import NotFound, Tampered
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.attribute_names import EVALUATION_RESULT, RUN_ID
from promptyard.records.base import Record
from promptyard.records.live import LiveEvent
from promptyard.records.spans import Span, own_outcome_id
from promptyard.registry.versions import NUMBER
from promptyard.traces.decoded import Encoding, LogEvent, NotUsable, Rejections
from promptyard.traces.evaluations import evaluations_in, feedback_of
from promptyard.traces.generations import (
    PromptReference,
    exposure_of,
    generation_of,
    outcome_of,
    prompt_of,
)
from promptyard.traces.hiding import MaskedContent
from promptyard.traces.otlp import decode_evaluations, decode_spans

Decoded = TypeVar("Decoded")

MAX_KNOWN = 10_000
FEW = 8
MAX_LOOK_UPS = 256
"""How many versions one request may make the registry look for; the rest count as unknown."""
UNKNOWN_S = 5.0
"""How long a version that is not registered is held to be none."""
LARGE_BYTES = 256 * 1_024
"""A larger request is read in another thread, so that others are answered meanwhile."""
_READER = ThreadPoolExecutor(1, thread_name_prefix="telemetry")
"""One by one: together they are no faster, take their memory at once, and leave others no turn."""


class Taken(Record):
    """What became of a request.

    `n_spans` and `n_events` are new in the store, the rest was there before. `n_ignored` is how
    many logs were no evaluations, `n_rejected` how many spans, evaluations or logs could not be
    used; `message` says why, in one line.
    """

    n_spans: int = 0
    n_events: int = 0
    n_ignored: int = 0
    n_rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    number: int
    digest: str


class KnownVersions:
    """Which versions the registry has: they never change, so they are remembered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[PromptReference, tuple[float, _Known | None]] = OrderedDict()

    async def find(
        self, store: Store, wanted: Sequence[PromptReference]
    ) -> dict[PromptReference, tuple[int, str]]:
        """Return number and digest of those that are registered."""
        now_s = self._clock()
        versions: dict[PromptReference, _Known] = {}
        missing: list[PromptReference] = []
        for reference in dict.fromkeys(wanted):
            known = self._known.get(reference)
            if known is None or (known[1] is None and now_s - known[0] > UNKNOWN_S):
                missing.append(reference)
            elif known[1] is not None:
                versions[reference] = known[1]
                self._known.move_to_end(reference)
        if missing:
            versions |= await self._look_up(store, missing, now_s)
        return {reference: (item.number, item.digest) for reference, item in versions.items()}

    async def _look_up(
        self, store: Store, missing: Sequence[PromptReference], now_s: float
    ) -> dict[PromptReference, _Known]:
        """Ask the store, for at most `MAX_LOOK_UPS`: others wait for the same thread."""
        if len(missing) > FEW:
            names = set(await store.prompt_names())
            missing = [reference for reference in missing if reference.name in names]
        some = missing[:MAX_LOOK_UPS]
        found = await asyncio.gather(*(_look_up(store, item) for item in some))
        for reference, version in zip(some, found, strict=True):
            self._known[reference] = (now_s, version)
            self._known.move_to_end(reference)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        pairs = zip(some, found, strict=True)
        return {reference: version for reference, version in pairs if version is not None}


async def ingest_spans(
    store: StoreOrUrl,
    body: bytes,
    encoding: Encoding,
    *,
    versions: KnownVersions | None = None,
    personal_data: bool = False,
) -> Taken:
    """Store the spans of an OTLP request, with what they say of prompts, in one transaction.

    Returns when all of it is durable. Secrets are masked in it, and personal data in its content
    unless `personal_data` may stay. Raises TelemetryError where it is no request of spans.
    """
    hide = MaskedContent(personal_data=not personal_data)
    decoded = await _decoded(decode_spans, body, encoding, hide)
    async with opened(store) as opened_store:
        taken = await add_spans(opened_store, decoded.spans, versions or KnownVersions())
    return taken.model_copy(
        update={
            "n_rejected": decoded.rejected.n,
            "message": _line(decoded.rejected.message, taken.message, _dropped(hide)),
        }
    )


async def add_spans(store: Store, spans: Sequence[Span], versions: KnownVersions) -> Taken:
    """Store spans that have been read and masked, and the live events that they are.

    A span that names a version of the registry is an outcome of it, and in a rollout an exposure.
    """
    named = {n: found for n, span in enumerate(spans) if (found := prompt_of(span)) is not None}
    known = await versions.find(store, list(named.values())) if named else {}
    events: list[LiveEvent] = []
    stored: list[Span] = list(spans)
    for n, reference in named.items():
        version = known.get(reference)
        if version is not None:
            update = {"prompt": reference.name, "version": version[0]}
            stored[n] = spans[n].model_copy(update=update)
            events += _events_of(stored[n], reference.name, *version)
    unusable = Rejections()
    judged = [event for span in spans if span.events for event in evaluations_in(span)]
    events += _feedback(judged, unusable)
    if not stored:
        return Taken()
    done = await store.add_spans(stored, events)
    return Taken(n_spans=done.n_new_spans, n_events=done.n_new_events, message=unusable.message)


async def ingest_logs(
    store: StoreOrUrl, body: bytes, encoding: Encoding, *, personal_data: bool = False
) -> Taken:
    """Store the evaluations of an OTLP request of logs as feedback; other logs are not kept.

    Returns when all of it is durable. Raises TelemetryError where it is no request of logs.
    """
    hide = MaskedContent(personal_data=not personal_data)
    decoded = await _decoded(decode_evaluations, body, encoding, hide)
    of_traffic = [event for event in decoded.events if RUN_ID not in event.attributes]
    n_of_runs = len(decoded.events) - len(of_traffic)
    events = _feedback(of_traffic, decoded.rejected)
    n_new = 0
    if events:
        async with opened(store) as opened_store:
            n_new = (await opened_store.add_spans([], events)).n_new_events
    n_others = decoded.n_others
    ignored = f"not kept, since no {EVALUATION_RESULT}: {n_others:,} logs" if n_others else ""
    return Taken(
        n_events=n_new,
        n_ignored=n_others + n_of_runs,
        n_rejected=decoded.rejected.n,
        message=_line(decoded.rejected.message, ignored, _dropped(hide)),
    )


async def _decoded(
    decode: Callable[[bytes, Encoding, MaskedContent], Decoded],
    body: bytes,
    encoding: Encoding,
    hide: MaskedContent,
) -> Decoded:
    if len(body) > LARGE_BYTES:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_READER, decode, body, encoding, hide)
    return decode(body, encoding, hide)


def _dropped(hide: MaskedContent) -> str:
    n_dropped = hide.n_dropped
    return f"dropped, since they cannot be masked: {n_dropped:,} attributes" if n_dropped else ""


def _line(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _events_of(span: Span, name: str, number: int, digest: str) -> list[LiveEvent]:
    """Return what a span of a registered version is, unless its sender recorded that itself."""
    if own_outcome_id(span):
        return []
    said = generation_of(span)
    outcome = outcome_of(span, said, name=name, version=number, digest=digest)
    exposure = exposure_of(outcome, said.reason)
    return [outcome] if exposure is None else [exposure, outcome]


def _feedback(events: Sequence[LogEvent], rejected: Rejections) -> list[LiveEvent]:
    made: list[LiveEvent] = []
    for number, event in enumerate(events, start=1):
        try:
            made.append(feedback_of(event))
        except NotUsable as problem:
            rejected.add(f"evaluation {number}: {problem}")
    return made


async def _look_up(store: Store, reference: PromptReference) -> _Known | None:
    """Find a version; what the registry does not have, or not as it was registered, is none."""
    try:
        if reference.version:
            if not NUMBER.fullmatch(reference.version):
                return None
            version = await store.version(reference.name, int(reference.version.lstrip("v")))
            is_it = reference.digest in ("", version.digest)
            return _Known(version.number, version.digest) if is_it else None
        found = [
            item for item in await store.versions(reference.name) if item.digest == reference.digest
        ]
        return _Known(found[-1].number, found[-1].digest) if found else None
    except (NotFound, Tampered):
        return None
