"""What is answered without a key, and to whom."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptyard import __version__
from promptyard.line.api_keys import create_key
from support.postgres import PostgresServer, postgres_server
from support.replicas import Replica, replicas
from support.served import served

__all__ = ["postgres_server"]


def test_a_service_that_can_serve_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        assert service.get("/healthz").json == {"status": "ok"}
        assert service.get("/readyz").json == {"status": "ready"}
        document = service.get("/api/v1/openapi.json").json
        assert document["openapi"].startswith("3.1")
        missing = service.get("/nothing")
        assert missing.status == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.json["request_id"] == missing.headers["x-request-id"]
        assert "nothing lies at /nothing; /api/v1/openapi.json says" in missing.json["detail"]


def test_the_first_page_says_what_answers_and_where_everything_lies(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.new_key("read")
        index = service.get("/")
        assert (index.status, index.headers["content-type"]) == (200, "application/json")
        assert (index.json["name"], index.json["version"]) == ("Promptyard", __version__)
        for name in ("openapi", "health", "readiness"):
            assert service.get(index.json[name]).status == 200, name
        assert service.get(index.json["metrics"]).status == 401
        page = service.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert f"<h1>Promptyard {__version__}</h1>" in page.body.decode()
        assert f"href='{index.json['openapi']}'" in page.body.decode()


def test_a_method_that_is_not_allowed_is_told_which_are(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for path, allowed in (
            ("/healthz", "GET"),
            ("/api/v1/keys", "GET, POST"),
            ("/api/v1/prompts/a%2Fb/versions", "GET, POST"),
            ("/api/v1/webhooks/1", "DELETE"),
            ("/v1/traces", "POST"),
        ):
            answer = service.ask("PUT", path)
            assert (answer.status, answer.headers["allow"]) == (405, allowed), path
            said = f"PUT is not allowed at {path}; allowed: {allowed}"
            assert answer.json["detail"] == said
        assert "GET" in service.ask("PUT", "/api/v1/openapi.json").headers["allow"]


def test_without_keys_only_loopback_names_are_answered(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for host in ("localhost:80", "127.0.0.1", "[::1]:8700"):
            assert service.get("/healthz", headers={"Host": host}).status == 200
        for host in ("evil.example", "evil.example:8700", "127.0.0.1.evil.example", ""):
            refused = service.get("/healthz", headers={"Host": host})
            assert refused.status in (400, 421), host
        service.new_key("read")
        assert service.get("/healthz", headers={"Host": "prompts.example"}).status == 200


def test_without_a_store_it_lives_and_is_not_ready_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
    with served(tmp_path) as service:
        assert service.get("/readyz").status == 200
        asyncio.run(service.state.store.close())
        wait_for(lambda: service.get("/readyz").status == 503)
        for path in ("/readyz", "/api/v1/background", "/metrics"):
            failed = service.get(path)
            assert (failed.status, failed.headers["retry-after"]) == (503, "1"), path
            assert failed.json["type"].endswith("store-failed")
        assert service.get("/healthz").json == {"status": "ok"}
        assert any(line.startswith("the store failed 1 request") for line in caplog.messages)
        asyncio.run(service.state.store.open())
        wait_for(lambda: service.get("/readyz").status == 200)
        counted = re.search(
            r"promptyard_store_errors_total (\d+)", service.get("/metrics").body.decode()
        )
        assert counted is not None
        assert int(counted[1]) >= 3


def test_prompts_are_served_without_a_store_to_keys_that_were_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
    with served(tmp_path) as service:
        known = service.new_key("read")
        assert service.get("/api/v1/manifest", key=known).status == 200
        asyncio.run(service.state.store.close())
        made = service.in_store(lambda store: create_key(store, "bob", ["read"], actor="me"))
        unknown = made.secret
        assert service.get("/api/v1/manifest", key=known).status == 200
        assert service.get("/api/v1/manifest", key=unknown).status == 503
        assert service.get("/api/v1/manifest", key=known + "x").status == 401
        assert service.get("/metrics", key=known).status == 200
        monkeypatch.setattr("promptyard.service.access.OUTAGE_S", 0.0)
        assert service.get("/api/v1/manifest", key=known).status == 503
        asyncio.run(service.state.store.open())
        assert service.get("/api/v1/manifest", key=unknown).status == 200


def test_a_database_that_is_restarted_is_found_again(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    url = postgres_server.create_schema()
    with replicas(tmp_path, url, 1, "lease_s: 1, canary_every_s: 0.1") as (replica,):
        assert replica.status("/readyz") == 200
        with postgres_server.stopped():
            wait_for(lambda: replica.status("/readyz") == 503)
            assert replica.status("/healthz") == 200
        wait_for(lambda: replica.status("/readyz") == 200)
        n_turns = note(replica).get("n_turns", 0)
        wait_for(lambda: note(replica).get("n_turns", 0) > n_turns and not note(replica)["error"])


def note(replica: Replica) -> dict[str, Any]:
    return replica.lease("canary").get("note", {})


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
