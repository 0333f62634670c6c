"""A protected pointer is promoted in two names; a rollback needs nobody's."""

from __future__ import annotations

import pytest

from promptyard.errors import ApprovalNeeded, ConfigError, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.versions import Move
from promptyard.registry.protection import (
    approve,
    protect,
    protected_pointers,
    request_promotion,
    requests_of,
    unprotect,
    unprotect_together,
    waiting_request,
)
from promptyard.registry.versions import promote, rollback
from support.registered import with_store


async def ask(store: Store, reference: int, request_id: str = "r1", actor: str = "ann") -> None:
    await request_promotion(
        store, "p", reference, request_id=request_id, actor=actor, reason="better"
    )


def test_a_promotion_of_a_protected_pointer_says_how_to_ask() -> None:
    async def work(store: Store) -> None:
        await protect(store, "p", "production", actor="ann")
        with pytest.raises(ApprovalNeeded) as refused:
            await promote(store, "p", 2, actor="ann", reason="r")
        assert "`promptyard prompts request p 2`" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not await store.moves("p")

    with_store(work)


def test_another_person_approves_what_one_asked_for_and_both_are_logged() -> None:
    async def work(store: Store) -> Move:
        await promote(store, "p", 1, actor="ann", reason="r")
        await protect(store, "p", "production", actor="ann")
        await ask(store, 2)
        request = await waiting_request(store, "r1")
        for name in ("ann", "Ann ", "ANN"):
            with pytest.raises(ApprovalNeeded, match="somebody else"):
                await approve(store, request, approver=name)
        await approve(store, request, approver="bob")
        assert not await requests_of(store, "p")
        with pytest.raises(NotFound, match="those that wait: none"):
            await waiting_request(store, "r1")
        return (await store.moves("p"))[-1]

    move = with_store(work)
    assert (move.from_number, move.to_number) == (1, 2)
    assert (move.actor, move.approved_by, move.request_id) == ("ann", "bob", "r1")


def test_the_store_refuses_an_approval_in_ones_own_name_however_it_is_written() -> None:
    async def work(store: Store) -> None:
        await protect(store, "p", "production", actor="ann")
        for approver in ("", " ", "ann", "Ann", " ann "):
            move = Move(
                prompt="p",
                pointer="production",
                from_number=None,
                to_number=1,
                actor="ann",
                reason="r",
                approved_by=approver,
            )
            with pytest.raises(ApprovalNeeded):
                await store.move_pointer(move)

    with_store(work)


def test_a_request_dies_when_its_pointer_moves() -> None:
    async def work(store: Store) -> None:
        await promote(store, "p", 1, actor="ann", reason="r")
        await promote(store, "p", 2, actor="ann", reason="r")
        await protect(store, "p", "production", actor="ann")
        await ask(store, 3)
        request = await waiting_request(store, "r1")
        await rollback(store, "p", actor="carl", reason="worse")
        assert not await requests_of(store, "p")
        with pytest.raises(Conflict, match="is at version 1, not at version 2"):
            await approve(store, request, approver="bob")

    with_store(work)


def test_a_rollback_of_a_protected_pointer_needs_nobody() -> None:
    async def work(store: Store) -> int:
        await promote(store, "p", 1, actor="ann", reason="r")
        await promote(store, "p", 2, actor="ann", reason="r")
        await protect(store, "p", "production", actor="ann")
        return (await rollback(store, "p", actor="ann", reason="worse")).to_number

    assert with_store(work) == 1


def test_a_protection_ends_with_the_consent_of_a_second_person_only() -> None:
    async def work(store: Store) -> None:
        await protect(store, "p", "production", actor="ann")
        with pytest.raises(Conflict, match="protected already"):
            await protect(store, "p", "production", actor="bob")
        for other in ("", "ann", "Ann"):
            with pytest.raises(ApprovalNeeded, match="--approved-by"):
                await unprotect(store, "p", "production", actor="ann", approved_by=other)
        assert await protected_pointers(store, "p") == ("production",)
        await unprotect(store, "p", "production", actor="ann", approved_by="bob")
        assert await protected_pointers(store, "p") == ()
        with pytest.raises(Conflict, match="not protected"):
            await unprotect(store, "p", "production", actor="ann", approved_by="bob")
        await promote(store, "p", 1, actor="ann", reason="r")

    with_store(work)


def test_other_pointers_of_the_prompt_stay_free() -> None:
    async def work(store: Store) -> int:
        await protect(store, "p", "production", actor="ann")
        return (await promote(store, "p", 2, pointer="staging", actor="a", reason="r")).to_number

    assert with_store(work) == 2


@pytest.mark.parametrize("name", ["latest", "3", "v3", "a b", "", "a/b", "../x", "-x", "a" * 65])
def test_a_name_that_is_none_cannot_be_a_pointer(name: str) -> None:
    async def work(store: Store) -> None:
        with pytest.raises(ConfigError):
            await promote(store, "p", 1, pointer=name, actor="a", reason="r")
        with pytest.raises(ConfigError):
            await protect(store, "p", name, actor="a")

    with_store(work)


def test_there_is_nothing_to_ask_for_where_the_pointer_is_already() -> None:
    async def work(store: Store) -> None:
        await promote(store, "p", 2, actor="ann", reason="r")
        with pytest.raises(Conflict, match="nothing to ask for"):
            await ask(store, 2)

    with_store(work)


def test_a_protection_ends_when_two_people_ask_for_it_each_in_his_own_name() -> None:
    async def work(store: Store) -> None:
        with pytest.raises(Conflict, match="not protected"):
            await unprotect_together(store, "p", "production", actor="ann")
        await protect(store, "p", "production", actor="ann")
        wish = await unprotect_together(store, "p", "production", actor="ann", reason="no need")
        assert (wish.is_protected, wish.asks_end) == (True, True)
        for same in ("ann", " ANN"):
            with pytest.raises(ApprovalNeeded, match="somebody else"):
                await unprotect_together(store, "p", "production", actor=same)
        assert await protected_pointers(store, "p") == ("production",)
        end = await unprotect_together(store, "p", "production", actor="bob")
        assert (end.is_protected, end.actor, end.approved_by) == (False, "ann", "bob")
        assert end.reason == "no need"
        assert await protected_pointers(store, "p") == ()

    with_store(work)


def test_a_wish_to_end_a_protection_is_withdrawn_by_protecting_again() -> None:
    async def work(store: Store) -> None:
        await protect(store, "p", "production", actor="ann")
        await unprotect_together(store, "p", "production", actor="ann")
        await protect(store, "p", "production", actor="bob", reason="it stays")
        wish = await unprotect_together(store, "p", "production", actor="eve")
        assert wish.is_protected  # the first one no longer counts
        assert await protected_pointers(store, "p") == ("production",)

    with_store(work)
