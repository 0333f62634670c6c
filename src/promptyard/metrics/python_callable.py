"""Makes a metric of any Python function `(case, output_text) -> score`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from promptyard.errors import MetricError
from promptyard.metrics.check import one_line
from promptyard.metrics.json_text import clean
from promptyard.metrics.python_target import said
from promptyard.protocols import Metric
from promptyard.records.cases import Case, Dimension, Severity
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

LOW_SCORE: Final = "low_score"
"""The bucket of failures that say no more than a number."""


def metric_from_callable(function: Callable[[Case, str], Any]) -> Metric:
    """Wrap a sync or async callable as a metric named like it: soft, accuracy.

    It is called with the case and the text of the answer and returns one of

    - a number in [0, 1] or a bool, higher is better,
    - `(number, feedback)` or `(number, feedback, tags)`: a sentence (or None) and one tag or more,
    - a `Score`, or a list of them, which are taken as they are.

    A value below 1.0 without a tag gets the tag `low_score`. A sync callable runs on the event
    loop: make one that waits for something async.

    The metric raises MetricError, and the case is unscored, when the callable raises or returns
    anything else: None, a number that is not finite or outside [0, 1], an empty list.
    """
    return _CallableMetric(function)


class _CallableMetric:
    severity: Severity = "soft"
    dimension: Dimension = "accuracy"

    def __init__(self, function: Callable[[Case, str], Any]) -> None:
        self.name = _name(function)
        self._function = function

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        try:
            returned = self._function(case, completion.text)
            if inspect.isawaitable(returned):
                returned = await returned
        except MetricError:
            raise
        except Exception as error:
            why = f"metric '{self.name}' failed on case '{case.id}': {said(error)}"
            raise MetricError(why) from error
        return self._scores(case, returned)

    def _scores(self, case: Case, returned: Any) -> tuple[Score, ...]:
        if isinstance(returned, Score):
            return (_tagged(returned),)
        if isinstance(returned, tuple | list):
            items = cast("Sequence[Any]", returned)
            if items and all(isinstance(item, Score) for item in items):
                return tuple(_tagged(item) for item in items)
            if isinstance(returned, tuple) and len(items) in {2, 3}:
                return (self._with_feedback(case, *items),)
            raise self._unusable(case, f"a {type(items).__name__} of {len(items)} items")
        return (self._score(self._number(case, returned)),)

    def _with_feedback(self, case: Case, value: Any, feedback: Any, tags: Any = ()) -> Score:
        if not isinstance(feedback, str | None):
            raise self._unusable(case, f"feedback of type {type(feedback).__name__}")
        named = _tags(tags)
        if named is None:
            raise self._unusable(case, "tags that are not texts")
        return self._score(self._number(case, value), feedback or "", named)

    def _number(self, case: Case, value: Any) -> float:
        try:
            number = float(value) if hasattr(value, "__float__") else math.nan
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if isinstance(value, bool):
            number = float(value)
        if not 0.0 <= number <= 1.0:
            raise self._unusable(case, one_line(repr(value), 80))
        return number

    def _score(self, value: float, feedback: str = "", tags: Sequence[str] = ()) -> Score:
        failed = value < 1.0
        return Score(
            metric=self.name,
            value=value,
            tags=(tuple(tags) or (LOW_SCORE,)) if failed else (),
            reason=clean(feedback) or (f"{self.name} gave {value:.4g}" if failed else ""),
            severity=self.severity,
            dimension=self.dimension,
        )

    def _unusable(self, case: Case, what: str) -> MetricError:
        return MetricError(
            f"metric '{self.name}' returned {what} for case '{case.id}'; return a number in "
            "[0, 1], a bool, (number, feedback, tags) or Score"
        )


def _tags(tags: Any) -> tuple[str, ...] | None:
    if tags is None or isinstance(tags, str):
        return (tags,) if tags else ()
    if not isinstance(tags, list | tuple | set | frozenset):
        return None
    items = cast("list[Any]", list(tags))  # pyright: ignore[reportUnknownArgumentType] - a user's
    if not all(isinstance(tag, str) and tag for tag in items):
        return None
    return tuple(sorted(items) if isinstance(tags, set | frozenset) else items)


def _tagged(score: Score) -> Score:
    if score.value >= 1.0:
        return score
    reason = score.reason or f"{score.metric} gave {score.value:.4g}"
    return score.model_copy(update={"tags": score.tags or (LOW_SCORE,), "reason": reason})


def _name(function: Callable[..., Any]) -> str:
    inner = getattr(function, "func", function)  # functools.partial has no name of its own
    return str(getattr(inner, "__name__", type(inner).__name__))
