"""Metrics: what was asked, by routes that exist, and how the store stands."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from promptyard.records.live import Outcome
from support.served import Service, served
from support.streams import stream

OUTCOME = Outcome(id="o1", prompt="p", version=1, digest="d", at="2026-11-27T10:00:00+00:00")


def read(service: Service, key: str | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = service.get("/metrics", key=key)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_requests_count_by_route_method_and_status(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for _ in range(3):
            service.get("/healthz")
        for number in range(20):
            service.get(f"/no/such/{number}")
        service.get("/api/v1/background")
        service.get("/healthz", headers={"Host": "evil.example"})
        found = read(service)
    name = "promptyard_http_requests_total"
    assert found[name, ("GET", "/healthz", "200")] == 3
    assert found[name, ("GET", "unknown", "404")] == 20
    assert found[name, ("GET", "unknown", "421")] == 1
    assert found[name, ("GET", "/api/v1/background", "200")] == 1
    assert len({labels for counted, labels in found if counted == name}) == 4
    duration = "promptyard_http_request_duration_seconds"
    assert found[f"{duration}_count", ("GET", "/healthz")] == 3
    assert found[f"{duration}_bucket", ("+Inf", "GET", "/healthz")] == 3
    assert found[f"{duration}_bucket", ("10", "GET", "/healthz")] == 3
    assert 0 < found[f"{duration}_sum", ("GET", "/healthz")] < 3
    assert found["promptyard_store_up", ()] == 1
    assert found["promptyard_revision", ()] == 0
    assert found["promptyard_rollouts", ("running",)] == 0
    assert found["process_resident_memory_bytes", ()] > 1e6


def test_what_is_taken_in_and_refused_is_counted(tmp_path: Path) -> None:
    lines = OUTCOME.model_dump_json().encode() + b"\n" + b"{}\n"
    with served(tmp_path) as service:
        for _ in range(2):
            headers = {"Content-Type": "application/x-ndjson"}
            service.ask("POST", "/api/v1/events", body=lines, headers=headers)
        with stream(service, "/api/v1/manifest/events") as events:
            next(events)
            found = read(service)
            assert found["promptyard_open_streams", ()] == 1
    assert found["promptyard_events_total", ()] == 1
    assert found["promptyard_rejected_total", ()] == 2


def test_metrics_are_for_keys_that_may_read(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        reader = service.new_key("read", name="prometheus")
        reporter = service.new_key("report")
        assert service.get("/metrics").status == 401
        assert service.get("/metrics", key=reporter).status == 403
        found = read(service, key=reader)
    assert found["promptyard_http_requests_total", ("GET", "/metrics", "403")] == 1
