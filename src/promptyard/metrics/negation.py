"""The prefix `not:`: a check that passes where another one fails."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import one_line
from promptyard.metrics.json_text import shorten
from promptyard.metrics.judging import instrument_hash
from promptyard.protocols import Metric
from promptyard.records.cases import After, Case, CheckSpec, Severity
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.scores import Score

NOT = "not:"
FORBIDDEN = "forbidden_match"


class Inverted:
    """Invert what another metric found: pass becomes fail, and fail becomes pass.

    Only these two are inverted: where the other metric cannot grade a case, neither can this
    one. Fails with `forbidden_match`, or the check's `tag`. Severity, dimension, weight and
    options are those of the other check.
    """

    def __init__(self, inner: Metric, spec: CheckSpec) -> None:
        self.name = spec.id or f"{NOT}{inner.name}"
        self.after: After = getattr(inner, "after", "none")
        self.asks_judge: bool = getattr(inner, "asks_judge", False)
        self.grades_finishes: frozenset[str] = getattr(inner, "grades_finishes", frozenset())
        self.severity: Severity | None = getattr(inner, "severity", None)
        self._inner = inner
        self._spec = spec
        self._tag = spec.tag or FORBIDDEN
        self._options = dict(spec.options)

    def for_program(self, program: Program) -> Inverted:
        """Return the inversion of the metric that grades this program's answers."""
        binding = getattr(self._inner, "for_program", None)
        if binding is None:
            return self
        bound = Inverted(binding(program), self._spec)
        bound.name = self.name  # it may have been numbered since
        return bound

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Grade with the other metric and turn the outcome round.

        Raises MetricError when the other metric does.
        """
        scores = await self._inner.score(case, completion)
        if not scores:
            return ()  # nothing was measured: there is nothing to turn round
        first = scores[0]
        common: dict[str, object] = {"label": None, "path": None, "span": None, "counts": None}
        common |= {"metric": self.name, **_restamped(first)}
        if any(score.value < 1.0 for score in scores):
            weight = sum(score.weight for score in scores)
            passed = {"value": 1.0, "tags": (), "reason": "", "field": None, "weight": weight}
            return (first.model_copy(update=common | passed),)
        reason = f"the output must not pass '{self._inner.name}'"
        if self._options:
            reason += f" with {shorten(self._options, 100)}"
        reason = one_line(f"{reason}; got {shorten(completion.text)}")
        failed = {"value": 0.0, "tags": (self._tag,), "reason": reason}
        return (first.model_copy(update=common | failed),)


def _restamped(score: Score) -> dict[str, object]:
    """An inverted judge is another instrument: what it passes is what the judge fails."""
    if score.judge is None:
        return {}
    prompt_hash = instrument_hash(NOT, score.judge.prompt_hash)
    return {"judge": score.judge.model_copy(update={"prompt_hash": prompt_hash})}
