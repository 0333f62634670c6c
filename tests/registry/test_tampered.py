"""Bytes that are not those that were registered are served, promoted and gone back to by nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import NotFound, Tampered
from promptyard.protocols import Store
from promptyard.records.versions import MoveRequest
from promptyard.registry.protection import request_promotion
from promptyard.registry.versions import promote, resolve_version, rollback
from support.registered import tamper, with_store


@pytest.fixture(params=[("B é {{x}}", "B e {{x}}"), ('"steps"', '"stepz"'), ('"name"', '"number"')])
def url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A store whose production went 1, 2, 3, and version 2 of which was changed afterwards."""

    async def work(store: Store) -> None:
        for number in (1, 2, 3):
            await promote(store, "p", number, actor="me", reason="r")

    path = tmp_path / "store.db"
    with_store(work, str(path))
    tamper(path, 2, *request.param)
    return str(path)


def test_they_are_not_read_promoted_requested_or_gone_back_to(url: str) -> None:
    async def work(store: Store) -> None:
        for reference in (2, "v2"):
            with pytest.raises(Tampered, match="Version 2 of prompt 'p'"):
                await resolve_version(store, "p", reference)
        with pytest.raises(Tampered):
            await promote(store, "p", 2, pointer="staging", actor="me", reason="r")
        with pytest.raises(Tampered):
            await request_promotion(store, "p", 2, request_id="r", actor="me", reason="r")
        with pytest.raises(Tampered):
            await rollback(store, "p", actor="me", reason="worse")
        assert [item.number for item in await store.pointers("p")] == [3]
        assert not list[MoveRequest](await store.move_requests("p"))

    with_store(work, url, texts=())


def test_a_rollback_to_a_version_before_them_works(url: str) -> None:
    async def work(store: Store) -> int:
        return (await rollback(store, "p", to_number=1, actor="me", reason="worse")).to_number

    assert with_store(work, url, texts=()) == 1


def test_a_pointer_at_them_can_be_rolled_back(tmp_path: Path) -> None:
    async def moves(store: Store) -> None:
        for number in (1, 2):
            await promote(store, "p", number, actor="me", reason="r")

    async def work(store: Store) -> int:
        with pytest.raises(Tampered):
            await resolve_version(store, "p", "production")
        return (await rollback(store, "p", actor="me", reason="worse")).to_number

    path = tmp_path / "store.db"
    with_store(moves, str(path))
    tamper(path, 2, "B é", "B e")
    assert with_store(work, str(path), texts=()) == 1


def test_an_unknown_version_is_refused_and_nothing_moves() -> None:
    async def work(store: Store) -> None:
        await promote(store, "p", 1, actor="me", reason="r")
        for verb in (promote, request_promotion):
            extra: dict[str, Any] = {} if verb is promote else {"request_id": "r"}
            with pytest.raises(NotFound, match="versions 1 to 3"):
                await verb(store, "p", 9, actor="me", reason="r", **extra)
        assert [item.number for item in await store.pointers("p")] == [1]

    with_store(work)
