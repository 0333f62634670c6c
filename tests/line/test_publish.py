"""The manifest reaches its places whole, never goes back, and never stops a move."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from promptyard.errors import ConfigError
from promptyard.line.publish import (
    Publication,
    catch_up,
    list_publications,
    publish,
    publish_to,
    published_revision,
    stop_publishing,
    write_manifest,
)
from promptyard.line.ship import promote_version, roll_back
from promptyard.protocols import Store
from promptyard.records.manifest import Manifest
from promptyard.registry.manifest import build_manifest, manifest_text
from promptyard.registry.versions import promote
from support.registered import tamper, version_of, with_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    async def work(store: Store) -> None:
        await promote(store, "p", 1, actor="me", reason="r")

    path = str(tmp_path / "store.db")
    with_store(work, path)
    return path


def moved(url: str, reference: str, pointer: str = "production") -> Publication:
    done = promote_version(url, "p", reference, pointer=pointer, actor="me", reason="r")
    return asyncio.run(done).publication


def rolled_back(url: str) -> Publication:
    return asyncio.run(roll_back(url, "p", actor="me", reason="r")).publication


def read(target: Path) -> Manifest:
    return Manifest.model_validate_json(target.read_bytes())


def test_a_manifest_names_its_store_and_every_change_of_it_keeps_the_name(
    url: str, tmp_path: Path
) -> None:
    target, backup, elsewhere = (tmp_path / name for name in ("m.json", "backup.db", "other.db"))
    asyncio.run(publish_to(url, target))
    named = read(target).store
    assert len(named) == 64
    with closing(sqlite3.connect(url)) as store, closing(sqlite3.connect(backup)) as copy:
        store.backup(copy)
    moved(url, "v2")
    moved(url, "v1", "staging")
    rolled_back(url)
    assert (read(target).revision, read(target).store) == (4, named)
    asyncio.run(publish_to(str(backup), tmp_path / "restored.json"))
    assert read(tmp_path / "restored.json").store == named

    async def work(store: Store) -> None:
        await promote(store, "p", 1, actor="me", reason="r")

    with_store(work, str(elsewhere))
    asyncio.run(publish_to(str(elsewhere), tmp_path / "other.json"))
    assert read(tmp_path / "other.json").store not in ("", named)


def test_every_move_is_published_to_every_place(url: str, tmp_path: Path) -> None:
    targets = [tmp_path / "a" / "new" / "manifest.json", tmp_path / "b.json"]
    for target in targets:
        asyncio.run(publish_to(url, target))
        assert read(target).prompts["p"].pointers == {"production": 1}
    publication = moved(url, "3")
    assert list(publication.written) == sorted(map(str, targets))
    assert publication.warnings == ()
    for target in targets:
        manifest = read(target)
        assert (manifest.revision, manifest.prompts["p"].pointers) == (2, {"production": 3})
    rolled_back(url)
    assert [read(target).prompts["p"].pointers for target in targets] == [{"production": 1}] * 2
    listed = asyncio.run(list_publications(url))
    assert listed == {str(target): 3 for target in sorted(targets)}


def test_what_clients_would_refuse_is_said_and_takes_the_place_of_nothing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    before = target.read_bytes()
    # The limit is 16 MiB, which are many prompts; here it is less than one of them takes.
    monkeypatch.setattr("promptyard.line.publish.MAX_BYTES", 100)
    publication = moved(url, "2")
    assert "clients would refuse it: more than" in publication.warnings[0]
    assert publication.written == ()
    assert target.read_bytes() == before


def test_a_place_that_is_taken_out_is_published_to_no_longer(url: str, tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    assert asyncio.run(stop_publishing(url, target)) == str(target)
    moved(url, "2")
    assert read(target).revision == 1
    with pytest.raises(ConfigError, match="published to: nowhere"):
        asyncio.run(stop_publishing(url, target))


def test_a_place_that_cannot_be_written_is_said_and_the_others_get_the_move(
    url: str, tmp_path: Path
) -> None:
    gone, fine = tmp_path / "gone" / "m.json", tmp_path / "m.json"
    for target in (gone, fine):
        asyncio.run(publish_to(url, target))
    for path in sorted(gone.parent.iterdir()):
        path.unlink()
    gone.parent.rmdir()
    publication = rolled_back_after(url, "2")
    assert publication.written == (str(fine),)
    assert [str(gone) in line and "\n" not in line for line in publication.warnings] == [True]
    assert read(fine).prompts["p"].pointers == {"production": 1}
    gone.parent.mkdir()
    assert moved(url, "1").warnings == ()  # tried again, even where nothing moves
    assert read(gone).prompts == read(fine).prompts


def rolled_back_after(url: str, reference: str) -> Publication:
    moved(url, reference)
    return rolled_back(url)


def test_a_folder_in_the_way_of_the_file_is_an_error_of_that_place_only(
    url: str, tmp_path: Path
) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    target.unlink()
    target.mkdir()
    (target / "x").touch()
    assert len(moved(url, "2").errors) == 1
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        asyncio.run(publish_to(url, target))


def test_an_older_revision_never_takes_the_place_of_a_newer_one(tmp_path: Path) -> None:
    target = tmp_path / "m.json"

    def text(revision: int) -> str:
        return manifest_text(build_manifest({}, revision=revision, issued_at=""))

    assert write_manifest(target, 7, text(7)) == 7
    assert write_manifest(target, 6, text(6)) == 7
    assert published_revision(target) == 7
    assert write_manifest(target, 8, text(8)) == 8
    assert not list(tmp_path.glob(".m.json*"))


DAMAGES = [
    b"",
    b"{",
    b"[]",
    b'{"revision": 99}',
    b"\xff\xfe",
    b"[" * 9999,
    b'{"revision": 99, "checksum": "c", "x": NaN}',
    b'{"revision": 99, "checksum": "c", "x": 1e999}',
    b'{"revision": 99, "checksum": "c", "x": "\\ud800"}',
    b'{"revision": 99, "checksum": "c", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"revision": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_replaced(url: str, tmp_path: Path, damage: bytes) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    target.write_bytes(damage)
    assert published_revision(target) is None
    moved(url, "2")
    assert published_revision(target) == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damaged_place_keeps_no_other_from_being_published(
    url: str, tmp_path: Path, damage: bytes
) -> None:
    damaged, other = tmp_path / "a.json", tmp_path / "b.json"
    for target in (damaged, other):
        asyncio.run(publish_to(url, target))
    damaged.write_bytes(damage)
    assert not moved(url, "2").warnings
    assert read(other).revision == read(damaged).revision == 2
    damaged.write_bytes(damage)
    with_store(caught_up, url)
    assert read(damaged).revision == 2


async def caught_up(store: Store) -> None:
    publication = await catch_up(store)
    assert publication is not None
    assert not publication.warnings


def test_a_manifest_of_another_store_is_not_overwritten_by_a_lower_revision(
    url: str, tmp_path: Path
) -> None:
    target = tmp_path / "m.json"
    other = manifest_text(build_manifest({}, revision=40, issued_at=""))
    target.write_text(other, encoding="utf-8")
    publication = asyncio.run(publish_to(url, target))
    assert "holds revision 40" in publication.errors[str(target)]
    assert target.read_text(encoding="utf-8") == other


def test_damaged_bytes_are_left_out_and_the_rest_is_published(url: str, tmp_path: Path) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    moved(url, "2")
    moved(url, "3", pointer="staging")
    tamper(Path(url), 3, "C {{x}}", "D {{x}}")
    publication = rolled_back(url)
    assert "version 3 of prompt 'p' was left out" in publication.warnings[0]
    prompt = read(target).prompts["p"]
    assert (prompt.pointers, sorted(prompt.versions)) == ({"production": 1}, [1])


PUBLISHER = """
import asyncio, sys
from promptyard.line.ship import promote_version
async def main():
    for turn in range(int(sys.argv[2])):
        shipped = await promote_version(
            sys.argv[1], "p", str(1 + turn % 2), pointer=sys.argv[3], actor="me", reason="r")
        assert not shipped.publication.warnings, shipped.publication.warnings
