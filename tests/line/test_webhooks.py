"""What webhooks are told, in which order, and what happens when they do not answer."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from promptyard.errors import ConfigError, NotFound
from promptyard.line.webhook_addresses import ALLOW_VARIABLE
from promptyard.line.webhook_delivery import (
    GIVE_UP_S,
    MAX_RETRY_S,
    MIN_TRIES,
    deliver_due,
    retry_after_s,
)
from promptyard.line.webhook_settings import SECRET_VARIABLE
from promptyard.line.webhooks import (
    create_webhook,
    delete_webhook,
    enable_webhook,
    list_webhooks,
    try_webhook,
)
from promptyard.protocols import Store
from promptyard.records.alerts import Alert
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan
from promptyard.records.versions import Move
from promptyard.records.webhooks import (
    Delivered,
    Delivery,
    KindProgress,
    WebhookEvent,
    WebhookRound,
    shown_secret,
    signed_headers,
    signing_key,
)
from promptyard.storage import open_store
from support.postgres import postgres_server, postgres_url
from support.registered import version_of, with_store

__all__ = ["postgres_server", "postgres_url"]

Result = TypeVar("Result")
SECRET = {SECRET_VARIABLE: "m" * 32}
AT = "2026-01-01T00:00:00.000000+00:00"


async def public(host: str, port: int) -> Sequence[str]:
    return ["93.184.216.34"]


async def made(store: Store, url: str = "https://a.example/", **more: Any) -> str:
    created = await create_webhook(store, url, actor="ann", environ=SECRET, resolve=public, **more)
    return created.webhook.id


async def promoted(store: Store, number: int, before: int | None, prompt: str = "p") -> None:
    await store.move_pointer(
        Move(
            prompt=prompt,
            pointer="production",
            from_number=before,
            to_number=number,
            actor="ann",
            reason="{{x}}\ud800",
        )
    )


async def alerted(store: Store, prompt: str = "p") -> None:
    alert = Alert(prompt=prompt, kind="threshold", metric="m", value=2, limit=1, sentence="s")
    await store.add_alert(alert)


async def rolled_out(store: Store, actions: Sequence[str], rollout_id: str = "v2-r1") -> None:
    """A rollout of version 2 beside 1 with a start and these decisions."""
    versions = await store.versions("p")
    rollout = Rollout(
        id=rollout_id,
        prompt="p",
        pointer="production",
        control=1,
        treatment=2,
        control_digest=versions[0].digest,
        treatment_digest=versions[1].digest,
        plan=RolloutPlan(),
        started_at=AT,
        started_by="ann",
    )
    await store.start_rollout(rollout, decision(1, "start", rollout_id))
    for seq, action in enumerate(actions, 2):
        await store.decide(decision(seq, action, rollout_id))


def decision(seq: int, action: str, rollout_id: str = "v2-r1") -> Decision:
    state = {"abort": "aborted", "pause": "paused"}.get(action, "running")
    values = {"rollout_id": rollout_id, "seq": seq, "at": AT, "actor": "canary", "action": action}
    more = {"state": state, "step": 0, "enrolled": 0.1, "step_at": AT}
    return Decision.model_validate({**values, **more})


def taken(_: Delivery) -> Delivered:
    return Delivered(status=200)


class Receiver:
    """Notes what it is sent; answers as it is told."""

    def __init__(self, answer: Callable[[Delivery], Delivered] | None = None) -> None:
        self.got: list[Delivery] = []
        self.answer = answer or taken

    async def send(self, delivery: Delivery) -> Delivered:
        self.got.append(delivery)
        return self.answer(delivery)

    @property
    def types(self) -> list[str]:
        return [json.loads(item.body)["type"] for item in self.got]


def test_a_webhook_is_told_of_what_happens_after_it_was_made() -> None:
    async def body(store: Store) -> None:
        await promoted(store, 1, None)
        await alerted(store)
        await rolled_out(store, ["hold", "pause"])
        await made(store)
        receiver = Receiver()
        assert (await deliver_due(store, receiver.send)).n_delivered == 0
        await store.decide(decision(4, "hold"))
        await store.decide(decision(5, "abort"))
        await promoted(store, 3, 1)
        await alerted(store)
        done = await deliver_due(store, receiver.send)
        assert (done.n_delivered, done.n_failed, done.n_waiting) == (3, 0, 0)
        assert receiver.types == ["move.promote", "decision.abort", "alert.threshold"]
        bodies = [json.loads(item.body) for item in receiver.got]
        assert bodies[0]["data"]["reason"] == "{{x}}\ud800"
        assert bodies[0]["timestamp"] == (await store.moves("p"))[-1].moved_at
        assert (bodies[1]["data"]["prompt"], bodies[1]["data"]["seq"]) == ("p", 5)
        assert (await deliver_due(store, receiver.send)).n_delivered == 0

    with_store(body)


@pytest.mark.parametrize(
    ("events", "prompt", "types"),
    [
        (("move",), None, ["move.promote", "move.promote"]),
        (("alert",), None, ["alert.threshold", "alert.threshold"]),
        (("decision",), None, ["decision.start"]),
        (("move", "decision"), "q", ["move.promote"]),
        (("alert",), "q", ["alert.threshold"]),
        (("decision",), "q", []),
    ],
)
def test_a_webhook_is_told_of_what_it_asked_for(
    events: tuple[WebhookEvent, ...], prompt: str | None, types: list[str]
) -> None:
    async def body(store: Store) -> None:
        await store.add_version(version_of("user:\n{{x}}\n", name="q"))
        await made(store, events=events, prompt=prompt)
        await promoted(store, 1, None)
        await promoted(store, 1, None, prompt="q")
        for name in ("p", "q"):
            await alerted(store, name)
        await rolled_out(store, ["hold"])
        receiver = Receiver()
        await deliver_due(store, receiver.send)
        assert receiver.types == types
        again = Receiver()
        await deliver_due(store, again.send)
        assert again.types == []

    with_store(body)


def test_what_was_not_taken_is_sent_again_under_the_same_id_and_in_order() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    async def body(store: Store) -> None:
        nonlocal now
        await made(store)
        await promoted(store, 1, None)
        await promoted(store, 2, 1)
        down = Receiver(lambda _: Delivered(status=500, error="answered 500"))

        async def turn(receiver: Receiver) -> tuple[int, int, int]:
            done = await deliver_due(store, receiver.send, clock=lambda: now, chance=lambda: 0.0)
            return done.n_delivered, done.n_failed, done.n_waiting

        assert await turn(down) == (0, 1, 0)
        (shown,) = await list_webhooks(store)
        moves = shown.progress["move"]
        assert (shown.state, moves.n_failures, moves.last_error) == ("failing", 1, "answered 500")
        assert moves.retry_at == (now + timedelta(seconds=5)).isoformat(timespec="microseconds")
        assert await turn(down) == (0, 0, 1)  # not before its time
        now += timedelta(seconds=6)
        assert await turn(down) == (0, 1, 0)
        assert (await list_webhooks(store))[0].progress["move"].n_failures == 2
        now += timedelta(seconds=11)
        up = Receiver()
        assert await turn(up) == (2, 0, 0)
        assert len({item.id for item in down.got}) == 1
        assert up.got[0].id == down.got[0].id
        assert up.got[0].body == down.got[0].body
        assert len({item.id for item in up.got}) == 2
        (shown,) = await list_webhooks(store)
        assert (shown.state, shown.n_given_up) == ("fine", 0)
        assert (shown.progress["move"].last_error, shown.progress["move"].retry_at) == ("", "")

    with_store(body)


def refusing_first_move(delivery: Delivery) -> Delivered:
    is_first = delivery.id.endswith("_move_1")
    return Delivered(status=400, error="answered 400") if is_first else Delivered(status=200)


def test_what_is_refused_for_ever_stops_no_other_kind_and_is_given_up_in_the_end() -> None:
    began = now = datetime(2030, 1, 1, tzinfo=UTC)

    async def body(store: Store) -> None:
        nonlocal now
        webhook_id = await made(store)
        await promoted(store, 1, None)
        await alerted(store)
        await rolled_out(store, ["abort"])
        await promoted(store, 2, 1)
        receiver = Receiver(refusing_first_move)

        async def turn() -> WebhookRound:
            return await deliver_due(store, receiver.send, clock=lambda: now, chance=lambda: 0.0)

        assert (await turn()).n_delivered == 3
        assert receiver.types == [
            *("move.promote", "decision.start", "alert.threshold", "decision.abort")
        ]
        n_tries, done = 1, WebhookRound()
        while (now - began).total_seconds() < GIVE_UP_S:
            (shown,) = await list_webhooks(store)
            assert shown.progress["move"].n_failures == n_tries
            now = datetime.fromisoformat(shown.progress["move"].retry_at)
            done = await turn()
            n_tries += 1
        assert n_tries == sum(item.id.endswith("_move_1") for item in receiver.got) >= MIN_TRIES
        assert (done.n_failed, done.n_given_up, done.n_delivered) == (1, 1, 1)
        given_up = f"{webhook_id}_move_1"
        assert done.troubles == (f"{given_up} is given up: answered 400",)
        assert receiver.got[-1].id == f"{webhook_id}_move_2"
        (shown,) = await list_webhooks(store)
        assert (shown.state, shown.n_given_up) == ("fine", 1)
        noted = shown.progress["move"].last_given_up
        assert noted is not None
        assert (noted.id, noted.error) == (given_up, "answered 400")
        assert datetime.fromisoformat(noted.at) == now

    with_store(body)


@pytest.mark.parametrize(
    ("round_s", "n_holds", "n_by_round"),
    [(20.0, 60, [6, 0, 0]), (0.0, 0, [3, 2, 1])],  # holds are passed, and take nobody's turn
)
def test_kinds_take_turns_however_many_of_one_wait_and_however_short_the_round(
    monkeypatch: pytest.MonkeyPatch, round_s: float, n_holds: int, n_by_round: list[int]
) -> None:
    monkeypatch.setattr("promptyard.line.webhook_delivery.ROUND_S", round_s)

    async def body(store: Store) -> None:
        webhook_id = await made(store)
        for to, before in ((1, None), (2, 1), (1, 2)):
            await promoted(store, to, before)
        await rolled_out(store, [*["hold"] * n_holds, "pause"])
        await alerted(store)
        receiver = Receiver()
        rounds = [await deliver_due(store, receiver.send) for _ in n_by_round]
        assert [done.n_delivered for done in rounds] == n_by_round
        names = [item.id.removeprefix(f"{webhook_id}_") for item in receiver.got]
        pause = f"decision_v2-r1_{n_holds + 2}"
        assert names == ["move_1", "decision_v2-r1_1", "alert_1", "move_2", pause, "move_3"]

    with_store(body)


def test_nothing_is_given_up_for_time_that_went_by_without_tries() -> None:
    days = iter(range(0, 4 * MIN_TRIES, 4))

    async def body(store: Store) -> None:
        await made(store)
        await promoted(store, 1, None)
        receiver = Receiver(refusing_first_move)

        async def turn() -> None:
            now = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(days=next(days))
            await deliver_due(store, receiver.send, clock=lambda: now)

        for n_failures in range(1, MIN_TRIES):
            await turn()
            (shown,) = await list_webhooks(store)
            assert (shown.progress["move"].n_failures, shown.n_given_up) == (n_failures, 0)
        await turn()
        assert (await list_webhooks(store))[0].n_given_up == 1

    with_store(body)


def test_who_is_gone_is_told_nothing_until_enabled_and_then_goes_on() -> None:
    async def body(store: Store) -> None:
        webhook_id = await made(store)
        other_id = await made(store)
        await promoted(store, 1, None)
        await alerted(store)

        def gone(delivery: Delivery) -> Delivered:
            if delivery.webhook_id == other_id:
                return Delivered(status=200)
            return Delivered(status=410, error="answered 410")

        first = Receiver(gone)
        done = await deliver_due(store, first.send)
        assert (done.n_failed, done.n_delivered) == (1, 2)  # nor is the alert tried any more
        assert done.troubles == (f"webhook {webhook_id} is disabled: it answered 410",)
        shown, other = await list_webhooks(store)
        assert (shown.state, shown.disabled_because) == ("disabled", "answered 410")
        assert shown.disabled_at
        assert other.state == "fine"
        await promoted(store, 2, 1)
        later = Receiver()
        done = await deliver_due(store, later.send)
        assert (done.n_disabled, done.n_delivered) == (1, 1)
        enabled = await enable_webhook(store, webhook_id)
        assert (enabled.state, enabled.disabled_at, enabled.disabled_because) == ("fine", "", "")
        again = Receiver()
        assert (await deliver_due(store, again.send)).n_delivered == 3
        assert again.types == ["move.promote", "alert.threshold", "move.promote"]
        with pytest.raises(NotFound, match=webhook_id):
            await enable_webhook(store, "wh_0")

    with_store(body)


@pytest.mark.parametrize("status", [200, 410, 500])
@pytest.mark.parametrize("n_failures", [0, MIN_TRIES])
def test_what_a_try_under_way_finds_does_not_undo_an_enabling(n_failures: int, status: int) -> None:
    async def body(store: Store) -> None:
        webhook_id = await made(store)
        (webhook,) = await store.webhooks()
        long_ago = {"n_failures": n_failures, "failing_since": AT, "last_error": "answered 500"}
        failing = KindProgress.model_validate(long_ago) if n_failures else KindProgress()
        await store.save_webhook(webhook.with_progress("move", failing))
        await promoted(store, 1, None)
        n_tries = 0

        async def send(delivery: Delivery) -> Delivered:
            nonlocal n_tries
            n_tries += 1
            await enable_webhook(store, webhook_id)
            return Delivered(status=status, error="" if status == 200 else f"answered {status}")

        done = await deliver_due(store, send)
        assert (n_tries, done.n_delivered + done.n_failed) == (1, 1)
        assert (done.n_given_up, done.troubles) == (0, ())
        (shown,) = await list_webhooks(store)
        n_told = int(status == 200)
        assert (shown.state, shown.progress["move"]) == ("fine", KindProgress(told=n_told))
        assert (await deliver_due(store, Receiver().send)).n_delivered == 1 - n_told
        gone = Receiver(lambda _: Delivered(status=410, error="answered 410"))
        await promoted(store, 2, 1)
        await deliver_due(store, gone.send)  # which nobody has ordered anything about since
        assert (await list_webhooks(store))[0].state == "disabled"

    with_store(body)


def test_what_is_stored_of_a_webhook_does_not_grow_with_rollouts() -> None:
    async def body(store: Store) -> None:
        await promoted(store, 1, None)
        await made(store)
        receiver = Receiver()
        sizes: list[int] = []
        for number in range(3):
            await rolled_out(store, ["hold", "abort"], f"r{number}")
            await deliver_due(store, receiver.send)
            (webhook,) = await store.webhooks()
            sizes.append(len(webhook.model_dump_json()))
        assert len(set(sizes)) == 1
        assert receiver.types == ["decision.start", "decision.abort"] * 3

    with_store(body)


def test_what_was_sent_and_not_noted_is_sent_again_and_nothing_of_another_webhook() -> None:
    async def body(store: Store) -> None:
        await made(store)
        await made(store, "https://slow.example/")
        await promoted(store, 1, None)
        sent = Receiver()

        async def sent_and_killed(delivery: Delivery) -> Delivered:
            if "slow" in delivery.url:
                await asyncio.sleep(0.05)
                return Delivered(status=200)
            await sent.send(delivery)
            raise RuntimeError("killed")  # the process ends before it can note anything

        with pytest.raises(RuntimeError):
            await deliver_due(store, sent_and_killed)
        again = Receiver()
        await deliver_due(store, again.send)
        assert again.got == sent.got

    with_store(body)


def test_one_that_hangs_delays_no_other() -> None:
    async def body(store: Store) -> None:
        await made(store, "https://bad.example/")
        await made(store, "https://good.example/")
        await promoted(store, 1, None)
        taken_s: list[float] = []
        release = asyncio.Event()

        async def send(delivery: Delivery) -> Delivered:
            if "bad" in delivery.url:
                await release.wait()
                return Delivered(error="no answer within 10 s")
            taken_s.append(time.monotonic())
            return Delivered(status=204)

        turn = asyncio.create_task(deliver_due(store, send))
        while len(taken_s) < 1:
            await asyncio.sleep(0.01)
        moved_s = time.monotonic()
        await promoted(store, 2, 1)  # while the other one still hangs
        while len(taken_s) < 2:
            await asyncio.sleep(0.01)
        assert taken_s[1] - moved_s < 2
        assert not turn.done()
        release.set()
        done = await turn
        assert (done.n_delivered, done.n_failed) == (2, 1)

    with_store(body)


def test_a_webhook_that_is_removed_meanwhile_is_told_no_more_and_stays_removed() -> None:
    async def body(store: Store) -> None:
        webhook_id = await made(store)
        await promoted(store, 1, None)
        await promoted(store, 2, 1)
        got: list[Delivery] = []

        async def send(delivery: Delivery) -> Delivered:
            got.append(delivery)
            await delete_webhook(store, webhook_id)
            return Delivered(status=200)

        await deliver_due(store, send)
        assert len(got) == 1
        assert await list_webhooks(store) == []
        with pytest.raises(NotFound):
            await delete_webhook(store, webhook_id)

    with_store(body)


def test_a_webhook_that_another_replica_disables_meanwhile_is_told_no_more() -> None:
    async def body(store: Store) -> None:
        await made(store)
        await promoted(store, 1, None)
        await alerted(store)

        async def send(delivery: Delivery) -> Delivered:
            at = (delivery.webhook_id, "alert", KindProgress())
            await store.note_webhook(*at, n_enabled=0, disabled_because="answered 410")
            return Delivered(status=200)

        done = await deliver_due(store, send)
        assert (done.n_delivered, done.troubles) == (1, ())
        (shown,) = await list_webhooks(store)
        assert (shown.state, shown.progress["move"].told) == ("disabled", 1)

    with_store(body)


def test_tries_are_ever_further_apart_and_an_hour_at_most() -> None:
    assert [retry_after_s(n, 0.0) for n in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert retry_after_s(2, 0.999) == pytest.approx(5, abs=0.01)
    assert retry_after_s(10_000, 0.0) == MAX_RETRY_S


def test_a_webhook_cannot_be_made_without_a_secret_or_to_an_address_of_ours() -> None:
    async def local(host: str, port: int) -> Sequence[str]:
        return ["169.254.169.254"]

    async def body(store: Store) -> None:
        for environ in ({}, {SECRET_VARIABLE: "short"}):
            with pytest.raises(ConfigError, match=f"{SECRET_VARIABLE}.*openssl rand -hex 32"):
                await create_webhook(store, "https://a.example", actor="a", environ=environ)
        with pytest.raises(ConfigError, match=ALLOW_VARIABLE):
            await create_webhook(
                store, "https://a.example", actor="a", environ=SECRET, resolve=local
            )
        assert await list_webhooks(store) == []

    with_store(body)


def test_each_webhook_has_a_secret_of_its_own_that_is_stored_nowhere() -> None:
    async def body(store: Store) -> None:
        both = [
            await create_webhook(
                store, "https://a.example", actor="a", environ=SECRET, resolve=public
            )
            for _ in range(2)
        ]
        secrets = {item.secret for item in both}
        assert len(secrets) == 2
        assert all(len(base64.b64decode(text.removeprefix("whsec_"))) == 32 for text in secrets)
        stored = str(await store.webhooks()) + str(await list_webhooks(store))
        assert not any(text in stored for text in secrets)
        assert shown_secret(signing_key(SECRET[SECRET_VARIABLE], both[0].webhook.id)) in secrets

    with_store(body)


def test_a_test_is_sent_to_one_webhook_and_moves_nothing_on() -> None:
    async def body(store: Store) -> None:
        webhook_id = await made(store)
        await promoted(store, 1, None)
        receiver = Receiver()
        assert (await try_webhook(store, webhook_id, receiver.send)).status == 200
        assert receiver.types == ["test"]
        await deliver_due(store, receiver.send)
        assert receiver.types == ["test", "move.promote"]
        with pytest.raises(NotFound):
            await try_webhook(store, "wh_0", receiver.send)

    with_store(body)


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example of the reference implementations."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    delivery = Delivery(
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_id="w",
        url="https://a.example",
        body='{"test": 2432232314}',
    )
    headers: Mapping[str, str] = signed_headers(key, delivery, 1614265330)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_replicas_tell_the_same_under_the_same_id(request: pytest.FixtureRequest) -> None:
    url = str(request.getfixturevalue("postgres_url"))

    async def body() -> None:
        stores = [open_store(url) for _ in range(2)]
        try:
            for store in stores:
                await store.open()
            for text in ("user:\nA {{x}}\n", "user:\nB {{x}}\n"):
                await stores[0].add_version(version_of(text))
            await made(stores[0])
            await promoted(stores[0], 1, None)
            await promoted(stores[1], 2, 1)
            receivers = [Receiver(), Receiver()]
            work: list[Awaitable[Any]] = [
                deliver_due(store, receiver.send)
                for store, receiver in zip(stores, receivers, strict=True)
            ]
            await asyncio.gather(*work)
            ids = [[item.id for item in receiver.got] for receiver in receivers]
            assert len(set(ids[0] + ids[1])) == 2
            assert (await deliver_due(stores[0], receivers[0].send)).n_delivered == 0
        finally:
            for store in stores:
                await store.close()

    asyncio.run(body())
