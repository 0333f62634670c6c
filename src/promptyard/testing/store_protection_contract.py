"""What a store does with protected pointers and publications: a part of the store contract."""

from __future__ import annotations

from promptyard.errors import ApprovalNeeded, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.versions import MoveRequest
from promptyard.testing.store_suite import (
    UNUSUAL_TEXTS,
    StoreSuite,
    add_three_versions,
    raises,
    rollout_of_two,
    sample_decision,
    sample_move,
    sample_protection,
    sample_version,
)


class ProtectionContract(StoreSuite):
    """Protected pointers and second names; see `promptyard.testing.StoreContract`."""

    def test_a_protected_pointer_is_promoted_with_a_second_name_only(self) -> None:
        """Nobody approves their own move, however it is spelled; other pointers stay free."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            logged = await store.protect(sample_protection(is_protected=True))
            assert logged.at
            alike = ("ann\u200b", "\N{SOFT HYPHEN}ann", "\uff41\uff4e\uff4e", "a\ufe0fnn")
            for name in ("", "  ", "\u200b", "ann", " ann ", "Ann", *alike):
                with raises(ApprovalNeeded, "production.*other than ann"):
                    await store.move_pointer(sample_move(1, 2, approved_by=name))
            assert [move.to_number for move in await store.moves("support")] == [1]
            await store.move_pointer(sample_move(None, 2, pointer="staging"))
            await store.move_pointer(sample_move(1, 2, approved_by="bob"))
            (last,) = (await store.moves("support", "production"))[1:]
            assert (last.actor, last.approved_by) == ("ann", "bob")

        self.with_store(body)

    def test_a_rollback_needs_nobody_else(self) -> None:
        """The way back is open to whoever sees the harm, at any hour."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            await store.move_pointer(sample_move(1, 2))
            await store.protect(sample_protection(is_protected=True))
            await store.move_pointer(sample_move(2, 1, kind="rollback"))
            (pointer,) = await store.pointers("support")
            assert pointer.number == 1

        self.with_store(body)

    def test_a_rollback_goes_only_to_where_the_pointer_was_before(self) -> None:
        """Else one person moves a protected pointer forward and calls it a way back."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            await store.protect(sample_protection(is_protected=True))
            with raises(Conflict, "never was at version 3"):
                await store.move_pointer(sample_move(1, 3, kind="rollback"))
            with raises(Conflict, "never was at version 2"):
                await store.move_pointer(sample_move(None, 2, kind="rollback", pointer="staging"))
            await store.move_pointer(sample_move(1, 2, approved_by="bob"))
            await store.move_pointer(sample_move(2, 1, kind="rollback"))
            with raises(Conflict, "gone back from it"):
                await store.move_pointer(sample_move(1, 2, kind="rollback"))
            (pointer,) = await store.pointers("support")
            assert pointer.number == 1
            await store.move_pointer(sample_move(1, 2, approved_by="bob"))
            await store.move_pointer(sample_move(2, 3, approved_by="bob"))
            await store.move_pointer(sample_move(3, 1, kind="rollback"))

        self.with_store(body)

    def test_before_its_first_version_a_pointer_was_at_the_parent(self) -> None:
        """The first promotion replaced what the version was made from."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            child = sample_version("child", parent=2)
            number = (await store.add_version(child)).number
            await store.move_pointer(sample_move(None, number, pointer="staging"))
            with raises(Conflict, "never was at version 1"):
                await store.move_pointer(sample_move(number, 1, kind="rollback", pointer="staging"))
            await store.move_pointer(sample_move(number, 2, kind="rollback", pointer="staging"))

        self.with_store(body)

    def test_a_protection_ends_with_a_second_name_only(self) -> None:
        """Else whoever is held up by it would just take it off; the log keeps every word."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            free = await store.protect(sample_protection(is_protected=False))
            first = await store.protect(
                sample_protection(is_protected=True, reason=UNUSUAL_TEXTS[3])
            )
            for name in ("", "ann"):
                with raises(ApprovalNeeded):
                    await store.protect(sample_protection(is_protected=False, approved_by=name))
            with raises(ApprovalNeeded):
                await store.move_pointer(sample_move(1, 2))
            last = await store.protect(sample_protection(is_protected=False, approved_by="bob"))
            assert await store.protections("support") == [free, first, last]
            assert await store.protections("other") == []
            await store.move_pointer(sample_move(1, 2))

        self.with_store(body)

    def test_a_request_waits_until_it_is_made_or_the_pointer_moves(self) -> None:
        """What was asked on the ground of an old state can no longer be approved."""

        async def body(store: Store) -> None:
            await add_three_versions(store)
            first = await store.request_move(MoveRequest(id="r1", move=sample_move(1, 2)))
            second = await store.request_move(MoveRequest(id="r2", move=sample_move(1, 3)))
            assert first.at
            assert await store.move_requests("support") == [first, second]
            with raises(Conflict, "r1"):
                await store.request_move(MoveRequest(id="r1", move=sample_move(1, 3)))
            with raises(NotFound, r"\b9\b"):
                await store.request_move(MoveRequest(id="r3", move=sample_move(1, 9)))
            with raises(Conflict, "at version 1"):
                await store.request_move(MoveRequest(id="r4", move=sample_move(2, 3)))
            approved = first.move.model_copy(update={"request_id": "r1", "approved_by": "bob"})
            await store.move_pointer(approved)
            assert await store.move_requests("support") == []
            await store.move_pointer(sample_move(2, 1, kind="rollback"))
            assert await store.move_requests("support") == [second], "r1 is made, once"

        self.with_store(body)

    def test_the_revision_grows_with_every_change_for_clients(self) -> None:
        """Moves and decisions count, refused ones and other writing do not."""

        async def body(store: Store) -> None:
            assert await store.revision() == 0
            await add_three_versions(store)
            assert await store.revision() == 1
            await store.protect(sample_protection(is_protected=True))
            with raises(Conflict):
                await store.move_pointer(sample_move(2, 3, approved_by="bob"))
            assert await store.revision() == 1
            waiting = sample_decision(1, state="awaiting_approval")
            await store.start_rollout(await rollout_of_two(store), waiting)
            assert await store.revision() == 2
            await store.decide(sample_decision(2, state="aborted", action="abort"))
            assert await store.revision() == 3

        self.with_store(body)

    def test_publications_are_the_last_word_on_each_place(self) -> None:
        """A place is added once and can be taken out and added again."""

        async def body(store: Store) -> None:
            assert await store.publications() == []
            for target in ("/b/manifest.json", "/a/manifest.json", "/b/manifest.json"):
                await store.set_publication(target, active=True)
            assert await store.publications() == ["/a/manifest.json", "/b/manifest.json"]
            await store.set_publication("/a/manifest.json", active=False)
            assert await store.publications() == ["/b/manifest.json"]

        self.with_store(body)
