"""What a store does for webhooks: a part of the store contract."""

from __future__ import annotations

from promptyard.errors import NotFound
from promptyard.protocols import Store
from promptyard.records.alerts import Alert
from promptyard.records.webhooks import GivenUp, KindProgress, LogEnds, Webhook
from promptyard.testing.store_suite import (
    StoreSuite,
    raises,
    rollout_of_two,
    sample_decision,
    sample_move,
    sample_version,
)

_AT = "2026-11-27T10:00:00.000000+00:00"


class WebhookContract(StoreSuite):
    """Webhooks, how far each has been told, and the logs that they are told of."""

    def test_webhooks_are_replaced_and_removed(self) -> None:
        """By their id."""
        hook = Webhook(id="h1", url="https://x.example/", created_at=_AT, created_by="ada")

        async def body(store: Store) -> None:
            await store.save_webhook(hook)
            await store.save_webhook(hook.model_copy(update={"id": "h2"}))
            changed = hook.with_progress("move", KindProgress(told=3, n_failures=2))
            await store.save_webhook(changed)
            assert [item.id for item in await store.webhooks()] == ["h1", "h2"]
            assert (await store.webhooks())[0] == changed
            await store.remove_webhook("h1")
            with raises(NotFound):
                await store.remove_webhook("h1")
            assert [item.id for item in await store.webhooks()] == ["h2"]

        self.with_store(body)

    def test_what_a_webhook_was_told_is_never_less(self) -> None:
        """Whoever notes it last; and one that is gone stays gone."""
        hook = Webhook(id="h1", url="https://x.example/", created_at=_AT, created_by="ada")
        given_up = GivenUp(id="h1_move_6", at=_AT, error="answered 400")
        far = KindProgress(told=7, n_failures=3, n_given_up=1, last_given_up=given_up)

        async def body(store: Store) -> None:
            await store.save_webhook(hook)
            await store.note_webhook("h1", "move", far, n_enabled=0)
            behind = KindProgress(told=5, n_failures=9)
            await store.note_webhook("h1", "move", behind, n_enabled=0)
            after = await store.note_webhook("h1", "alert", KindProgress(told=2), n_enabled=0)
            (noted,) = await store.webhooks()
            assert after == noted
            assert (noted.progress_of("move"), noted.progress_of("alert").told) == (far, 2)
            assert (noted.state, noted.n_given_up) == ("failing", 1)
            after = await store.note_webhook("h1", "move", KindProgress(told=8), n_enabled=0)
            assert after is not None
            assert after.progress_of("move") == far.after_telling(8)
            await store.remove_webhook("h1")
            assert await store.note_webhook("h1", "move", far, n_enabled=0) is None
            assert not await store.webhooks()

        self.with_store(body)

    def test_a_disabled_webhook_stays_so_until_it_is_enabled(self) -> None:
        """Whoever notes something meanwhile; it then goes on where it was, at once."""
        hook = Webhook(id="h1", url="https://x.example/", created_at=_AT, created_by="ada")
        failed = KindProgress(told=4, n_failures=2, last_error="answered 410", retry_at=_AT)

        async def body(store: Store) -> None:
            await store.save_webhook(hook)
            await store.note_webhook(
                "h1", "move", failed, n_enabled=0, disabled_because="answered 410"
            )
            await store.note_webhook("h1", "alert", KindProgress(told=9), n_enabled=0)
            (noted,) = await store.webhooks()
            assert (noted.state, noted.disabled_because) == ("disabled", "answered 410")
            assert noted.disabled_at
            enabled = await store.enable_webhook("h1")
            assert (enabled.state, enabled.disabled_at, enabled.disabled_because) == (
                "fine",
                "",
                "",
            )
            assert enabled.progress_of("move") == KindProgress(told=4)
            assert enabled.progress_of("alert") == KindProgress(told=9)
            assert await store.webhooks() == [enabled]
            with raises(NotFound):
                await store.enable_webhook("h2")

        self.with_store(body)

    def test_enabling_a_webhook_is_undone_by_no_try_that_began_before(self) -> None:
        """What it told is told; that it failed, gave up or was sent away is not noted."""
        hook = Webhook(id="h1", url="https://x.example/", created_at=_AT, created_by="ada")
        failed = KindProgress(told=4, n_failures=2, failing_since=_AT, retry_at=_AT)
        given_up = failed.after_giving_up(5, GivenUp(id="h1_move_5", at=_AT, error="answered 500"))

        async def body(store: Store) -> None:
            await store.save_webhook(hook.with_progress("move", failed))
            enabled = await store.enable_webhook("h1")
            for found in (failed, given_up):
                assert await store.note_webhook("h1", "move", found, n_enabled=0) == enabled
            gone = "answered 410"
            assert enabled == await store.note_webhook(
                "h1", "move", failed, n_enabled=0, disabled_because=gone
            )
            await store.note_webhook("h1", "move", failed.after_telling(6), n_enabled=0)
            (noted,) = await store.webhooks()
            assert noted == enabled.with_progress("move", KindProgress(told=6))
            now = await store.note_webhook(
                *("h1", "alert", failed), n_enabled=noted.n_enabled, disabled_because=gone
            )
            assert now is not None
            assert (now.state, now.progress_of("alert")) == ("disabled", failed)

        self.with_store(body)

    def test_decisions_are_read_on_from_a_number(self) -> None:
        """Those of all rollouts in one log; where logs end, a new reader begins."""

        async def body(store: Store) -> None:
            assert await store.log_ends() == LogEnds()
            rollout = await rollout_of_two(store)
            await store.start_rollout(rollout, sample_decision(1))
            for seq in (2, 3):
                await store.decide(sample_decision(seq))
            found = await store.decisions_after(0)
            assert [(prompt, decision.seq) for _, prompt, decision in found] == [
                ("support", 1),
                ("support", 2),
                ("support", 3),
            ]
            numbers = [number for number, _, _ in found]
            assert numbers == sorted(set(numbers))
            assert await store.decisions_after(0, limit=2) == found[:2]
            assert await store.decisions_after(numbers[1]) == found[2:]
            ends = await store.log_ends()
            assert (ends.move, ends.decision, ends.alert) == (1, numbers[-1], 0)
            assert not await store.decisions_after(ends.decision)

        self.with_store(body)

    def test_logs_are_read_on_from_a_number(self) -> None:
        """Moves and alerts of all prompts, oldest first."""

        async def body(store: Store) -> None:
            await store.add_version(sample_version("x"))
            move = sample_move(None, 1)
            await store.move_pointer(move)
            alert = Alert(
                prompt="support", kind="threshold", metric="m", value=1, limit=0, sentence="s"
            )
            await store.add_alert(alert)
            await store.add_alert(alert.model_copy(update={"prompt": "other"}))
            ((seq, found),) = await store.moves_after(0)
            assert found.to_number == move.to_number
            assert not await store.moves_after(seq)
            both = await store.alerts_after(0)
            assert [item.prompt for _, item in both] == ["support", "other"]
            assert [number for number, _ in await store.alerts_after(both[0][0])] == [both[1][0]]
            assert await store.numbered_alerts() == [both[1], both[0]]
            assert await store.numbered_alerts(before=both[1][0]) == [both[0]]
            assert await store.numbered_alerts("other", limit=1) == [both[1]]

        self.with_store(body)
