"""Metrics in the text format of Prometheus: of this process, and of the store as it sees it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from promptyard.errors import PromptyardError
from promptyard.line.background import StoreFigures, store_figures
from promptyard.service.request_counts import BUCKETS_S, RequestCounts
from promptyard.service.state import ServiceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNTED = {
    "spans": "Spans that were stored, each once.",
    "events": "Live events that were stored, each once.",
    "rejected": "Spans, log records and live events that could not be used.",
    "store_errors": "Calls of the store that failed, as routes and background work met them.",
}


async def metrics_text(state: ServiceState) -> bytes:
    """Return all metrics. A store that fails takes its own away, and is said to be down.

    Costs one reading of the store; of rollouts only where one was decided on since.
    """
    try:
        figures = await store_figures(state.store, known=state.figures)
        state.figures = figures
    except PromptyardError:
        figures = None
    registry = CollectorRegistry()
    registry.register(_Families(_families(state, figures)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(state: ServiceState, figures: StoreFigures | None) -> Generator[Metric]:
    yield from _request_families(state.requests)
    for name, text in _COUNTED.items():
        family = CounterMetricFamily(f"promptyard_{name}", text)
        family.add_metric([], getattr(state.counts, name))
        yield family
    yield _gauge("promptyard_open_streams", "Streams of events.", state.counts.open_streams)
    yield _gauge("promptyard_store_up", "Whether the store answers.", figures is not None)
    if figures is None:
        return
    yield _gauge("promptyard_revision", "Moves and decisions in the store.", figures.revision)
    yield _by("promptyard_jobs", "Jobs that have not ended.", "state", figures.jobs)
    yield _by("promptyard_rollouts", "Rollouts there ever were.", "state", figures.rollouts)
    yield _by("promptyard_webhooks", "Webhooks there are.", "state", figures.webhooks)
    given_up = "Events that these webhooks were given up on."
    yield _gauge("promptyard_webhook_given_up", given_up, figures.n_given_up)
    held = {
        work.name: float(work.ends_in_s > 0 and work.owner == state.replica)
        for work in figures.work
    }
    yield _by("promptyard_lease_held", "Whether this replica does it.", "work", held)
    failed = {work.name: float(bool(work.note.get("error"))) for work in figures.work}
    yield _by("promptyard_work_failing", "Whether its last turn failed.", "work", failed)


def _request_families(requests: RequestCounts) -> Generator[Metric]:
    labels = ["route", "method"]
    answered = CounterMetricFamily(
        "promptyard_http_requests", "Requests that were answered.", labels=[*labels, "status"]
    )
    for (route, method, status), n in sorted(requests.answers.items()):
        answered.add_metric([route, method, str(status)], n)
    yield answered
    took = HistogramMetricFamily(
        "promptyard_http_request_duration_seconds",
        "How long answers took, streams left out.",
        labels=labels,
    )
    bounds = [*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"]
    for (route, method), durations in sorted(requests.durations.items()):
        buckets = list(zip(bounds, accumulate(map(float, durations.counts)), strict=True))
        took.add_metric([route, method], buckets, durations.total_s)
    yield took


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
