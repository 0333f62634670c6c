"""Writes live events as lines of a spool: pseudonyms, features, scores, redaction; JSON at last.

All of it happens in the thread that writes the spool, never in a call of the application.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from promptyard.client.amounts import SCORE, flag, score_of, scores_of
from promptyard.records.live_ids import exposure_id
from promptyard.records.pseudonym import pseudonym
from promptyard.records.redaction import Redaction, RedactionFailed

if TYPE_CHECKING:
    from promptyard.client.view import Reason, Split
    from promptyard.records.live import Arm

Scorer: TypeAlias = Callable[[Mapping[str, Any], str], "float | Mapping[str, Any] | None"]
"""Grades an answer: (inputs, output) -> the overall score in [0, 1], or named scores, or None.

Among named scores `hard_failure` is no score: it is True or False and says that the answer is
unusable.
"""
Language: TypeAlias = Callable[[str], str]

HARD_FAILURE = "hard_failure"
MAX_LINE_CHARS = 1_000_000
MAX_ERROR_CHARS = 2_000
MAX_COMMENT_CHARS = 10_000
_WORD = re.compile(r"\w+")
_ERROR_KIND = re.compile(
    r"(?:[A-Za-z_]\w{0,99}\.){0,9}[A-Za-z_]\w{0,99}?"
    r"(?:Error|Exception|Warning|Timeout|Interrupt|Exceeded)(?=[:(\s]|$)",
    re.ASCII,
)


class ExposureNote(NamedTuple):
    """What the application's thread leaves of an exposure."""

    split: Split
    subject: str
    arm: Arm
    reason: Reason
    at_s: float


class OutcomeNote(NamedTuple):
    """What it leaves of an outcome: checked fields, and content that has not been redacted yet."""

    fields: dict[str, Any]
    subject: str | None
    at_s: float
    inputs: Mapping[str, Any] | None
    output: str | None


class FeedbackNote(NamedTuple):
    """What it leaves of a feedback."""

    fields: dict[str, Any]
    at_s: float


Note: TypeAlias = ExposureNote | OutcomeNote | FeedbackNote


