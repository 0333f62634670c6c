"""Pointers over HTTP: promoted from where they were seen, rolled back, protected by two names."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from promptyard.service import changes
from support.served_prompts import pages, served_prompts

PROMPT = "/api/v1/prompts/p"
PRODUCTION = f"{PROMPT}/pointers/production"


def test_a_pointer_is_moved_from_where_it_was_seen_alone(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        late = service.post(f"{PRODUCTION}/promote", {"version": "2", "from": 3})
        assert (late.status, late.json["type"][-8:]) == (409, "conflict")
        unset = service.post(f"{PRODUCTION}/promote", {"version": "2", "from": None})
        assert unset.status == 409
        done = service.post(f"{PRODUCTION}/promote", {"version": "v2", "from": 1, "reason": "why"})
        assert done.status == 200
        move = done.json["move"]
        assert (move["from_number"], move["to_number"], move["reason"]) == (1, 2, "why")
        anywhere = service.post(f"{PRODUCTION}/promote", {"version": "latest"})
        assert anywhere.json["move"]["to_number"] == 3
        fresh = service.post(
            f"{PROMPT}/pointers/staging/promote", {"version": "production", "from": None}
        )
        assert fresh.json["move"]["from_number"] is None
        assert service.get(f"{PROMPT}/pointers/staging").json["number"] == 3
        assert service.post(f"{PRODUCTION}/promote", {"version": "9"}).status == 404
        assert service.post(f"{PROMPT}/pointers/v7/promote", {"version": "1"}).status == 422


def test_a_pointer_goes_back_and_every_move_is_in_the_log(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        for version in ("2", "3"):
            service.post(f"{PRODUCTION}/promote", {"version": version})
        back = service.post(f"{PRODUCTION}/rollback", {})
        assert back.json["move"]["to_number"] == 2
        assert service.post(f"{PRODUCTION}/rollback", {"version": 3}).status == 409
        assert service.post(f"{PRODUCTION}/rollback", {"version": 1}).status == 200
        assert service.post(f"{PRODUCTION}/rollback", {"version": 0}).status == 422
        slip = service.post(f"{PRODUCTION}n/rollback", {})
        assert (slip.status, "did you mean 'production'?" in slip.json["detail"]) == (404, True)
        strange = service.post(f"{PRODUCTION.rpartition('/')[0]}/zzz/rollback", {})
        assert "has no pointer 'zzz'; its pointers: production" in strange.json["detail"]
        log = pages(service, f"{PROMPT}/moves", 2)
        assert [move["to_number"] for move in log] == [1, 2, 3, 2, 1]
        assert pages(service, f"{PROMPT}/moves?pointer=staging", 2) == []


def test_pages_of_a_log_do_not_shift_when_it_grows(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        for version in ("2", "3"):
            service.post(f"{PRODUCTION}/promote", {"version": version})
        first = service.get(f"{PROMPT}/moves?limit=2").json
        service.post(f"{PRODUCTION}/promote", {"version": "1"})
        rest = service.get(f"{PROMPT}/moves?limit=2&cursor={first['next']}").json
        assert [move["to_number"] for move in first["items"] + rest["items"]] == [3, 2, 1]


def test_clients_are_told_of_a_move_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "POLL_S", 60.0)
    with served_prompts(tmp_path) as service:
        before = service.state.changes.revision
        service.post(f"{PRODUCTION}/promote", {"version": "2"})
        end_s = time.monotonic() + 5
        while service.state.changes.revision == before and time.monotonic() < end_s:
            time.sleep(0.005)
        assert service.state.changes.revision > before


def test_a_protected_pointer_is_moved_by_two_keys(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        ann = service.new_key("release", name="ann")
        also_ann = service.new_key("release", name="Ann")
        bob = service.new_key("release", name="bob")
        assert service.post(f"{PRODUCTION}/protect", {}, key=ann).json["is_protected"]
        assert service.post(f"{PRODUCTION}/protect", {}, key=bob).status == 409
        alone = service.post(f"{PRODUCTION}/promote", {"version": "2"}, key=ann)
        assert (alone.status, alone.json["type"][-15:]) == (403, "approval-needed")
        wish = service.post(f"{PROMPT}/move-requests", {"version": "2"}, key=ann)
        assert (wish.status, wish.json["move"]["actor"]) == (201, "ann")
        waiting = service.get(f"{PROMPT}/move-requests", key=bob).json["items"]
        assert [item["id"] for item in waiting] == [wish.json["id"]]
        assert service.get(PROMPT, key=bob).json["n_requests"] == 1
        approve = f"/api/v1/move-requests/{wish.json['id']}/approve"
        for same in (ann, also_ann):
            assert service.post(approve, key=same).status == 403
        done = service.post(approve, key=bob).json["move"]
        assert (done["actor"], done["approved_by"], done["to_number"]) == ("ann", "bob", 2)
        assert service.post(approve, key=bob).status == 404
        back = service.post(f"{PRODUCTION}/rollback", {}, key=ann)
        assert back.json["move"]["to_number"] == 1  # a rollback needs nobody's consent


def test_a_protection_ends_when_two_keys_ask_for_it(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        ann, bob = (service.new_key("release", name=name) for name in ("ann", "bob"))
        assert service.post(f"{PRODUCTION}/unprotect", {}, key=ann).status == 409
        service.post(f"{PRODUCTION}/protect", {"reason": "live"}, key=ann)
        first = service.post(f"{PRODUCTION}/unprotect", {}, key=ann).json
        assert (first["is_protected"], first["asks_end"]) == (True, True)
        assert service.post(f"{PRODUCTION}/unprotect", {}, key=ann).status == 403
        assert service.get(PRODUCTION, key=ann).json["is_protected"]
        second = service.post(f"{PRODUCTION}/unprotect", {"reason": "over"}, key=bob).json
        assert (second["is_protected"], second["approved_by"]) == (False, "bob")
        log = service.get(f"{PROMPT}/protections", key=ann).json["items"]
        assert [item["reason"] for item in log] == ["over", "", "live"]
        assert service.get(f"{PROMPT}/protections?pointer=x", key=ann).json["items"] == []


def test_acts_are_in_the_audit_log_with_who_and_what(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        ann = service.new_key("release", name="ann")
        service.post(f"{PRODUCTION}/promote", {"version": "2", "reason": "a\r\nb"}, key=ann)
        service.post(f"{PRODUCTION}/promote", {"version": "9"}, key=ann)
        refused, done = service.in_store(lambda store: store.audit())
        assert (done.actor, done.action, done.status) == ("ann", "promote_version", 200)
        assert done.detail == {"version": "2", "reason": "a\r\nb"}
        assert (refused.status, refused.target) == (404, f"{PRODUCTION}/promote")
