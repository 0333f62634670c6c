"""What the built-in checks share: the user's overrides, and how a finding is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from promptyard.errors import CheckSkipped, MetricError
from promptyard.metrics.comparison import NORMALIZATIONS, Normalization
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import InvalidJson, LastParsed, clean, shorten
from promptyard.metrics.options import Options, plain_name
from promptyard.records.base import Json
from promptyard.records.cases import After, Case, CheckSpec, Dimension, Severity
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

REASON_LIMIT = 240
FIELD_LIMIT = 60
REMEMBERED_SCORES = 256


class Check(ABC):
    """A built-in metric: the class gives the defaults, the user's CheckSpec overrides them.

    `tag` names the check's own finding. Findings with another cause keep their own names:
    `invalid_json` where there is nothing to look into, `empty_output` in addition where the
    answer has neither text nor tool calls.

    The name that reports show is the user's `id`; else `name`, or that of `other_names` under which
    the check was written, with the field that it looks at (`field_equals:status`).
    """

    name: str = ""
    other_names: tuple[str, ...] = ()
    tag: str = ""
    severity: Severity = "soft"
    dimension: Dimension = "accuracy"
    option_names: tuple[str, ...] = ()
    after: After = "none"
    asks_judge: bool = False
    grades_finishes: frozenset[str] = frozenset()

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        self.options = Options(spec, self.option_names)
        self.name = spec.id or self._shown_name(spec)
        self.context = context
        self.tag_override = spec.tag
        self.tag = spec.tag or self.tag
        self.severity = spec.severity or self.severity
        self.dimension = spec.dimension or self.dimension
        self.after = spec.after or self.after
        self.weight = spec.weight
        self._passed: dict[tuple[str | None, str | None], tuple[Score, ...]] = {}
        self.critical = spec.critical

    def _shown_name(self, spec: CheckSpec) -> str:
        written = plain_name(spec.type.rpartition(":")[2])
        name = written if written in self.other_names else self.name
        field = spec.options.get("field")
        return f"{name}:{one_line(field, FIELD_LIMIT)}" if isinstance(field, str) else name

    @abstractmethod
    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Grade one completion: one passing score, or one failing score for each finding."""

    def normalize_option(self, default: Normalization = "strip") -> Normalization:
        """Read the option `normalize`."""
        return self.options.choice("normalize", NORMALIZATIONS, default)

    def passed(self, *, field: str | None = None, label: str | None = None) -> tuple[Score, ...]:
        """The one score of a check that found nothing wrong; equal ones are one object."""
        known = self._passed.get((field, label))
        if known is None:
            score = Score(
                metric=self.name,
                value=1.0,
                field=field,
                label=None if label is None else clean(label),
                severity=self.severity,
                dimension=self.dimension,
                weight=self.weight,
                critical=self.critical,
            )
            if len(self._passed) >= REMEMBERED_SCORES:
                self._passed.clear()
            known = self._passed[field, label] = (score,)
        return known

    def failed(
        self,
        completion: Completion,
        reason: str,
        *,
        tags: Sequence[str] = (),
        field: str | None = None,
        path: str | None = None,
        label: str | None = None,
    ) -> Score:
        """One finding of a failed check; the most basic cause stands first among its tags."""
        text = completion.text
        empty = (not text or text.isspace()) and not completion.tool_calls
        named = (*(("empty_output",) if empty else ()), *(tags or (self.tag,)))
        return Score(
            metric=self.name,
            value=0.0,
            label=None if label is None else clean(label),
            tags=tuple(dict.fromkeys(named)),
            field=field,
            path=path,
            reason=one_line(reason),
            severity=self.severity,
            dimension=self.dimension,
            weight=self.weight,
            critical=self.critical,
        )

    def partly(
        self,
        completion: Completion,
        value: float,
        reason: str,
        *,
        tags: Sequence[str] = (),
        field: str | None = None,
        path: str | None = None,
    ) -> Score:
        """The finding of a check that grades by degrees: `value` is in [0, 1)."""
        finding = self.failed(completion, reason, tags=tags, field=field, path=path)
        return finding.model_copy(update={"value": value})

    def too_large(self, case: Case, what: str) -> CheckSkipped:
        """Build the error for texts that would take too long to compare: skipped and counted."""
        why = f"check '{self.name}' cannot compare case '{case.id}': {what}"
        return CheckSkipped(why, kind="too_large")

    def ungradable(self, case: Case, why: str) -> MetricError:
        """Build the error for a case that this check cannot grade."""
        return MetricError(f"check '{self.name}' cannot grade case '{case.id}': {why}")


class JsonCheck(Check):
    """A check that looks into a JSON answer. One that is not JSON fails with `invalid_json`."""

    answers: ClassVar[LastParsed] = LastParsed()  # the checks of a case look into one answer

    def __init_subclass__(cls) -> None:
        """See to it that a subclass whose own `score` may wait is awaited."""
        super().__init_subclass__()
        if "score" in cls.__dict__ and "score_now" not in cls.__dict__:
            cls.score_now = None  # pyright: ignore[reportAttributeAccessIssue] (no such short cut)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.allow_fence = self.options.flag("allow_fence")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Parse the answer strictly and grade its value."""
        return JsonCheck.score_now(self, case, completion)

    def score_now(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Do the same without a coroutine, since nothing of it waits."""
        try:
            value = self.answers.parse(completion.text, self.allow_fence)
        except InvalidJson as error:
            self.require(case)
            return (self.not_json(completion, error),)
        return self.grade(case, completion, value)

    def require(self, case: Case) -> None:
        """Raise what makes a case ungradable, whatever the answer; `grade` raises it, too."""
        del case

    @abstractmethod
    def grade(self, case: Case, completion: Completion, value: Json) -> Sequence[Score]:
        """Grade the parsed answer, which other checks share: it must not be changed."""

    def not_json(self, completion: Completion, error: InvalidJson) -> Score:
        """The finding on an answer that is not JSON."""
        reason = f"the output is not JSON: {error}; got {shorten(completion.text)}"
        return self.failed(completion, reason, tags=("invalid_json",))


def shared_weight(findings: Sequence[Score]) -> tuple[Score, ...]:
    """Share a check's weight among its findings: it counts once, however much it found."""
    n_findings = len(findings)
    if n_findings < 2:
        return tuple(findings)
    return tuple(
        score.model_copy(update={"weight": score.weight / n_findings}) for score in findings
    )


def one_line(text: str, limit: int = REASON_LIMIT) -> str:
    """Bring a text onto one line of at most about `limit` characters."""
    line = clean(" ".join(text.split()))
    return line if len(line) <= limit else line[:limit] + "…"
