"""Webhooks over HTTP: made, tried, listed, removed; sent signed, and to checked addresses alone."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptyard.line.webhook_addresses import ALLOW_VARIABLE
from promptyard.line.webhook_delivery import deliver_due
from promptyard.line.webhook_settings import SECRET_VARIABLE
from promptyard.protocols import Store
from promptyard.records.webhooks import Delivered, Delivery
from promptyard.service.webhook_sender import WebhookSender
from support.receiver import Receiver, is_signed, receiving
from support.registered import first_move, version_of
from support.served import served

HOOKS = "/api/v1/webhooks"
LOOPBACK = {SECRET_VARIABLE: "m" * 32, ALLOW_VARIABLE: "127.0.0.0/8"}


@pytest.fixture
def receiver() -> Generator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LOOPBACK.items():
        monkeypatch.setenv(name, value)


def delivery_to(url: str, body: str = '{"type":"test"}') -> Delivery:
    return Delivery(id="wh_1_move_7", webhook_id="wh_1", url=url, body=body)


def sent(url: str, **more: Any) -> Delivered:
    return asyncio.run(WebhookSender(LOOPBACK, **more).send(delivery_to(url)))


@pytest.mark.usefixtures("environment")
def test_a_receiver_can_prove_what_it_is_told(tmp_path: Path, receiver: Receiver) -> None:
    with served(tmp_path) as service:
        service.key = service.new_key("admin")
        made = service.post(HOOKS, {"url": f"{receiver.url}/hook?a=%20b", "events": ["move"]})
        assert made.status == 201
        assert made.headers["cache-control"] == "no-store"
        webhook_id, secret = made.json["webhook"]["id"], made.json["secret"]
        assert service.post(f"{HOOKS}/{webhook_id}/test").json == {"status": 200, "error": ""}

        async def move(store: Store) -> None:
            await store.add_version(version_of("user:\n{{x}}\n"))
            await store.move_pointer(first_move())
            done = await deliver_due(store, service.state.webhook_sender.send)
            assert done.n_delivered == 1

        service.in_store(move)
        (_, _, tried), (path, headers, told) = receiver.got
        assert path == "/hook?a=%20b"
        assert json.loads(tried)["type"] == "test"
        assert json.loads(told)["data"]["reason"] == "first"
        assert headers["Host"] == f"127.0.0.1:{receiver.port}"
        assert all(is_signed(secret, head, body) for _, head, body in receiver.got)
        assert not is_signed(secret, headers, told + b" ")
        (listed,) = service.get(HOOKS).json["items"]
        assert (listed["state"], listed["n_given_up"]) == ("fine", 0)
        assert listed["progress"]["move"]["last_error"] == ""
        assert secret not in service.get(HOOKS).body.decode()
        assert service.ask("DELETE", f"{HOOKS}/{webhook_id}").status == 204
        assert service.get(HOOKS).json["items"] == []
        assert service.ask("DELETE", f"{HOOKS}/{webhook_id}").status == 404
        log = service.get("/api/v1/audit").json["items"]
        assert [item["action"] for item in log] == [
            "remove_webhook",
            "remove_webhook",
            "send_test",
            "make_webhook",
        ]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost:8700/api/v1/keys",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/latest/meta-data/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[64:ff9b::a00:1]/",
        "ftp://example.com/",
        "http://user:hush@example.com/",
        "http://",
    ],
)
def test_a_webhook_to_a_private_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "m" * 32)
    monkeypatch.delenv(ALLOW_VARIABLE, raising=False)
    with served(tmp_path) as service:
        service.key = service.new_key("admin")
        refused = service.post(HOOKS, {"url": url})
        assert refused.status == 422
        assert b"hush" not in refused.body
        assert service.get(HOOKS).json["items"] == []


def test_without_a_secret_it_is_said_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    with served(tmp_path) as service:
        service.key = service.new_key("admin")
        refused = service.post(HOOKS, {"url": "https://hooks.example/"})
        assert refused.status == 422
        assert f"{SECRET_VARIABLE} is not set" in refused.json["detail"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    assert sent(f"{receiver.url}/{status}") == Delivered(
        status=status, error=f"answered {status}: redirects are not followed"
    )
    assert [path for path, _, _ in receiver.got] == [f"/{status}"]


@pytest.mark.parametrize("status", [204, 400, 404, 410, 500, 503])
def test_only_2xx_is_taken(receiver: Receiver, status: int) -> None:
    error = "" if status == 204 else f"answered {status}"
    assert sent(f"{receiver.url}/{status}") == Delivered(status=status, error=error)


def test_an_answer_is_read_to_a_bound_and_waited_for_to_another(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    began_s = time.monotonic()
    assert sent(f"{receiver.url}/endless").status == 200
    monkeypatch.setattr("promptyard.service.webhook_sender.TIMEOUT_S", 0.3)
    assert sent(f"{receiver.url}/hang") == Delivered(error="no answer within 0.3 s")
    monkeypatch.setattr("promptyard.service.webhook_sender.REST_S", 0.5)
    assert sent(f"{receiver.url}/200/hang") == Delivered(status=200)  # it has said that it took it
    assert time.monotonic() - began_s < 3


def test_a_name_that_moves_to_a_private_address_is_not_followed_there(receiver: Receiver) -> None:
    """DNS rebinding: what the name says now is checked, and nothing else is connected to."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "169.254.169.254"]])

    async def resolve(host: str, port: int) -> Sequence[str]:
        assert host == "hooks.example"
        return next(answers)

    url = f"http://hooks.example:{receiver.port}/x"
    sender = WebhookSender(LOOPBACK, resolve=resolve)
    first, second, third = (asyncio.run(sender.send(delivery_to(url))) for _ in range(3))
    assert first.status == 200
    for refused in (second, third):
        assert refused.status is None
        assert ALLOW_VARIABLE in refused.error
    ((_, headers, _),) = receiver.got
    assert headers["Host"] == f"hooks.example:{receiver.port}"


def test_the_connection_goes_to_the_checked_address_whatever_the_name_is(
    receiver: Receiver,
) -> None:
    """The name has no address at all: it is not asked a second time."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    url = f"http://nowhere.invalid:{receiver.port}/x"
    assert sent(url, resolve=resolve) == Delivered(status=200)


def test_the_next_address_is_tried_where_one_refuses_or_does_not_answer(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.99", "127.0.0.98", "127.0.0.1"]

    monkeypatch.setattr("promptyard.service.webhook_sender.CONNECT_S", 0.2)
    with socket.socket() as silent, socket.socket() as first, socket.socket() as second:
        silent.bind(("127.0.0.98", receiver.port))
        silent.listen(0)
        for waiting in (first, second):  # whoever comes after them hears nothing
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.98", receiver.port))
        assert sent(f"http://hooks.example:{receiver.port}/", resolve=resolve).status == 200


def test_what_goes_wrong_is_one_line_without_secrets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    error = sent(f"http://127.0.0.1:{closed}/token-in-path").error
    assert error == "the connection failed (ClientConnectorError)"
    unset = WebhookSender({ALLOW_VARIABLE: "127.0.0.0/8"})
    refused = asyncio.run(unset.send(delivery_to("http://127.0.0.1/")))
    assert SECRET_VARIABLE in refused.error
    assert "m" * 32 not in refused.error


def test_proxies_of_the_environment_are_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert sent(f"{receiver.url}/x").status == 200
