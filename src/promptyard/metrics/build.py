"""Turns the checks that a user wrote into metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from promptyard.errors import ConfigError, as_one
from promptyard.metrics import ALIASES, AMBIGUOUS, METRICS, MetricFactory
from promptyard.metrics.context import MetricContext
from promptyard.metrics.negation import NOT, Inverted
from promptyard.metrics.options import nearest, plain_name
from promptyard.protocols import Metric
from promptyard.records.cases import CheckSpec

OWN = "#case"
"""Ends the name of a case's own check where a check of all cases has that name."""


def build_metrics(
    specs: Sequence[CheckSpec],
    context: MetricContext,
    table: Mapping[str, MetricFactory] = METRICS,
    place: Callable[[tuple[int | str, ...]], str] | None = None,
    *,
    shared: Sequence[Metric] = (),
) -> tuple[Metric, ...]:
    """Build one metric a check, in the order in which they run.

    Hard ones come first, then soft ones, then those that ask a judge; else they stay in the order
    in which they were written. A check has the name of its `id`, else of its type and its field
    (`field_equals:status`). Where names are equal all the same they are numbered (`contains`,
    `contains#2`), so that scores stay apart. Where `specs` are a case's own checks, those with a
    name of the `shared` metrics of all cases are called `contains#case`. A type may be written with
    dashes or underscores, or by its name in other tools (`ALIASES`). The prefix `not:` inverts pass
    and fail, never an error.

    `place` writes where something of a check stands in what the user wrote: it is given the check's
    number and the keys inside of it, `(2, "value")`.

    Raises ConfigError, one line for each check with an unknown type or a wrong option, with the
    nearest known name.
    """

    def build(spec: CheckSpec) -> Metric:
        return _metric(spec, nested, table)

    nested = replace(context, build=build)
    built: list[tuple[CheckSpec, Metric]] = []
    mistakes: list[ConfigError] = []
    for number, spec in enumerate(specs):
        try:
            built.append((spec, build(spec)))
        except ConfigError as error:
            where = "" if place is None else f"{place((number, *error.key))}: "
            mistakes += [ConfigError(f"{where}{line}") for line in error.lines]
    if mistakes:
        raise as_one(mistakes)
    _number_names([metric for _, metric in built], [metric.name for metric in shared])
    built.sort(key=lambda pair: _rank(*pair))
    return tuple(metric for _, metric in built)


def _number_names(metrics: Sequence[Metric], taken: Sequence[str]) -> None:
    n_of: Counter[str] = Counter()
    for metric in metrics:
        if metric.name in taken:
            metric.name += OWN
        n_of[metric.name] += 1
        if n_of[metric.name] > 1:
            metric.name = f"{metric.name}#{n_of[metric.name]}"


def canonical_name(name: str) -> str:
    """Return our name of a check: dashes become underscores, names of other tools ours."""
    plain = plain_name(name)
    return ALIASES.get(plain, plain)


def known_type(written: str, table: Mapping[str, MetricFactory] = METRICS) -> str:
    """Return the name in `table` of the type of a check, without `not:`.

    Raises ConfigError in one line for an unknown one, with the nearest known name.
    """
    wanted = canonical_name(written.removeprefix(NOT))
    name = next((name for name in table if canonical_name(name) == wanted), None)
    if name is not None:
        return name
    if wanted in AMBIGUOUS:
        hint = f": it is {AMBIGUOUS[wanted]}; name the one you mean"
    else:
        known = sorted(table)
        hint = nearest(plain_name(written), known, (*known, *(NOT + name for name in known)))
    raise ConfigError(f"unknown check '{written}'{hint}", key=("type",))


def _metric(spec: CheckSpec, context: MetricContext, table: Mapping[str, MetricFactory]) -> Metric:
    metric = table[known_type(spec.type, table)](spec, context)
    return Inverted(metric, spec) if spec.type.startswith(NOT) else metric


def _rank(spec: CheckSpec, metric: Metric) -> int:
    if getattr(metric, "asks_judge", False):
        return 2
    return int((spec.severity or getattr(metric, "severity", None)) != "hard")
