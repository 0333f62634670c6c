"""A store that may only be read: it answers, writes nothing, and says what cannot be done."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from promptyard.errors import ReadOnlyStore, StorageError
from promptyard.protocols import Store
from promptyard.storage import open_store
from support.other_user import open_folder, unprivileged
from support.registered import version_of
from support.stores import on_store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="other permissions")


async def register(store: Store) -> None:
    await store.add_version(version_of("user:\nA {{x}}\n"))


async def names(store: Store) -> list[str]:
    return list(await store.prompt_names())


@pytest.fixture
def path() -> Generator[Path]:
    with open_folder() as folder:
        path = folder / "a store?.db"
        on_store(str(path), register)
        yield path


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o555), (0o444, 0o777)])
def test_what_may_only_be_read_is_read_and_left_as_it_was(
    path: Path, file_mode: int, folder_mode: int
) -> None:
    path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    before = path.read_bytes()
    with unprivileged():
        assert on_store(str(path), names) == ["p"]
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_writable_file_in_a_closed_folder_is_read(path: Path) -> None:
    path.chmod(0o666)
    path.parent.chmod(0o555)
    with unprivileged():
        assert on_store(str(path), names) == ["p"]


def test_writing_is_refused_in_one_line(path: Path) -> None:
    path.parent.chmod(0o555)
    path.chmod(0o444)
    with unprivileged(), pytest.raises(ReadOnlyStore) as error:
        on_store(str(path), lambda store: store.add_version(version_of("user:\nB {{x}}\n")))
    assert "choose a path for the store that you may write to" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_an_older_store_says_what_to_do(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
        connection.commit()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    with unprivileged(), pytest.raises(ReadOnlyStore, match="copy it to a folder that you may"):
        on_store(str(path), names)


def test_what_a_writer_has_not_moved_into_the_file_yet_is_read(path: Path) -> None:
    async def read_while_written(store: Store) -> list[str]:
        await store.add_version(version_of("user:\nB {{x}}\n", name="q"))
        path.chmod(0o444)
        path.parent.chmod(0o555)
        for file in path.parent.iterdir():
            file.chmod(0o444)
        with unprivileged():
            other = open_store(str(path))
            await other.open()
            try:
                return list(await other.prompt_names())
            finally:
                await other.close()

    assert on_store(str(path), read_while_written) == ["p", "q"]


def test_changes_that_were_left_beside_the_file_are_not_passed_over(path: Path) -> None:
    async def crash(store: Store) -> None:
        await store.add_version(version_of("user:\nB {{x}}\n", name="q"))
        for suffix in ("", "-wal"):
            copy = path.with_name(f"copy.db{suffix}")
            copy.write_bytes(path.with_name(path.name + suffix).read_bytes())
            copy.chmod(0o444)

    on_store(str(path), crash)
    path.parent.chmod(0o555)
    with unprivileged(), pytest.raises(StorageError, match="that ends in -wal"):
        on_store(str(path.with_name("copy.db")), names)
    path.parent.chmod(0o755)
    assert on_store(str(path.with_name("copy.db")), names) == ["p", "q"]


def test_a_store_that_is_opened_again_may_be_written_by_then(path: Path) -> None:
    async def body() -> None:
        store = open_store(str(path))
        path.chmod(0o444)
        with unprivileged():
            await store.open()
            await store.close()
        path.chmod(0o644)
        await store.open()
        await store.add_version(version_of("user:\nB {{x}}\n", name="q"))
        await store.close()

    asyncio.run(body())
    assert on_store(str(path), names) == ["p", "q"]


def test_root_and_nobody_are_told_apart() -> None:
    with unprivileged():
        assert os.geteuid() != 0
