"""Turns the checks that a user wrote into metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from promptyard.errors import ConfigError
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

    Raises ConfigError in one line for an unknown type or option, with the nearest known name.
    """

    def build(spec: CheckSpec) -> Metric:
        return _metric(spec, nested, table)

    nested = replace(context, build=build)
    built = [(spec, build(spec)) for spec in specs]
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


def _metric(spec: CheckSpec, context: MetricContext, table: Mapping[str, MetricFactory]) -> Metric:
    negated = spec.type.startswith(NOT)
    wanted = canonical_name(spec.type.removeprefix(NOT))
    name = next((name for name in table if canonical_name(name) == wanted), None)
    if name is None and wanted in AMBIGUOUS:
        meanings = AMBIGUOUS[wanted]
        raise ConfigError(f"unknown check '{spec.type}': it is {meanings}; name the one you mean")
    if name is None:
        known = sorted(table)
        candidates = (*known, *(NOT + name for name in known))
        hint = nearest(plain_name(spec.type), known, candidates)
        raise ConfigError(f"unknown check '{spec.type}'{hint}")
    metric = table[name](spec, context)
    return Inverted(metric, spec) if negated else metric


def _rank(spec: CheckSpec, metric: Metric) -> int:
    if getattr(metric, "asks_judge", False):
        return 2
    return int((spec.severity or getattr(metric, "severity", None)) != "hard")
