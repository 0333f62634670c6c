"""Traffic by hours over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptyard.config.service_shape import RetentionConfig
from promptyard.line.retention import prune
from promptyard.records.live import Outcome
from support.registered import version_of
from support.served import served

FAR = "2999-01-01T00:00:00+00:00"


def test_hours_hold_what_is_there_and_what_was_deleted(tmp_path: Path) -> None:
    outcomes = [
        Outcome(
            id=f"o{n}", prompt="p", version=1 + n % 2, digest="d", at="", latency_s=0.1 * (n + 1)
        )
        for n in range(10)
    ]
    with served(tmp_path) as service:
        service.in_store(lambda store: store.add_live_events(outcomes[:6]))
        before = service.get("/api/v1/traffic?prompt=p").json["items"]
        assert [row["n_outcomes"] for row in before] == [3, 3]
        service.in_store(lambda store: prune(store, RetentionConfig(), now=FAR))
        assert service.get("/api/v1/traffic?prompt=p").json["items"] == before
        service.in_store(lambda store: store.add_live_events(outcomes[6:]))
        rows = service.get("/api/v1/traffic?prompt=p&limit=1000").json["items"]
        assert sum(row["n_outcomes"] for row in rows) == 10
        assert max(row["latency_p99_s"] for row in rows) == pytest.approx(1.0, rel=0.021)
        first = service.get("/api/v1/traffic?prompt=p&limit=1").json
        rest = service.get(f"/api/v1/traffic?prompt=p&cursor={first['next']}").json
        assert [*first["items"], *rest["items"]] == rows
        service.in_store(lambda store: store.add_version(version_of("user:\nA\n", "orders")))
        assert service.get("/api/v1/traffic?prompt=orders").json["items"] == []
        assert service.get("/api/v1/traffic?prompt=").json["items"] == []
        long_ago = "since=2001-01-01&until=2001-01-02"
        assert service.get(f"/api/v1/traffic?prompt=p&{long_ago}").json["items"] == []
        unknown = service.get("/api/v1/traffic?prompt=order")
        assert (unknown.status, "did you mean 'orders'?" in unknown.json["detail"]) == (404, True)
        for wrong in ("since=yesterday", "until=2026-01-01&since=2026-02-01", "since=1970-01-01"):
            assert service.get(f"/api/v1/traffic?prompt=p&{wrong}").status == 422
        assert service.get("/api/v1/traffic").status == 422


def test_times_at_the_ends_of_the_calendar_are_times_like_others(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for since, until in (
            ("0001-01-01T00:00:00", "0001-01-02T00:00:00%2B23:00"),
            ("9999-12-30T00:00:00", "9999-12-31T23:59:59-23:00"),
        ):
            answer = service.get(f"/api/v1/traffic?prompt=p&since={since}&until={until}")
            assert answer.status in (200, 404, 422), answer.body
