"""`Promptyard`: what an application talks to. Resolves prompts in the process, records outcomes."""

from __future__ import annotations

import itertools
import os
import random
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from promptyard.client import amounts
from promptyard.client.arguments import address_in, check_arguments, span_emitter, spool_in
from promptyard.client.elsewhere import resolve_elsewhere
from promptyard.client.fallback import fallback_of
from promptyard.client.keeper import Keeper
from promptyard.client.live_lines import (
    ExposureNote,
    FeedbackNote,
    Language,
    LineWriter,
    OutcomeNote,
    Scorer,
)
from promptyard.client.recorder import Recorder, new_owner
from promptyard.client.resolved import ResolvedPrompt
from promptyard.client.sender import sender_to
from promptyard.client.spool import MAX_BYTES, Spool
from promptyard.client.status import status_of
from promptyard.client.view import Split, View
from promptyard.client.web_source import listener_at, source_of
from promptyard.records.redaction import Redact, Redaction
from promptyard.stats.assignment import HALF, written

if TYPE_CHECKING:
    from promptyard.client.spans import SpanEmitter
    from promptyard.client.view import Reason
    from promptyard.records.live import Arm, FeedbackSource

PRODUCTION = "production"
QUEUE_SIZE = 10_000

_clients: weakref.WeakSet[Promptyard] = weakref.WeakSet()


