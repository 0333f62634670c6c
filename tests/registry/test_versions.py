"""The registry: immutable versions, moves by compare-and-set, rollback to the exact bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from promptyard.errors import ConfigError, Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import Move, PromptVersion
from promptyard.registry.differences import diff_programs
from promptyard.registry.versions import (
    Seen,
    pointer_named,
    promote,
    resolve_version,
    rollback,
)
from promptyard.storage import open_store
from support.registered import with_store

Result = TypeVar("Result")
TEXTS = ("user:\r\nA 👩‍👩‍👧 {{x}}\r\n", "user:\nB e\u0301 {{x}}", "user:\nC {{x}}\n\n\n")


def with_versions(work: Callable[[Store], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        store = open_store(None)
        await store.open()
        try:
            for text in TEXTS:
                program = Program.single(Prompt.from_text(text))
                await store.add_version(
                    PromptVersion(
                        name="p", number=0, digest=program.id, program=program, author="a"
                    )
                )
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


async def to(store: Store, reference: str | int) -> Move:
    return await promote(store, "p", reference, actor="me", reason="r")


def test_rollback_restores_the_exact_bytes() -> None:
    async def work(store: Store) -> str:
        await to(store, 1)
        await to(store, 2)
        move = await rollback(store, "p", actor="me", reason="worse")
        assert (move.kind, move.from_number, move.to_number) == ("rollback", 2, 1)
        version = await resolve_version(store, "p", "production")
        assert version.digest == version.program.id
        return version.program.prompt.text

    assert with_versions(work).encode() == TEXTS[0].encode()


def test_rolling_back_twice_goes_two_versions_back_and_then_no_further() -> None:
    async def work(store: Store) -> list[int]:
        for number in (1, 2, 3):
            await to(store, number)
        seen = [(await rollback(store, "p", actor="me", reason="r")).to_number for _ in range(2)]
        with pytest.raises(Conflict, match="no earlier version"):
            await rollback(store, "p", actor="me", reason="r")
        return seen

    assert with_versions(work) == [2, 1]


def test_after_a_rollback_and_a_new_promotion_rollback_returns_to_what_was_before() -> None:
    async def work(store: Store) -> list[int]:
        await to(store, 1)
        await to(store, 2)
        await rollback(store, "p", actor="me", reason="r")
        await to(store, 3)
        return [(await rollback(store, "p", actor="me", reason="r")).to_number]

    assert with_versions(work) == [1]


def test_promoting_what_is_live_already_moves_nothing_so_that_rollback_still_goes_back() -> None:
    async def work(store: Store) -> int:
        for number in (1, 2, 2):
            await to(store, number)
        assert len(await store.moves("p")) == 2
        return (await rollback(store, "p", actor="me", reason="r")).to_number

    assert with_versions(work) == 1


def test_references_are_numbers_or_pointers() -> None:
    async def work(store: Store) -> None:
        await to(store, "v2")
        assert (await resolve_version(store, "p", "production")).number == 2
        assert (await resolve_version(store, "p", "3")).number == 3
        assert (await resolve_version(store, "p", "latest")).number == 3
        for odd in ("²", "9" * 30):
            with pytest.raises(NotFound):
                await resolve_version(store, "p", odd)
        for taken in ("latest", "5", "v5"):
            with pytest.raises(ConfigError, match="reads like a version"):
                await promote(store, "p", 1, pointer=taken, actor="me", reason="r")
        with pytest.raises(NotFound, match=r"no pointer 'canary'.*production"):
            await resolve_version(store, "p", "canary")
        with pytest.raises(NotFound):
            await to(store, 9)
        assert await pointer_named(store, "p", "staging") is None

    with_versions(work)


def test_every_move_is_logged() -> None:
    async def work(store: Store) -> list[tuple[int | None, int, str]]:
        await to(store, 1)
        await to(store, 2)
        await rollback(store, "p", actor="me", reason="r")
        return [(m.from_number, m.to_number, m.kind) for m in await store.moves("p")]

    assert with_versions(work) == [(None, 1, "promote"), (1, 2, "promote"), (2, 1, "rollback")]


def test_a_diff_names_the_lines_that_changed() -> None:
    old = Program.single(Prompt.from_text("user:\nA {{x}}\n"))
    new = Program.single(Prompt.from_text("user:\nB {{x}}\n"))
    text = diff_programs(old, new, old_name="p v1", new_name="p v2")
    assert text.splitlines()[:2] == ["--- p v1", "+++ p v2"]
    assert "-A {{x}}" in text.splitlines()
    assert "+B {{x}}" in text.splitlines()
    assert diff_programs(old, old, old_name="a", new_name="b") == ""


def test_a_promotion_from_where_the_pointer_was_seen_moves_it_from_there_alone() -> None:
    async def work(store: Store) -> None:
        with pytest.raises(Conflict, match="is not set, while"):
            await promote(store, "p", 2, actor="a", reason="", seen=Seen(1))
        await promote(store, "p", 1, actor="a", reason="", seen=Seen(None))
        for seen in (None, 2):
            with pytest.raises(Conflict, match="look again"):
                await promote(store, "p", 3, actor="a", reason="", seen=Seen(seen))
        await promote(store, "p", 3, actor="a", reason="", seen=Seen(1))
        assert [move.to_number for move in await store.moves("p")] == [1, 3]

    with_store(work)