class LineWriter:
    """Turns notes into lines. For one thread; nothing that it is given makes it raise.

    Attributes:
        n_scorer_failures: how often a scorer raised or returned no score in [0, 1].
        n_redaction_failures: how often content was dropped since it could not be redacted.
        n_content_dropped: how often it was dropped as too long, or no JSON.
        last_failure: what happened last, in one line.
    """

    def __init__(
        self,
        redaction: Redaction,
        scorers: Sequence[Scorer],
        *,
        keep_content: bool,
        language: Language | None,
    ) -> None:
        self.n_scorer_failures = 0
        self.n_redaction_failures = 0
        self.n_content_dropped = 0
        self.last_failure = ""
        self._redaction = redaction
        self._scorers = tuple(scorers)
        self._keep_content = keep_content
        self._language = language

    def line(self, note: Note) -> str:
        """Return the line of a note, with its line end."""
        if isinstance(note, ExposureNote):
            return exposure_line(note)
        if isinstance(note, OutcomeNote):
            return self._outcome_line(note)
        fields = {**note.fields, "at": utc(note.at_s)}
        fields["comment"] = self._redacted(fields["comment"], "comment")[:MAX_COMMENT_CHARS]
        return _json_line(fields)

    def _outcome_line(self, note: OutcomeNote) -> str:
        fields = {**note.fields, "at": utc(note.at_s)}
        if note.subject:
            fields["subject"] = pseudonym(note.subject)
        error: str = fields["error"]
        if error:
            told = self._redacted(error, "error")[:MAX_ERROR_CHARS] if self._keep_content else ""
            fields["error"] = told or error_kind(error)  # never empty: it failed
        fields["features"] = self._features(note)
        self._grade(note, fields)
        if not self._keep_content or (note.inputs is None and note.output is None):
            return _json_line(fields)
        try:
            line = _json_line({**fields, **self._content(note)})
        except RedactionFailed as failure:
            self.n_redaction_failures += 1
            self.last_failure = f"content was dropped: it cannot be redacted: {failure}"
        except (TypeError, ValueError, RecursionError) as problem:
            self.n_content_dropped += 1
            self.last_failure = f"content was dropped: it is no JSON: {problem}"
        else:
            if len(line) <= MAX_LINE_CHARS:
                return line
            self.n_content_dropped += 1
            self.last_failure = f"content was dropped: it has {len(line):,} characters"
        return _json_line(fields)

    def _content(self, note: OutcomeNote) -> dict[str, Any]:
        inputs = None if note.inputs is None else self._redaction.value(note.inputs)
        output = None if note.output is None else self._redaction.text(note.output)
        return {"inputs": inputs, "output": output}

    def _redacted(self, text: str, name: str) -> str:
        try:
            return self._redaction.text(text) if text else ""
        except RedactionFailed as failure:
            self.n_redaction_failures += 1
            self.last_failure = f"{name} was dropped: it cannot be redacted: {failure}"
            return ""

    def _told(self, error: Exception) -> str:
        """Say an exception of a function that sees content: its text may repeat what it saw."""
        kind = type(error).__name__
        if not self._keep_content:
            return kind
        try:
            return self._redaction.text(repr(error))
        except RedactionFailed:
            return kind

    def _features(self, note: OutcomeNote) -> dict[str, float | str]:
        features: dict[str, float | str] = {}
        if note.inputs is not None:
            features["input_chars"] = sum(len(_plain(value)) for value in note.inputs.values())
        if note.output is not None:
            features["output_chars"] = len(note.output)
            features["output_words"] = sum(1 for _ in _WORD.finditer(note.output))
            if self._language is not None:
                try:
                    features["language"] = str(self._language(note.output))[:40]
                except Exception as error:  # noqa: BLE001 - an application's function
                    self.last_failure = f"the language function raised {self._told(error)}"
        return features

    def _grade(self, note: OutcomeNote, fields: dict[str, Any]) -> None:
        """Ask the scorers; what the application said itself stands."""
        if note.output is None:
            return
        for scorer in self._scorers:
            try:
                found, is_failure = _graded(scorer(note.inputs or {}, note.output))
            except Exception as error:  # noqa: BLE001 - an application's function
                self.n_scorer_failures += 1
                name = getattr(scorer, "__name__", type(scorer).__name__)
                self.last_failure = f"scorer {name}: {self._told(error)}"[:500]
                continue
            fields["scores"] = {**found, **fields["scores"]}
            if fields[HARD_FAILURE] is None:
                fields[HARD_FAILURE] = is_failure


def error_kind(error: str) -> str:
    """Return the name of the exception that an error text begins with, else `error`.

    The rest of the text may repeat content: validators quote what they refuse.
    """
    found = _ERROR_KIND.match(error)
    return found.group() if found else "error"


def _graded(result: Any) -> tuple[dict[str, float], bool | None]:
    if result is None:
        return {}, None
    if not isinstance(result, Mapping):
        return {SCORE: score_of(result, SCORE)}, None
    named: dict[str, Any] = dict(result)  # pyright: ignore[reportUnknownArgumentType] (checked next)
    failure = flag(named.pop(HARD_FAILURE, None), HARD_FAILURE)
    return scores_of(named), failure


def utc(at_s: float) -> str:
    """Write a time as ISO 8601, UTC, whatever a wrong clock says."""
    seconds = math.floor(at_s)
    return f"{_second(seconds)}.{int((at_s - seconds) * 1e6):06}+00:00"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    except (ValueError, OverflowError, OSError):
        return "1970-01-01T00:00:00"


def exposure_line(note: ExposureNote) -> str:
    """Return the line of an exposure; about 4 microseconds."""
    subject = pseudonym(note.subject)
    split = note.split
    # The id follows from what it says: processes that meet one subject record one exposure.
    event_id = exposure_id(split.rollout_id, subject, note.arm)
    begun = _exposure_head(split, note.arm, note.reason)
    return f'{begun}"id":"{event_id}","subject":"{subject}","at":"{utc(note.at_s)}"}}\n'


@lru_cache(maxsize=64)
def _exposure_head(split: Split, arm: Arm, reason: Reason) -> str:
    served = split.served(arm)
    fields = {
        "kind": "exposure",
        "prompt": split.name,
        "rollout_id": split.rollout_id,
        "arm": arm,
        "version": served.version,
        "digest": served.digest,
        "reason": reason,
    }
    return json.dumps(fields)[:-1] + ","


def _json_line(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, allow_nan=False) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return ""