class Promptyard:
    """A client: `prompt` resolves, `record` and `feedback` say what came of it.

    Nothing is read before the first call. That call waits for the source for at most `deadline_s`;
    all later ones are answered out of memory. One object a process is enough, for any number of
    threads; after a fork the child goes on with threads of its own.
    """

    def __init__(
        self,
        source: str | Path,
        *,
        key: str | None = None,
        fallback: str | Path | Mapping[str, Any] | None = None,
        snapshot: str | Path | None = None,
        record: bool = False,
        record_to: str | Path | None = None,
        deadline_s: float = 2.0,
        poll_s: float = 30.0,
        stale_after_s: float = 300.0,
        content: bool = False,
        redact: Redact | None = None,
        redact_personal_data: bool = True,
        scorers: Sequence[Scorer] = (),
        language: Language | None = None,
        shadow_rate: float = 1.0,
        spans: bool = False,
        queue_size: int = QUEUE_SIZE,
        spool_bytes: int = MAX_BYTES,
    ) -> None:
        """Set a client up; reads nothing and starts nothing.

        Args:
            source: the URL of a service (`http://host:8700`, or that of its manifest), or a
                manifest file, as the registry publishes it, by path or by a URL that ends in .json.
            key: the service's key, with the scope `read`, and `report` where events are recorded;
                by default the one of the environment variable PROMPTYARD_KEY.
            fallback: what is served when nothing else can be: a manifest file or its JSON, or a
                dict of prompt texts by name. Its rollouts are not run.
            snapshot: a file in which the last good manifest is kept for the next start.
            record: whether live events are recorded and sent to the service. They wait in
                `record_to`, by default a folder of the user for this service.
            record_to: a folder for live events, which are recorded where it is given. A service
                gets them out of it; without one, `promptyard traces collect` fetches them.
            deadline_s: how long the first call may take in all.
            poll_s: how often the source is looked at, at the least.
            stale_after_s: how long a source may be unreadable before answers say `stale` and
                rollouts pause: everybody is served the control.
            content: whether inputs, outputs and the texts of errors are recorded, redacted; else
                only numbers are, and the kinds of errors.
            redact: called with every text of the content after the built-in rules have hidden
                secrets and personal data; returns what may be written.
            redact_personal_data: False leaves personal data in, and hides secrets only.
            scorers: functions (inputs, output) -> score in [0, 1], named scores, or None; called in
                the background, on content as it is.
            language: a function that names the language of an output.
            shadow_rate: the share of calls, of enrolled subjects of a rollout in shadow mode, that
                get a `shadow`.
            spans: whether every outcome is a span of the application's OpenTelemetry, too: with
                numbers and names, never content. Without `record_to` the spans are all there is,
                and scorers are not asked.
            queue_size: how many events may wait for the disk.
            spool_bytes: how large closed segments may be in all before the oldest are dropped.

        Raises ConfigError for an argument that cannot be meant.
        """
        check_arguments(
            shadow_rate=shadow_rate,
            snapshot=snapshot,
            deadline_s=deadline_s,
            poll_s=poll_s,
            stale_after_s=stale_after_s,
            queue_size=queue_size,
            spool_bytes=spool_bytes,
        )
        self._shadow_rate = shadow_rate
        address = address_in(source, key)
        self._keeper = Keeper(
            source_of(source, address, deadline_s=deadline_s),
            snapshot=None if snapshot is None else Path(snapshot),
            fallback=fallback_of(fallback),
            listener=listener_at(address, deadline_s=deadline_s),
            deadline_s=deadline_s,
            poll_s=poll_s,
            stale_after_s=stale_after_s,
        )
        self._begin()
        self._writer = LineWriter(
            Redaction(redact, personal_data=redact_personal_data),
            scorers,
            keep_content=content,
            language=language,
        )
        self._spans = span_emitter() if spans else None
        folder = spool_in(record_to, record=record, address=address)
        self._recorder: Recorder | None = None
        if folder is not None:
            spool = Spool(folder, new_owner(), max_bytes=spool_bytes)
            sender = sender_to(address, spool)
            self._recorder = Recorder(spool, self._writer, queue_size=queue_size, sender=sender)
            weakref.finalize(self, self._recorder.release).atexit = False
        _clients.add(self)

    def _begin(self) -> None:
        self._owner = new_owner()
        self._numbers = itertools.count(1)
        self._chance = random.Random()

    # resolving

    def prompt(
        self,
        name: str,
        *,
        subject: str | None = None,
        pointer: str = PRODUCTION,
        version: int | None = None,
    ) -> ResolvedPrompt:
        """Resolve a prompt: the version behind a pointer, or one by its number.

        `subject` is who is served: a user, a conversation. It decides by hash whether and in which
        arm they take part in a running rollout, the same in every process and at every step.
        Without it the pointer's version is served. Never raises for trouble of the source while
        anything can be served. Raises NotFound saying what exists.
        """
        view = self._keeper.view
        if view is None:
            if self._recorder is not None and self._recorder.sender is not None:
                self._recorder.sender.wake()  # a process before this one may have left something
            view = self._keeper.first_view()
        if subject is not None and not isinstance(subject, str):  # pyright: ignore[reportUnnecessaryIsInstance] (callers need not be typed)
            raise TypeError(f"subject is a text, got {type(subject).__name__}: use str(...)")
        entry = None if view is None else view.entries.get((name, pointer))
        if view is None or entry is None or version is not None:
            return resolve_elsewhere(self._keeper, name, subject, pointer, version)
        age_s = view.age_s()
        split = entry.split
        if split is not None and subject:
            key = written(subject)
            if split.enrol_hash.bits(key) < split.threshold:
                return self._enrolled(view, split, subject, split.arm_hash.bits(key), age_s)
        return ResolvedPrompt(entry.served, view.reason or "pointer", age_s, subject)

    def _enrolled(
        self, view: View, split: Split, subject: str, bits: int, age_s: float | None
    ) -> ResolvedPrompt:
        """Resolve for a subject that takes part in a rollout; its exposure is recorded once."""
        if view.reason and not (age_s is not None and age_s <= self._keeper.stale_after_s):
            # The rollout may have ended, or been rolled back, long ago.
            return ResolvedPrompt(split.control, "stale", age_s, subject)
        reason = view.reason or "split"
        arm: Arm = "control"
        if split.is_shadow:
            if self._shadow_rate < 1.0 and self._chance.random() >= self._shadow_rate:
                return ResolvedPrompt(split.control, view.reason or "pointer", age_s, subject)
        elif bits < HALF:
            arm = "treatment"
        recorder, seen = self._recorder, split.seen
        if (
            recorder is not None
            and bits not in seen.young
            and bits not in seen.old
            and recorder.put(ExposureNote(split, subject, arm, reason, time.time()))
        ):
            seen.add(bits)
        if split.is_shadow:
            return self._with_shadow(split, subject, reason, age_s)
        served = split.treatment if arm == "treatment" else split.control
        return ResolvedPrompt(served, reason, age_s, subject, arm, split.rollout_id)

    def _with_shadow(
        self, split: Split, subject: str, reason: Reason, age_s: float | None
    ) -> ResolvedPrompt:
        pair, rollout_id = self._new_id("p"), split.rollout_id
        shadow = ResolvedPrompt(
            split.treatment, reason, age_s, subject, "treatment", rollout_id, None, pair
        )
        return ResolvedPrompt(
            split.control, reason, age_s, subject, "control", rollout_id, shadow, pair
        )

    # recording

    def record(
        self,
        resolved: ResolvedPrompt,
        *,
        output: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        latency_s: float | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost_usd: float | None = None,
        model: str = "",
        finish_reason: str = "",
        error: str = "",
        score: float | None = None,
        scores: Mapping[str, float] | None = None,
        hard_failure: bool | None = None,
        pair: str | None = None,
        trace_id: str = "",
        span_id: str = "",
    ) -> str:
        """Record one request that was answered, or failed, with a prompt; returns the outcome's id.

        Returns at once; the disk is written in the background, and its trouble is counted in
        `status`. `inputs` and `output` are needed for features and scorers and are written only
        with `content=True`, as is the text of `error`; else the name of the exception that it
        begins with, or the word `error`. Scores are in [0, 1], `score` is the overall one. Outcomes
        of a bare text of the fallback belong to no version: they are counted, not written. Raises
        ValueError naming a field that is not finite or out of range.
        """
        fields: dict[str, Any] = {
            "kind": "outcome",
            "id": self._new_id("o"),
            "prompt": resolved.name,
            "version": resolved.version,
            "digest": resolved.digest,
            "rollout_id": resolved.rollout_id,
            "arm": resolved.arm,
            "pair": resolved.pair if pair is None else amounts.name(pair, "pair"),
            "model": amounts.text(model, "model"),
            "latency_s": amounts.amount(latency_s, "latency_s"),
            "input_tokens": amounts.whole(input_tokens, "input_tokens"),
            "output_tokens": amounts.whole(output_tokens, "output_tokens"),
            "cost_usd": amounts.amount(cost_usd, "cost_usd"),
            "finish_reason": amounts.text(finish_reason, "finish_reason"),
            "error": amounts.content(error, "error"),
            "scores": amounts.scores_of(scores, score),
            "hard_failure": amounts.flag(hard_failure, "hard_failure"),
            "trace_id": amounts.text(trace_id, "trace_id"),
            "span_id": amounts.text(span_id, "span_id"),
        }
        if output is not None:
            amounts.content(output, "output")
        if self._spans is not None and resolved.version:
            self._emit_span(self._spans, resolved, fields)
        if self._recorder is not None and not resolved.version:
            self._recorder.n_unversioned += 1  # a bare text: there is no version to count it for
        elif self._recorder is not None:
            given = None if inputs is None else dict(inputs)  # the caller may go on to change it
            note = OutcomeNote(fields, resolved.subject, time.time(), given, output)
            self._recorder.put(note)
        return cast("str", fields["id"])

    def feedback(
        self,
        outcome_id: str,
        *,
        name: str,
        scores: Mapping[str, float],
        hard_failure: bool | None = None,
        comment: str = "",
        source: FeedbackSource = "user",
    ) -> None:
        """Record a later word on an outcome of the prompt `name`: of a user, a judge or a check.

        Returns at once. A comment is redacted like content. Raises ValueError like `record`.
        """
        if source not in ("user", "judge", "check"):
            raise ValueError(f"source is user, judge or check, got {source!r}")
        fields: dict[str, Any] = {
            "kind": "feedback",
            "id": self._new_id("f"),
            "prompt": amounts.name(name, "name"),
            "outcome_id": amounts.name(outcome_id, "outcome_id"),
            "source": source,
            "scores": amounts.scores_of(scores),
            "hard_failure": amounts.flag(hard_failure, "hard_failure"),
            "comment": amounts.content(comment, "comment"),
        }
        if self._recorder is not None:
            self._recorder.put(FeedbackNote(fields, time.time()))
        elif self._spans is not None:
            self._spans.feedback(outcome_id, fields["scores"])

    def _emit_span(
        self, spans: SpanEmitter, resolved: ResolvedPrompt, fields: dict[str, Any]
    ) -> None:
        """Emit the span of an outcome; where nothing else records it, it gives it its id."""
        ids = spans.outcome(resolved, fields, is_recorded=self._recorder is not None)
        if ids is None:
            return
        if not fields["trace_id"]:
            fields["trace_id"], fields["span_id"] = ids
        if self._recorder is None:
            from promptyard.client.spans import outcome_id_of

            fields["id"] = outcome_id_of(ids)

    def _new_id(self, kind: str) -> str:
        return f"{kind}-{self._owner}-{next(self._numbers):x}"

    # the rest

    def refresh(self) -> bool:
        """Look at the source now, for at most the deadline; returns whether it is good."""
        return self._keeper.check()

    def flush(self, *, timeout_s: float = 5.0) -> bool:
        """Wait until everything recorded so far is on the disk; True only when it is fsynced.

        What has been flushed is there even if the process is killed in the next moment. False
        where the time was not enough, or where events were dropped since the last flush.
        """
        return True if self._recorder is None else self._recorder.flush(timeout_s)

    def close(self, *, timeout_s: float = 5.0) -> bool:
        """Flush, close the segment and stop the threads; returns whether all is on the disk.

        Prompts can still be resolved out of memory; what is recorded later is dropped and counted.
        """
        self._keeper.close()
        return True if self._recorder is None else self._recorder.close(timeout_s)

    def status(self) -> dict[str, Any]:
        """Say which version this process serves of every prompt, why and since when; and the rest.

        Plain data: `prompts` by name and pointer, `source`, `snapshot`, `fallback`, `recording`.
        """
        return status_of(self._keeper, self._recorder, self._writer)

    @property
    def is_loaded(self) -> bool:
        """Whether the next call is answered out of memory."""
        return self._keeper.view is not None

    def __enter__(self) -> Promptyard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _after_fork(self) -> None:
        self._begin()
        self._keeper.after_fork()


def _after_fork() -> None:
    for client in list(_clients):
        client._after_fork()  # pyright: ignore[reportPrivateUsage] (of this module)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
