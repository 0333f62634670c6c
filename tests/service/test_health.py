"""What is answered without a key, and to whom."""

from __future__ import annotations

from pathlib import Path

from support.served import served


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
        assert service.ask("DELETE", "/healthz").status == 405


def test_without_keys_only_loopback_names_are_answered(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        for host in ("localhost:80", "127.0.0.1", "[::1]:8700"):
            assert service.get("/healthz", headers={"Host": host}).status == 200
        for host in ("evil.example", "evil.example:8700", "127.0.0.1.evil.example", ""):
            refused = service.get("/healthz", headers={"Host": host})
            assert refused.status in (400, 421), host
        service.new_key("read")
        assert service.get("/healthz", headers={"Host": "prompts.example"}).status == 200
