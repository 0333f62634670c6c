"""Keys over HTTP: made, rotated, revoked, listed; and the log of every act."""

from __future__ import annotations

import contextlib
import http.client
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.pointers import register
from support.served import Service, served

KEYS = "/api/v1/keys"


def made(service: Service, *scopes: str, **more: Any) -> dict[str, Any]:
    answer = service.post(KEYS, {"name": "eve", "scopes": scopes, **more})
    assert answer.status == 201, answer.body
    assert answer.headers["cache-control"] == "no-store"
    return answer.json


def log_of(service: Service, **query: object) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return service.get(f"/api/v1/audit?{asked}").json["items"]


def test_the_first_key_closes_the_door(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        first = made(service, "admin")
        assert first["warnings"] == []
        assert service.get(KEYS).status == 401
        assert service.get(KEYS).headers["www-authenticate"] == "Bearer"
        service.key = first["secret"]
        (listed,) = service.get(KEYS).json["items"]
        assert listed == first["key"]
        assert (listed["name"], listed["created_by"], listed["state"]) == ("eve", "local", "active")


def test_a_first_key_that_cannot_make_others_is_warned_of(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        (warning,) = made(service, "read", "report")["warnings"]
        assert "promptyard keys create NAME --scope admin" in warning


def test_a_rotated_key_works_on_for_its_grace_and_its_successor_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.key = made(service, "admin")["secret"]
        old = made(service, "read", expires_in_s=86_400)
        new = service.post(f"{KEYS}/{old['key']['id']}/rotate", {"grace_s": 0.4}).json
        assert (new["key"]["name"], new["key"]["scopes"]) == ("eve", ["read"])
        assert new["key"]["rotated_from"] == old["key"]["id"]
        assert new["key"]["expires_at"][:10] == old["key"]["expires_at"][:10]  # as long a life
        for key in (old, new):
            assert service.get(KEYS, key=key["secret"]).status == 403  # known, and not an admin
        time.sleep(0.5)
        refused = service.get(KEYS, key=old["secret"])
        assert refused.status == 401
        assert refused.json["detail"] == f"key {old['key']['id']} of eve is expired"
        assert service.get(KEYS, key=new["secret"]).status == 403
        again = service.post(f"{KEYS}/{old['key']['id']}/rotate", {})
        assert again.status == 409


def test_a_key_without_grace_ends_when_it_is_rotated(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        first = made(service, "admin")
        service.key = first["secret"]
        new = service.post(f"{KEYS}/{first['key']['id']}/rotate", {"grace_s": 0}).json
        assert service.get(KEYS).status == 401
        assert service.get(KEYS, key=new["secret"]).status == 200


def test_a_revoked_key_ends_at_once_here_and_soon_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.5)
    with served(tmp_path) as service, served(tmp_path) as other:
        service.key = made(service, "admin")["secret"]
        key = made(service, "admin")
        assert other.get(KEYS, key=key["secret"]).status == 200
        ended = service.ask("DELETE", f"{KEYS}/{key['key']['id']}").json
        assert ended["state"] == "revoked"
        assert service.get(KEYS, key=key["secret"]).status == 401
        deadline = time.monotonic() + 1.5
        while other.get(KEYS, key=key["secret"]).status == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_revoked_key_is_of_no_use_whatever_the_clocks_say(tmp_path: Path) -> None:
    ahead = "2999-01-01T00:00:00.000000+00:00"  # by the clock of the replica that was asked
    with served(tmp_path) as service:
        text = service.new_key("admin")
        service.in_store(lambda store: store.end_key(text.split("_")[1], revoked_at=ahead))
        assert service.get(KEYS, key=text).status == 401


def test_the_last_admin_cannot_lock_everybody_out(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        first = made(service, "admin")
        service.key = first["secret"]
        refused = service.ask("DELETE", f"{KEYS}/{first['key']['id']}")
        assert (refused.status, "last with the scope admin" in refused.json["detail"]) == (
            409,
            True,
        )
        made(service, "admin", expires_in_s=60)
        assert service.ask("DELETE", f"{KEYS}/{first['key']['id']}").status == 200
        assert service.ask("DELETE", f"{KEYS}/{'0' * 12}").status == 401  # its own key has ended


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": "", "scopes": ["read"]},
        {"name": "a\nb", "scopes": ["read"]},
        {"name": "a\x1b[31m", "scopes": ["read"]},
        {"name": "a\x00", "scopes": ["read"]},
        {"name": "a\u202eb", "scopes": ["read"]},
        {"name": " ", "scopes": ["read"]},
        {"name": "canary", "scopes": ["read"]},
        {"name": "a" * 101, "scopes": ["read"]},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "scopes": ["read"] * 11},
        {"name": "a", "scopes": ["read"], "expires_in_s": 0},
        {"name": "a", "scopes": ["read"], "expires_in_s": 1e12},
        {"name": "a", "scopes": ["read"], "digest": "0" * 64},
        {"name": "a"},
        [],
        "x",
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, wanted: Any) -> None:
    with served(tmp_path) as service:
        refused = service.post(KEYS, wanted)
        assert refused.status == 422, refused.body
        assert refused.headers["content-type"] == "application/problem+json"
        assert service.get(KEYS).json["items"] == []


def test_every_act_is_logged_once_with_how_it_ended(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        admin = made(service, "admin")
        reader = service.new_key("read", name="ada")
        ended = service.new_key("admin", name="bob", expires_at="2026-01-01T00:00:00+00:00")
        service.post(KEYS, {"name": "x", "scopes": ["read"]}, key=reader)
        service.post(KEYS, {"name": "x", "scopes": ["read"]}, key=ended)
        service.post(KEYS, {"name": "x", "scopes": ["read"]})
        service.post(KEYS, {"name": "x"}, key=admin["secret"])
        service.post(KEYS, body=b"{", headers={"Content-Type": "text/csv"}, key=admin["secret"])
        service.ask("DELETE", f"{KEYS}/{'0' * 12}", key=admin["secret"])
        service.get(KEYS, key=admin["secret"])  # looking is no act
        service.key = admin["secret"]
        log = log_of(service)
        ids = [text.split("_")[1] for text in (admin["secret"], ended, reader)]
        assert [(entry["actor"], entry["key_id"], entry["status"]) for entry in log] == [
            ("eve", ids[0], 404),
            ("eve", ids[0], 415),
            ("eve", ids[0], 422),
            ("", "", 401),
            ("bob", ids[1], 401),
            ("ada", ids[2], 403),
            ("local", "", 201),
        ]
        first = log[-1]
        assert (first["action"], first["target"]) == ("make_key", KEYS)
        assert first["detail"] == {"key": ids[0], "name": "eve", "scopes": ["admin"]}
        assert (first["address"], len(first["request_id"])) == ("127.0.0.1", 16)
        assert [entry["status"] for entry in log_of(service, actor="ada")] == [403]


def test_the_log_is_read_page_by_page(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.key = made(service, "admin")["secret"]
        for _ in range(4):
            made(service, "read")
        page = service.get("/api/v1/audit?limit=2").json
        seen = page["items"]
        while page["next"]:
            page = service.get(f"/api/v1/audit?limit=2&cursor={page['next']}").json
            seen += page["items"]
        assert [entry["seq"] for entry in seen] == [5, 4, 3, 2, 1]


def test_no_secret_is_told_twice_or_stored(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        secrets = [made(service, "admin")["secret"]]
        service.key = secrets[0]
        secrets.append(made(service, "read")["secret"])
        key_id = secrets[1].split("_")[1]
        secrets.append(service.post(f"{KEYS}/{key_id}/rotate", {}).json["secret"])
        told = b"".join(
            service.get(path, headers={"Authorization": f"Bearer {key}"}).body
            for path in (KEYS, "/api/v1/audit", f"{KEYS}?api_key={secrets[0]}")
            for key in (*secrets, f"{secrets[0]}x", secrets[0][:-1])
        )
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in secrets:
        assert secret.split("_", 2)[2].encode() not in told + stored
    assert b"digest" not in told


def test_wrong_keys_are_slowed_down_and_right_ones_are_not(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        service.key = made(service, "admin")["secret"]
        tries = [service.post(KEYS, {}, key=f"py_{number:012x}_{'a' * 43}") for number in range(30)]
        assert [answer.status for answer in tries[:20]] == [401] * 20
        assert [answer.status for answer in tries[20:]] == [429] * 10
        assert int(tries[-1].headers["retry-after"]) >= 1
        assert service.get(KEYS).status == 200
        assert len(log_of(service)) == 21  # what was slowed down does not fill the log


def test_a_key_may_ask_so_often_and_no_more(tmp_path: Path) -> None:
    with served(tmp_path, requests_per_s=0.1, burst=3) as service:
        service.key = service.new_key("admin")
        assert [service.get(KEYS).status for _ in range(4)] == [200, 200, 200, 429]
        assert service.get(KEYS, key=service.new_key("admin")).status == 200  # each its own
        assert service.get("/healthz").status == 200


def test_names_without_a_key_are_names(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        good = service.post(
            KEYS, {"name": "x", "scopes": ["read"]}, headers={"X-Promptyard-Actor": "Zoë".encode()}
        )
        assert good.json["key"]["created_by"] == "Zoë"
    with served(tmp_path / "other") as service:
        for name in ("a\tb", "a\x1b[31mb", "a" * 101, "\xe9", "canary", "\u202eevil"):
            headers = {"X-Promptyard-Actor": name.encode("latin-1" if len(name) < 2 else "utf-8")}
            refused = service.get(KEYS, headers=headers)
            assert refused.status == 400, name
            assert refused.headers["content-type"] == "application/problem+json"


def test_a_key_whose_successor_was_lost_is_rotated_again_for_its_old_lifetime(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as service:
        service.key = made(service, "admin")["secret"]
        old = made(service, "read")["key"]["id"]
        lost = service.post(f"{KEYS}/{old}/rotate", {"grace_s": 60}).json["key"]
        assert lost["expires_at"] is None
        assert service.post(f"{KEYS}/{old}/rotate", {}).status == 409
        service.ask("DELETE", f"{KEYS}/{lost['id']}")
        assert service.post(f"{KEYS}/{old}/rotate", {}).json["key"]["expires_at"] is None


def test_an_open_stream_ends_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptyard.service.access.CACHE_S", 0.0)
    with served(tmp_path) as service:
        key = service.new_key("read")
        place = urlsplit(service.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
        headers = {"Authorization": f"Bearer {key}"}
        with contextlib.closing(connection):
            connection.request("GET", "/api/v1/manifest/events", headers=headers)
            stream = connection.getresponse()
            assert stream.status == 200
            key_id = key.split("_")[1]
            service.in_store(
                lambda store: store.end_key(key_id, revoked_at="2026-01-01T00:00:00.000000+00:00")
            )
            service.in_store(register)  # it would be told of the move
            told = stream.read()  # to its end
        assert b'"revision":1' not in told


def test_who_may_only_read_is_not_shown_what_was_said(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        reader, writer = service.new_key("read"), service.new_key("write", name="bob")
        for path in (
            "/api/v1/spans",
            f"/api/v1/traces/{'1' * 32}",
            "/api/v1/prompts/p/live-events",
            "/api/v1/runs/r/events",
            "/api/v1/runs/r/result",
            "/api/v1/jobs/j",
            "/api/v1/runs/r/reports/0/trials",
            "/api/v1/eval-sets/e/versions/v/cases",
            "/api/v1/tasks/t/export",
        ):
            assert service.get(path, key=reader).status == 403, path
            assert service.get(path, key=writer).status in (200, 404, 422), path


def test_a_key_cannot_fill_the_log_with_what_it_may_not_do(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        reporter, admin = service.new_key("report"), service.new_key("admin", name="bob")
        statuses = [service.post("/api/v1/jobs", {}, key=reporter).status for _ in range(60)]
        assert set(statuses) == {403, 429}
        assert statuses[0] == 403
        service.key = admin
        assert len(log_of(service, limit=1000)) == statuses.count(403) < 40
        sent = {"Content-Type": "application/x-ndjson"}
        assert service.post("/api/v1/events", body=b"", headers=sent, key=reporter).status == 200
