"""Live traffic over HTTP: its events, a look at it, and the alerts that it led to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from promptyard.protocols import Store
from promptyard.testing.store_suite import sample_outcome, sample_version
from support.served import served

PROMPT = "/api/v1/prompts/support"


async def store_traffic(store: Store) -> None:
    """Store a version and eighty outcomes, of which every second failed."""
    await store.add_version(sample_version("Be kind."))
    outcomes = [
        sample_outcome(f"o{number:03d}", version=1, error="timeout" if number % 2 else "")
        for number in range(80)
    ]
    await store.add_live_events(outcomes)


def test_a_look_stores_what_it_finds_once(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        assert service.post(f"{PROMPT}/monitor", {}).status == 404
        service.in_store(store_traffic)
        assert service.get("/api/v1/alerts?prompt=support").json["items"] == []
        look = {"window_s": 3600, "limits": {"error_rate": 0.1}}
        report = service.post(f"{PROMPT}/monitor", look).json
        assert report["status"] == "fail"
        assert report["windows"][0]["n_errors"] == 40
        assert service.post(f"{PROMPT}/monitor", look).status == 200
        found = service.get("/api/v1/alerts").json["items"]
        assert [item["alert"]["metric"] for item in found].count("error_rate") == 1
        assert [item["seq"] for item in found] == sorted(
            (item["seq"] for item in found), reverse=True
        )
        page = service.get("/api/v1/alerts?prompt=support&limit=1").json
        assert page["items"] == found[:1]
        assert service.get("/api/v1/alerts?prompt=none").status == 404
        for wrong in ({"window_s": -1}, {"limits": {"speed": 1}}, {"prompt": "x"}):
            assert service.post(f"{PROMPT}/monitor", wrong).status == 422, wrong


def test_live_events_are_listed_in_the_order_of_storing(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.in_store(store_traffic)
        first = service.get(f"{PROMPT}/live-events?limit=50").json
        rest = service.get(f"{PROMPT}/live-events?cursor={first['next']}").json
        ids = [item["event"]["id"] for item in (*first["items"], *rest["items"])]
        assert ids == [f"o{number:03d}" for number in range(80)]
        assert rest["next"] is None
        assert service.get(f"{PROMPT}/live-events?rollout=none").json["items"] == []
        assert service.get("/api/v1/prompts/none/live-events").status == 404


def test_background_monitors_hold_traffic_to_the_limits_of_the_settings(tmp_path: Path) -> None:
    limits = {"error_rate": None, "hard_failure_rate": None, "latency_p95_s": 1e-9}
    plan = {"window_s": 3600, "min_outcomes": 10, "limits": limits}
    with served(tmp_path, monitor_every_s=0.05, lease_s=1, monitors=plan) as service:
        service.in_store(store_traffic)
        found: list[Any] = []
        for _ in range(200):
            found = service.get("/api/v1/alerts").json["items"]
            if found:
                break
            time.sleep(0.02)
        assert [item["alert"]["metric"] for item in found] == ["latency_p95_s"]
