"""Prompts leave as plain files and come back byte for byte; nothing in a file is trusted."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import ConfigError, NotFound, PromptError, PromptyardError, Tampered
from promptyard.line.exchange import Imported, ImportWishes, export_prompts, import_prompts
from promptyard.line.publish import publish_to
from promptyard.protocols import Store
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.records.versions import Move, PromptVersion, Protection
from promptyard.registry.exchange.plain_files import file_name
from promptyard.registry.protection import protect
from promptyard.registry.versions import promote, rollback
from promptyard.testing.store_suite import UNUSUAL_TEXTS, sample_origin
from support.registered import tamper, version_of, with_store

NAME = "support/tickets: Ünïcode"


async def filled(store: Store) -> None:
    """A prompt with odd texts, steps, files, lineage, a verdict with infinities, moves."""
    parent: int | None = None
    for text in UNUSUAL_TEXTS:
        made = version_of(f"user:\r\n{text}{{{{x}}}}\n\n", name=NAME, parent=parent)
        parent = (await store.add_version(made)).number
    schema = {"type": "object", "properties": {"b": {}, "a": {"enum": [1.0, 1, None, "é"]}}}
    prompt = Prompt(
        text="---\noutput: {format: json, schema: ../t.json}\n---\nuser:\n{{x}}",
        files={"../t.json": schema},
    )
    program = Program(
        steps=(Step(name="a/b", prompt=prompt), Step(name="..", prompt=prompt)),
        workflow=WorkflowSpec(name="chain", options={"n": 2}),
    )
    await store.add_version(
        PromptVersion(
            name=NAME,
            number=0,
            digest=program.id,
            program=program,
            author="ann",
            parent=parent,
            run_id="run-1",
            hypothesis="better\nso",
            scores={"holdout": 0.5},
            buckets={"low": 2},
            status="passed",
            verdict={"interval": {"low": -math.inf, "high": 0.5}},
            origins=(sample_origin("q"),),
        )
    )
    for number in (1, 2, 7):
        await promote(store, NAME, number, actor="ann", reason="r é")
    await rollback(store, NAME, actor="bob", reason="worse")
    await promote(store, NAME, 3, pointer="staging", actor="ann", reason="r")
    await protect(store, NAME, "production", actor="ann")
    await store.add_version(version_of("user:\nQ {{x}}", name="q"))


History = tuple[Sequence[PromptVersion], Sequence[Move], Sequence[Protection], dict[str, int]]


def history(url: str, name: str = NAME) -> History:
    async def work(store: Store) -> History:
        return (
            [await store.version(name, v.number) for v in await store.versions(name)],
            await store.moves(name),
            await store.protections(name),
            {item.pointer: item.number for item in await store.pointers(name)},
        )

    return with_store(work, url, texts=())


@pytest.fixture
def url(tmp_path: Path) -> str:
    path = str(tmp_path / "store.db")
    with_store(filled, path, texts=())
    return path


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Path:
    asyncio.run(export_prompts(url, None, tmp_path / "out"))
    return tmp_path / "out"


def brought(url: str | None, path: Path, **wishes: Any) -> Imported:
    return asyncio.run(import_prompts(url, path, ImportWishes(**wishes), actor="me"))


def test_all_of_it_comes_back_into_an_empty_store(url: str, folder: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    imported = brought(other, folder)
    assert [(prompt.name, prompt.n_new) for prompt in imported.prompts] == [("q", 1), (NAME, 7)]
    assert imported.notes == ()
    assert history(other) == history(url)
    again = tmp_path / "again"
    asyncio.run(export_prompts(other, None, again))
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert [(again / path).read_bytes() for path in files] == [
        (folder / path).read_bytes() for path in files
    ]
    assert len(files) == len([path for path in again.rglob("*") if path.is_file()])


def test_the_files_are_the_bytes_of_the_versions_under_safe_names(folder: Path) -> None:
    texts = {path.name: path.read_bytes() for path in (folder / file_name(NAME)).glob("v*.md")}
    assert texts["v1.prompt.md"] == b"user:\r\n{{x}}\n\n"
    assert set(texts) > {"v7.a%2Fb.prompt.md", "v7.%2E..prompt.md"}
    assert (folder / file_name(NAME) / "v7.a%2Fb.files" / "%2E.%2Ft.json").is_file()
    assert (folder / file_name(NAME) / ".gitattributes").read_bytes() == b"* -text\n"
    assert sorted(path.name for path in folder.iterdir()) == ["q", file_name(NAME)]


def test_importing_twice_changes_nothing(folder: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    brought(other, folder)
    before = history(other)
    imported = brought(other, folder, pointers=True)
    assert [prompt.n_new for prompt in imported.prompts] == [0, 0]
    assert history(other) == before


def test_into_a_store_that_has_versions_they_get_new_numbers_and_pointers_only_when_asked(
    folder: Path, tmp_path: Path
) -> None:
    async def has_one(store: Store) -> None:
        await store.add_version(version_of("user:\nmine {{x}}", name=NAME))
        await promote(store, NAME, 1, actor="me", reason="r")

    other = str(tmp_path / "other.db")
    with_store(has_one, other, texts=())
    imported = brought(other, folder / file_name(NAME))
    assert imported.prompts[0].numbers == {number: number + 1 for number in range(1, 8)}
    assert "production (v3), staging (v4) stayed where they are" in imported.notes[0]
    versions, moves, _, pointers = history(other)
    assert [version.parent for version in versions] == [None, None, 2, 3, 4, 5, 6, 7]
    assert (len(moves), pointers) == (1, {"production": 1})
    moved = brought(other, folder / file_name(NAME), pointers=True)
    assert moved.prompts[0].pointers == {"production": 3, "staging": 4}
    assert history(other)[3] == {"production": 3, "staging": 4}


def test_a_pointer_that_is_protected_here_is_not_moved_by_a_log_from_elsewhere(
    folder: Path, tmp_path: Path
) -> None:
    async def guarded(store: Store) -> None:
        await protect(store, NAME, "production", actor="me")

    other = str(tmp_path / "other.db")
    with_store(guarded, other, texts=())
    imported = brought(other, folder / file_name(NAME), pointers=True)
    assert imported.prompts[0].pointers == {"staging": 3}
    assert "is protected and was not moved" in " ".join(imported.notes)


def change(folder: Path, find: str, put: str) -> None:
    index = folder / file_name(NAME) / "versions.json"
    text = index.read_text("utf-8", "surrogatepass")
    assert find in text
    index.write_text(text.replace(find, put), "utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        ('"format": 1', '"format": 9', "the format 9"),
        ('"parent": 1,', '"parent": 2,', "cannot be made from version 2"),
        ('"parent": 1,', '"parent": -4,', "cannot be made from version -4"),
        ('"number": 2,', '"number": 1,', "."),
        ('"number": 2,', '"number": true,', "is no number of a version"),
        ('"to_number": 7', '"to_number": 99', "does not follow"),
        ('"from_number": 1', '"from_number": 3', "does not follow"),
        ('"production": 2', '"production": 1', "not where the moves lead"),
        ('"pointer": "staging"', '"pointer": "latest"', "."),
        ('"name": "main"', '"name": "../../../etc/passwd"', "cannot be read"),
        ('"../t.json"', '"../../../../../../etc/hostname"', "cannot be read"),
        ('"author": "ann"', '"author": 7', "author"),
        ('"author": "ann"', '"author": "ann", "extra": 1', "extra"),
        ('"chain"', '"single"', "do not have its digest"),
        (f'"name": "{NAME}"', '"name": "a\\nb"', "is no name"),
        ('"is_protected": true', '"is_protected": true, "prompt": "x"', "of another prompt"),
    ],
)
def test_an_index_that_was_changed_is_refused_and_nothing_is_written(
    folder: Path, tmp_path: Path, find: str, put: str, words: str
) -> None:
    change(folder, find, put)
    with pytest.raises(PromptyardError, match=words) as refused:
        brought(str(tmp_path / "other.db"), folder)
    assert "\n" not in str(refused.value)
    assert str(folder) in str(refused.value)
    assert not (tmp_path / "other.db").exists()


def test_bytes_that_were_changed_are_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / file_name(NAME) / "v1.prompt.md"
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    with pytest.raises(Tampered, match="version 1 of prompt"):
        brought(str(tmp_path / "other.db"), folder)


def test_a_version_that_was_tampered_with_is_not_exported(url: str, tmp_path: Path) -> None:
    tamper(Path(url), 7, "chain", "singl")
    with pytest.raises(Tampered, match="Version 7"):
        asyncio.run(export_prompts(url, [NAME], tmp_path / "no"))
    with pytest.raises(NotFound):
        asyncio.run(export_prompts(url, ["nosuch"], tmp_path / "no"))


def test_names_that_one_folder_would_hold_are_not_exported_together(tmp_path: Path) -> None:
    async def two(store: Store) -> None:
        for name in ("Support", "support"):
            await store.add_version(version_of("user:\n{{x}}", name=name))

    path = str(tmp_path / "store.db")
    with_store(two, path, texts=())
    with pytest.raises(ConfigError, match="one folder"):
        asyncio.run(export_prompts(path, None, tmp_path / "out"))


@pytest.mark.parametrize(
    "name",
    ["a", "..", ".", "", ".git", "a/b", "a\\b", "x" * 300, "日本語" * 60, "a%2Fb", "CON\x00"],
)
def test_file_names_are_portable_and_no_path(name: str) -> None:
    made = file_name(name)
    assert made
    assert len(made) <= 100
    assert not made.startswith(".")
    assert not set(made) & set('/\\:*?"<>|\0 ')
    assert made.isascii()
    assert file_name(f"{name}!") != made


ROWS: list[dict[str, Any]] = [
    {
        "name": "critic",
        "version": number,
        "prompt": f"{number} {{{{x}}}}",
        "labels": labels,
        "commitMessage": f"message {number}",
    }
    for number, labels in ((5, ["production", "latest"]), (2, ["staging", "v9"]))
]


def test_versions_of_another_tool_are_registered_in_their_order_with_labels_on_request(
    tmp_path: Path,
) -> None:
    path, url = tmp_path / "export.json", str(tmp_path / "new" / "store.db")
    path.write_text(json.dumps(ROWS), encoding="utf-8")
    imported = brought(url, path)
    assert imported.format == "langfuse"
    assert imported.prompts[0].numbers == {2: 1, 5: 2}
    versions, moves, _, _ = history(url, "critic")
    assert [(v.parent, v.hypothesis, v.status) for v in versions] == [
        (None, "message 2", "manual"),
        (1, "message 5", "manual"),
    ]
    assert not moves
    assert "--pointers moves them" in imported.notes[-1]
    target = tmp_path / "manifest.json"
    asyncio.run(publish_to(url, target))
    moved = brought(url, path, pointers=True)
    assert moved.prompts[0].n_new == 0
    assert moved.prompts[0].pointers == {"staging": 1, "production": 2}
    assert "'v9' reads like a version" in " ".join(moved.notes)
    published = json.loads(target.read_bytes())["prompts"]["critic"]["pointers"]
    assert published == {"staging": 1, "production": 2}


def test_a_protected_pointer_stays_and_the_rest_is_imported(tmp_path: Path) -> None:
    path, url = tmp_path / "export.json", str(tmp_path / "store.db")
    path.write_text(json.dumps(ROWS), encoding="utf-8")

    async def guarded(store: Store) -> None:
        await store.add_version(version_of("user:\nmine {{x}}", name="critic"))
        await protect(store, "critic", "production", actor="ann")

    with_store(guarded, url, texts=())
    imported = brought(url, path, pointers=True)
    assert imported.prompts[0].pointers == {"staging": 2}
    assert "`promptyard prompts request critic 3`" in " ".join(imported.notes)


def test_one_prompt_that_cannot_be_had_stops_all_unless_it_is_to_be_skipped(
    tmp_path: Path,
) -> None:
    path, url = tmp_path / "export.json", str(tmp_path / "store.db")
    bad = {**ROWS[0], "name": "bad", "prompt": "{{a b}}"}
    path.write_text(json.dumps([*ROWS, bad, {**bad, "version": 6}]), encoding="utf-8")
    with pytest.raises(PromptError, match="--skip-refused") as refused:
        brought(url, path)
    assert len(refused.value.lines) == 2
    assert not Path(url).exists()
    imported = brought(url, path, skip_refused=True)
    assert [prompt.name for prompt in imported.prompts] == ["critic"]
    assert len(imported.refused) == 2