asyncio.run(main())
"""


def test_concurrent_publishers_leave_the_newest_revision_and_readers_see_whole_files(
    url: str, tmp_path: Path
) -> None:
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    publishers = [
        subprocess.Popen([sys.executable, "-c", PUBLISHER, url, "25", f"pointer-{number}"])
        for number in range(3)
    ]
    seen: list[int] = []
    while any(process.poll() is None for process in publishers):
        value = json.loads(target.read_bytes())
        assert value["checksum"] == Manifest.checksum_of(value)
        seen.append(value["revision"])
    assert [process.returncode for process in publishers] == [0, 0, 0]
    assert seen == sorted(seen)
    manifest = read(target)
    assert manifest.revision == 1 + 3 * 25
    assert manifest.prompts["p"].pointers["pointer-0"] == 1

    async def work(store: Store) -> Publication:
        return await publish(store)

    assert with_store(work, url, texts=()).revision == manifest.revision


def test_what_is_registered_and_pointed_at_by_nothing_is_not_published(
    url: str, tmp_path: Path
) -> None:
    async def work(store: Store) -> None:
        await store.add_version(version_of("user:\nQ {{x}}", name="q"))

    with_store(work, url, texts=())
    target = tmp_path / "m.json"
    asyncio.run(publish_to(url, target))
    assert list(read(target).prompts) == ["p"]


def test_a_rollback_stands_where_rollouts_cannot_be_read_to_publish(
    url: str, tmp_path: Path
) -> None:
    asyncio.run(publish_to(url, tmp_path / "m.json"))
    moved(url, "2")
    with closing(sqlite3.connect(url)) as connection:
        connection.execute("INSERT INTO rollouts (id, prompt, rollout) VALUES ('r', 'p', '{}')")
        connection.commit()
    publication = rolled_back(url)
    assert [("was not published" in line, "\n" in line) for line in publication.warnings] == [
        (True, False)
    ]

    async def at(store: Store) -> list[int]:
        return [item.number for item in await store.pointers("p")]

    assert with_store(at, url, texts=()) == [1]
