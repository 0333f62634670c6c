"""Turns the checks that a user wrote into metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.errors import ConfigError
from promptyard.metrics import METRICS, MetricFactory
from promptyard.metrics.context import MetricContext
from promptyard.metrics.negation import NOT, Inverted
from promptyard.metrics.options import nearest
from promptyard.protocols import Metric
from promptyard.records.cases import CheckSpec


def build_metrics(
    specs: Sequence[CheckSpec],
    context: MetricContext,
    table: Mapping[str, MetricFactory] = METRICS,
) -> tuple[Metric, ...]:
    """Build one metric a check: hard ones first, else in the order in which they were written.

    A type may be written with dashes or underscores. The prefix `not:` inverts pass and fail,
    never an error.

    Raises ConfigError in one line for an unknown type or option, with the nearest known name.
    """
    built = [(spec, _metric(spec, context, table)) for spec in specs]
    built.sort(key=lambda pair: _severity(*pair) != "hard")
    return tuple(metric for _, metric in built)


def _metric(spec: CheckSpec, context: MetricContext, table: Mapping[str, MetricFactory]) -> Metric:
    negated = spec.type.startswith(NOT)
    wanted = spec.type.removeprefix(NOT)
    name = next((name for name in table if _plain(name) == _plain(wanted)), None)
    if name is None:
        known = sorted(table)
        candidates = (*known, *(NOT + name for name in known))
        raise ConfigError(
            f"unknown check '{spec.type}'" + nearest(_plain(spec.type), known, candidates)
        )
    metric = table[name](spec, context)
    return Inverted(metric, spec) if negated else metric


def _plain(name: str) -> str:
    return name.strip().replace("-", "_").lower()


def _severity(spec: CheckSpec, metric: Metric) -> str | None:
    return spec.severity or getattr(metric, "severity", None)
