"""Webhooks as the service tells them: made over HTTP, told in the background, checked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptyard.line.webhook_addresses import ALLOW_VARIABLE
from promptyard.line.webhook_settings import SECRET_VARIABLE
from promptyard.protocols import Store
from promptyard.testing.store_suite import sample_outcome, sample_version
from support.receiver import is_signed, receiving
from support.served_prompts import served_prompts

API = "/api/v1"
HOOKS = f"{API}/webhooks"
QUICK = {"webhook_every_s": 0.05, "lease_s": 1}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "m" * 32)
    monkeypatch.setenv(ALLOW_VARIABLE, "127.0.0.1/32")


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that in 10 s")


async def store_failures(store: Store) -> None:
    await store.add_version(sample_version("Be kind."))
    failures = [sample_outcome(f"o{n}", version=1, error="timeout") for n in range(80)]
    await store.add_live_events(failures)


def test_what_happens_over_http_arrives_signed_at_the_receiver(tmp_path: Path) -> None:
    with receiving() as receiver, served_prompts(tmp_path, **QUICK) as service:
        service.key = service.new_key("admin")
        secret = service.post(HOOKS, {"url": f"{receiver.url}/hook"}).json["secret"]
        production = f"{API}/prompts/p/pointers/production"
        assert service.post(f"{production}/promote", {"version": "2"}).status == 200
        assert service.post(f"{API}/prompts/p/rollouts", {"version": "3"}).status == 201
        assert service.post(f"{API}/rollouts/p/abort", {}).status == 200
        service.in_store(store_failures)
        look = {"limits": {"hard_failure_rate": None}}
        assert service.post(f"{API}/prompts/support/monitor", look).json["status"] == "fail"
        wanted = {"move.promote", "decision.start", "decision.abort", "alert.threshold"}

        def told() -> list[dict[str, Any]]:
            return [json.loads(body) for _, _, body in receiver.got]

        wait_until(lambda: wanted <= {item["type"] for item in told()})
        types = [item["type"] for item in told()]
        assert types.index("decision.start") < types.index("decision.abort")
        move = told()[types.index("move.promote")]["data"]
        assert (move["prompt"], move["to_number"], move["actor"]) == ("p", 2, "ada")
        assert all(is_signed(secret, headers, body) for _, headers, body in receiver.got)
        path, headers, body = receiver.got[0]
        assert (path, headers["Content-Type"]) == ("/hook", "application/json")
        assert not is_signed(secret, headers, body.replace(b"ada", b"eve"))
        ids = [headers["webhook-id"] for _, headers, _ in receiver.got]
        assert len(ids) == len(set(ids))
        (shown,) = service.get(HOOKS).json["items"]
        assert shown["state"] == "fine"


def test_a_redirect_to_a_private_address_is_not_followed_and_stops_no_other(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        receiving("127.0.0.2") as private,
        served_prompts(tmp_path, **QUICK) as service,
    ):
        receiver.leads_to = f"{private.url}/secret"
        service.key = service.new_key("admin")
        for path in ("307", "410", "200"):
            assert service.post(HOOKS, {"url": f"{receiver.url}/{path}"}).status == 201
        production = f"{API}/prompts/p/pointers/production"
        assert service.post(f"{production}/promote", {"version": "2"}).status == 200

        def states() -> list[str]:
            return [item["state"] for item in service.get(HOOKS).json["items"]]

        wait_until(lambda: states() == ["failing", "disabled", "fine"] and len(receiver.got) >= 3)
        assert private.got == []
        assert {path for path, _, _ in receiver.got} == {"/307", "/410", "/200"}
        redirected, gone, _ = service.get(HOOKS).json["items"]
        error = redirected["progress"]["move"]["last_error"]
        assert error == "answered 307: redirects are not followed"
        assert gone["disabled_because"] == "answered 410"
        metrics = service.get("/metrics").body.decode()
        for line in (
            'promptyard_webhooks{state="failing"} 1.0',
            'promptyard_webhooks{state="disabled"} 1.0',
            "promptyard_webhook_given_up 0.0",
        ):
            assert line in metrics.splitlines()
        n_gone = sum(path == "/410" for path, _, _ in receiver.got)
        enabled = service.post(f"{HOOKS}/{gone['id']}/enable")
        assert (enabled.status, enabled.json["state"]) == (200, "fine")
        wait_until(lambda: sum(path == "/410" for path, _, _ in receiver.got) > n_gone)
        assert service.post(f"{HOOKS}/wh_{'0' * 16}/enable").status == 404
