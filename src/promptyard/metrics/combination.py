"""The checks `all_of`, `any_of`, `k_of_n` and `weighted`: one outcome out of several checks."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from promptyard.metrics.check import Check, one_line
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import shorten
from promptyard.metrics.judging import instrument_hash
from promptyard.metrics.nested import Part, Ran, read_parts, why_unknown
from promptyard.protocols import Metric
from promptyard.records.cases import Case, CheckSpec, Dimension
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.scores import Score


class Combination(Check):
    """What the combinations share: the order, the gates, when to stop, what is reported.

    A subclass says what the outcomes so far come to. A check inside that cannot grade the case is
    unknown: where the outcome depends on it, so is the combination, which then raises its error.
    """

    option_names = ("checks",)
    hard_by_default: ClassVar[bool] = False

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.parts = read_parts(spec, context, hard_by_default=self.hard_by_default)
        self.asks_judge = any(part.asks_judge for part in self.parts)
        self.after = spec.after or ("hard" if self.asks_judge else "none")
        inner: set[Dimension] = {
            getattr(part.metric, "dimension", "accuracy") for part in self.parts
        }
        if spec.dimension is None and len(inner) == 1:
            self.dimension = inner.pop()
        graded = [_grades_finishes(part.metric) for part in self.parts]
        self.grades_finishes = graded[0].intersection(*graded[1:])
        self._identity = (type(self).name, shorten(dict(spec.options), 100_000))

    @abstractmethod
    def value(self, ran: Sequence[Ran]) -> float | None:
        """Return what the outcomes so far come to, None while that is open. Gates apart."""

    def for_program(self, program: Program) -> Combination:
        """Return the combination whose checks grade this program's answers."""
        bound = copy.copy(self)
        bound.parts = tuple(part.for_program(program) for part in self.parts)
        return bound

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Run the checks inside until the outcome is settled. Raises what leaves it open."""
        ran: list[Ran] = []
        for group in self._groups():
            ran += await _together(group, case, completion)
            value = self._settled(ran)
            if value is not None:
                return self._scores(value, ran)
        raise why_unknown(self.name, ran)

    def _groups(self) -> Iterator[Sequence[Part]]:
        """Yield the checks in the order in which they run; those of a group run side by side."""
        for part in self.parts:
            yield (part,)

    def _settled(self, ran: Sequence[Ran]) -> float | None:
        gates = [item for item in ran if item.part.is_gate]
        if any(item.failed for item in gates):
            return 0.0
        value = self.value(ran)
        n_gates = sum(part.is_gate for part in self.parts)
        if value == 1.0 and sum(item.passed for item in gates) < n_gates:
            return None  # a gate has not been run yet, or could not grade the case
        return value

    def _scores(self, value: float, ran: Sequence[Ran]) -> tuple[Score, ...]:
        if value >= 1.0:
            stamped = [score for item in ran for score in item.scores if score.judge is not None]
            (passed,) = self.passed()
            found = [passed.model_copy(update={"judge": score.judge}) for score in stamped]
        else:
            found = [
                score.model_copy(update=self._reported(item, score, value))
                for item in ran
                for score in item.scores
                if score.value < 1.0
            ]
        n_found = len(found) or 1
        shared = [
            score.model_copy(update={"weight": self.weight / n_found, **self._stamp(score)})
            for score in found
        ]
        return tuple(shared) or self.passed()

    def _reported(self, item: Ran, score: Score, value: float) -> dict[str, object]:
        """What changes in a finding of a check inside: whose it is and what it comes to."""
        return {
            "metric": self.name,
            "value": value,
            "label": None,
            "counts": None,
            "tags": (self.tag_override,) if self.tag_override else score.tags,
            "reason": one_line(f"{item.part.metric.name}: {score.reason}"),
            "severity": self.severity,
            "dimension": self.dimension,
            "critical": self.critical,
        }

    def _stamp(self, score: Score) -> dict[str, object]:
        """A judge inside a combination is another instrument than the judge alone."""
        if score.judge is None:
            return {}
        prompt_hash = instrument_hash(*self._identity, score.judge.prompt_hash)
        return {"judge": score.judge.model_copy(update={"prompt_hash": prompt_hash})}


class _Counted(Combination):
    """A combination that passes where enough of its checks do."""

    @abstractmethod
    def n_needed(self) -> int:
        """Return how many checks have to pass."""

    def value(self, ran: Sequence[Ran]) -> float | None:
        """Count what passed and what can no longer pass."""
        needed = self.n_needed()
        if sum(item.passed for item in ran) >= needed:
            return 1.0
        if sum(item.failed for item in ran) > len(self.parts) - needed:
            return 0.0
        return None


class AllOf(_Counted):
    """Pass where every check inside passes: 1 or 0. The first one that fails settles it.

    Checks without a judge are run first, and judges are not asked once the outcome is settled.
    Where a check inside breaks or is skipped, so is this one, unless another one fails.

    Options:
        checks: the checks, written as in task.yaml.

    Fails with the findings of what failed, under its own name. Soft; the dimension is that of the
    checks inside where they share one, else accuracy.
    """

    name = "all_of"
    hard_by_default = True

    def n_needed(self) -> int:
        """Every one."""
        return len(self.parts)


class AnyOf(_Counted):
    """Pass where at least one check inside passes: 1 or 0. The first one that does settles it.

    A check inside is an alternative. One that is written with `severity: hard` is a condition
    instead: where it fails, all fails; a type that is hard by default is not one. Checks without a
    judge are run first, and judges are not asked once the outcome is settled. Where a check inside
    breaks or is skipped, so is this one, unless another one passes.

    Options:
        checks: the checks, written as in task.yaml.

    Fails with the findings of all that failed, under its own name. Soft; the dimension is that of
    the checks inside where they share one, else accuracy.
    """

    name = "any_of"

    def n_needed(self) -> int:
        """One."""
        return 1


class KOfN(_Counted):
    """Pass where at least `k` of the checks inside pass: 1 or 0.

    Otherwise as `any_of`: a check that is written with `severity: hard` has to pass in any case,
    judges are asked last and only while the outcome is open, and a check that breaks counts
    neither as passed nor as failed.

    Options:
        checks: the checks, written as in task.yaml.
        k: how many have to pass, from 1 to their number.

    Fails with the findings of what failed, under its own name. Soft; the dimension is that of the
    checks inside where they share one, else accuracy.
    """

    name = "k_of_n"
    option_names = ("checks", "k")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        k = self.options.value("k")
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(self.parts):
            why = f"must be a whole number from 1 to {len(self.parts)}"
            raise self.options.wrong("k", why, k)
        self.k = k

    def n_needed(self) -> int:
        """`k`."""
        return self.k


class Weighted(Combination):
    """Average the checks inside, each by its `weight`; graded, or pass from a threshold on.

    A hard check inside that fails makes it 0, whether hard by default or as written, and judges
    are then not asked. Without a threshold the score is the mean, and judges are asked side by
    side. Where a check inside breaks or is skipped, so is this one, unless a hard one fails or the
    threshold is reached without it.

    Options:
        checks: the checks, written as in task.yaml, `weight` included (default 1).
        threshold: the mean, above 0 and at most 1, from which on the score is 1; below it is the
            mean.

    Fails with the findings of what failed, under its own name, all valued at the mean. Soft; the
    dimension is that of the checks inside where they share one, else accuracy.
    """

    name = "weighted"
    option_names = ("checks", "threshold")
    hard_by_default = True

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        given = self.options.value("threshold")
        self.threshold: float | None = None
        if self.options.has("threshold"):
            number = isinstance(given, int | float) and not isinstance(given, bool)
            if not number or not 0 < given <= 1:
                raise self.options.wrong("threshold", "must be above 0 and at most 1", given)
            self.threshold = float(given)

    def value(self, ran: Sequence[Ran]) -> float | None:
        """Return the mean where all is known, or 1 where what is known reaches the threshold."""
        total = math.fsum(part.weight for part in self.parts)
        known = [(item.part.weight, item.value) for item in ran if item.value is not None]
        mean = min(1.0, math.fsum(weight * value for weight, value in known) / total)
        if self.threshold is not None and mean >= self.threshold - 1e-9:
            return 1.0
        return mean if len(known) == len(self.parts) else None

    def _groups(self) -> Iterator[Sequence[Part]]:
        last = tuple(part for part in self.parts if part.asks_judge and not part.is_gate)
        if self.threshold is not None or not last:
            yield from super()._groups()
            return
        for part in self.parts:
            if part.is_gate or not part.asks_judge:
                yield (part,)
        yield last


def _grades_finishes(metric: Metric) -> frozenset[str]:
    return getattr(metric, "grades_finishes", frozenset[str]())


async def _together(group: Sequence[Part], case: Case, completion: Completion) -> list[Ran]:
    if len(group) == 1:
        return [await group[0].run(case, completion)]
    import asyncio

    outcomes = await asyncio.gather(
        *(part.run(case, completion) for part in group), return_exceptions=True
    )
    ran: list[Ran] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        ran.append(outcome)
    return ran
