"""Checks inside of a check: read out of its options, run in order, each with what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from promptyard.errors import CheckSkipped, ConfigError, MetricError
from promptyard.metrics.check import one_line
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import as_array, shorten
from promptyard.metrics.options import COMMON_KEYS
from promptyard.protocols import Metric
from promptyard.records.base import Json, as_object
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program
from promptyard.records.scores import Score

CHECKS: Final = "checks"
"""The option that holds the checks inside of a check."""


@dataclass(frozen=True)
class Part:
    """One check inside of another one. `is_gate` says that all is lost where it fails."""

    metric: Metric
    weight: float
    is_gate: bool
    asks_judge: bool

    def for_program(self, program: Program) -> Part:
        """Return the part with the metric that grades this program's answers."""
        binding = getattr(self.metric, "for_program", None)
        return self if binding is None else replace(self, metric=binding(program))

    async def run(self, case: Case, completion: Completion) -> Ran:
        """Grade, and keep the error of a check that cannot."""
        try:
            scores = await self.metric.score(case, completion)
        except MetricError as error:
            return Ran(self, error=error)
        if not scores:
            return Ran(self, error=MetricError(f"'{self.metric.name}' gave no finding"))
        return Ran(self, scores=tuple(scores))


@dataclass(frozen=True)
class Ran:
    """A part that was run: its scores, or why there are none."""

    part: Part
    scores: tuple[Score, ...] = ()
    error: MetricError | None = None

    @property
    def value(self) -> float | None:
        """The lowest of its scores, None where there are none."""
        return min((score.value for score in self.scores), default=None)

    @property
    def passed(self) -> bool:
        """Whether it found nothing wrong."""
        return self.value == 1.0

    @property
    def failed(self) -> bool:
        """Whether it found something wrong."""
        return self.value is not None and self.value < 1.0


def read_parts(
    spec: CheckSpec, context: MetricContext, *, hard_by_default: bool
) -> tuple[Part, ...]:
    """Build the checks inside of a check, in the order in which they run.

    Gates come first, then the other checks, then those that ask a judge. A check whose own default
    is hard is a gate where `hard_by_default` says so, else only one that is written as hard.
    Raises ConfigError that says which entry is wrong.
    """
    if context.build is None:
        raise ConfigError(f"check '{spec.type}': nothing builds the checks inside of it")
    parts: list[Part] = []
    for number, inner in enumerate(_specs(spec)):
        try:
            metric = context.build(inner)
        except ConfigError as error:
            raise error.inside(CHECKS, number) from None
        default = getattr(metric, "severity", None) if hard_by_default else None
        parts.append(
            Part(
                metric=metric,
                weight=inner.weight,
                is_gate=(inner.severity or default) == "hard",
                asks_judge=getattr(metric, "asks_judge", False),
            )
        )
    return tuple(sorted(parts, key=lambda part: (part.asks_judge, not part.is_gate)))


def with_nested(specs: Sequence[CheckSpec]) -> Iterator[CheckSpec]:
    """Yield checks with those inside of them, at every depth.

    What cannot be read is left out: it is refused where the check is built.
    """
    for spec in specs:
        yield spec
        if CHECKS in spec.options:
            with contextlib.suppress(ConfigError):
                yield from with_nested(_specs(spec))


def why_unknown(name: str, ran: Sequence[Ran]) -> MetricError:
    """Build the error of a check that the errors and skips inside of it leave undecided."""
    errors = [item.error for item in ran if item.error is not None]
    broken = [error for error in errors if not isinstance(error, CheckSkipped)]
    first = (broken or errors)[0]
    return type(first)(f"'{name}' cannot be decided: {first}", kind=first.kind)


def _specs(spec: CheckSpec) -> list[CheckSpec]:
    entries = as_array(spec.options.get(CHECKS))
    if not entries:
        got = shorten(spec.options.get(CHECKS))
        raise ConfigError(
            f"check '{spec.type}': option '{CHECKS}' must be a list of checks, got {got}",
            key=(CHECKS,),
        )
    return [_spec(entry, spec.type, n) for n, entry in enumerate(entries)]


def _spec(entry: Json, outer: str, number: int) -> CheckSpec:
    where, at = f"check '{outer}': {CHECKS}[{number}]", (CHECKS, number)
    given = {"type": entry} if isinstance(entry, str) else as_object(entry)
    if given is None or not isinstance(given.get("type"), str):
        raise ConfigError(f"{where}: must be the name of a check or have a 'type'", key=at)
    options = dict(as_object(given.get("options")) or {})
    common: dict[str, Json] = {"type": given["type"]}
    for key, value in given.items():
        if key in COMMON_KEYS:
            common[key] = value
        elif key not in {"type", "options"}:
            options[key] = value
    try:
        return CheckSpec(**common, options=options)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        at_key = (*at, *first["loc"])
        raise ConfigError(one_line(f"{where}.{key}: {first['msg']}"), key=at_key) from None
