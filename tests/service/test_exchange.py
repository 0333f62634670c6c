"""Prompts in and out over HTTP: what one service exports another imports, to the byte."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptyard.line.exchange import export_prompts
from support.registered import version_of
from support.served import Answer, Service, served
from support.served_prompts import served_prompts
from support.stores import on_store

EXPORT = "/api/v1/prompt-export"
IMPORT = "/api/v1/prompt-import"
AS_IS: dict[str, Any] = {}
TAR = {"Content-Type": "application/x-tar"}
FILE = {"Content-Type": "application/octet-stream"}


def sent(service: Service, content: bytes, query: str = "", **headers: str) -> Answer:
    given = {name.replace("_", "-"): value for name, value in headers.items()} or TAR
    return service.post(f"{IMPORT}{query}", body=content, headers=given)


def refused(answer: Answer, status: int = 422) -> str:
    assert answer.status == status, answer.body
    assert "/tmp" not in answer.json["detail"]
    return str(answer.json["detail"])


def files_in(archive: bytes) -> Mapping[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = {item.name: opened.extractfile(item) for item in opened}
    return {name: file.read() for name, file in found.items() if file is not None}


def archive_of(*members: tuple[str, bytes, dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content, changes in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            for key, value in changes.items():
                setattr(about, key, value)
            archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def test_what_one_service_exports_another_imports_without_its_pointers(tmp_path: Path) -> None:
    with served_prompts(str(tmp_path / "one.db")) as one:
        one.in_store(lambda store: store.add_version(version_of("user:\nX\n", "team/other")))
        answer = one.get(f"{EXPORT}?prompt=p")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-tar")
        assert one.get(f"{EXPORT}?prompt=p").body == answer.body
        whole = one.get(EXPORT).body
        assert refused(one.get(f"{EXPORT}?prompt=teem/other"), 404).count("team/other") == 1
        folder = tmp_path / "folder"
        on_store(one.store_url, lambda store: export_prompts(store, None, folder))
    written = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert files_in(whole) == {name: path.read_bytes() for name, path in written.items()}
    assert files_in(answer.body) == {
        name: content for name, content in files_in(whole).items() if name.startswith("p/")
    }
    with served(str(tmp_path / "two.db")) as two:
        two.key = two.new_key("write")
        imported = sent(two, whole)
        assert imported.status == 200, imported.body
        assert [(item["name"], item["n_new"]) for item in imported.json["prompts"]] == [
            ("p", 3),
            ("team/other", 1),
        ]
        assert imported.json["notes"] == [
            "p: production (v1) stayed where they are; promote these versions to move them"
        ]
        again = sent(two, whole).json["prompts"]
        assert [item["n_new"] for item in again] == [0, 0]
        assert two.in_store(lambda store: store.pointers("p")) == []
        for number in (1, 2, 3):
            mine = two.in_store(lambda store, number=number: store.version("p", number))
            theirs = on_store(
                str(tmp_path / "one.db"), lambda store, number=number: store.version("p", number)
            )
            assert mine.program == theirs.program
        log = two.get("/api/v1/audit?limit=1", key=two.new_key("admin")).json["items"]
        assert log[0]["detail"]["new_versions"] == {"p": 0, "team/other": 0}


def test_single_files_of_other_tools_are_imported_under_their_names(tmp_path: Path) -> None:
    rows = [{"name": "c", "version": 4, "prompt": "A {{x}}", "labels": ["production"], "tags": []}]
    with served(tmp_path) as service:
        made = sent(service, b"user:\nA {{x}}\n", "?file=mine.prompt.md", **FILE)
        assert [item["name"] for item in made.json["prompts"]] == ["mine"]
        prompty = b"---\nname: Sort it\nmodel: {api: chat}\n---\nsystem:\nSort {{text}}\n"
        made = sent(service, prompty, "?file=x.prompty&name=sort", **FILE)
        assert made.status == 200, made.body
        assert made.json["format"] == "prompty"
        assert [item["name"] for item in made.json["prompts"]] == ["sort"]
        made = sent(service, json.dumps(rows).encode(), "?file=l.json", **FILE)
        assert (made.json["format"], made.json["prompts"][0]["pointers"]) == ("langfuse", {})
        assert "promote these versions" in made.json["notes"][0]
        assert refused(sent(service, b"{}", "?file=x.json", **FILE)).startswith("x.json: ")
        broken = sent(service, b'{"a": ', "?file=x.json", **FILE)
        assert refused(broken).startswith("x.json:1: ")
        for query, said in (
            ("", "'file': give it for one file"),
            ("?file=..", "'..' is no name of a file"),
            (f"?file={'%C3%A4' * 190}.json", "is no name of a file"),
            ("?file=a%2Fb.json", "'file': must fit the pattern"),
            ("?file=x.json&format=langfus", "did you mean 'langfuse'?"),
            ("?file=x.doc", "its format is not known by its name"),
        ):
            assert said in refused(sent(service, b"{}", query, **FILE)), query
        refused(sent(service, b"{}", **{"Content-Type": "text/plain"}), 415)


def test_an_archive_of_a_stranger_writes_nothing_outside_and_is_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.registry.exchange.archive.MAX_FILES", 30)
    link: dict[str, Any] = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}
    hostile = (
        (archive_of(("../evil", b"x", {})), "is no name of a file"),
        (archive_of(("/evil", b"x", {})), "is no name of a file"),
        (archive_of(("a/b/c/d/e", b"x", {})), "lies too deep"),
        (archive_of(("p/versions.json", b"", link)), "is no plain file"),
        (archive_of(("p/versions.json", b"x" * 2_000, {}))[:1_500], "no tar archive"),
        (b"\x1f\x8b nothing", "no tar archive"),
        (b"", "no tar archive"),
        (archive_of(("a", b"x", {}), ("a/b", b"x", {})), "is a file and a folder"),
        (archive_of(("a/b", b"x", {}), ("a", b"x", {})), "is a file and a folder"),
        (archive_of(("p/readme", b"x", {})), "there is no versions.json in it"),
        (archive_of(*((f"f{n}", b"", AS_IS) for n in range(31))), "more than 30 files"),
    )
    with served(tmp_path) as service:
        for content, said in hostile:
            assert said in refused(sent(service, content)), said
        assert service.get("/api/v1/prompts").json["items"] == []
    assert not (tmp_path.parent / "evil").exists()


def test_of_an_archive_that_was_cut_off_or_is_larger_than_it_looks_nothing_is_imported(
    tmp_path: Path,
) -> None:
    with served_prompts(str(tmp_path / "one.db")) as one:
        one.in_store(lambda store: store.add_version(version_of("user:\nX\n", "team/other")))
        first, whole = one.get(f"{EXPORT}?prompt=p").body, one.get(EXPORT).body
    boundary = len(first) - 1024  # the first prompt is all there
    damaged = bytearray(whole)
    damaged[boundary + 3] ^= 1
    sparse = tarfile.TarInfo("p/versions.json")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(5 << 40)}
    with served(str(tmp_path / "two.db")) as two:
        for content, said in (
            (whole[:boundary], "it was cut off"),
            (whole[:-1], "it was cut off"),
            (bytes(damaged), f"there is no header at byte {boundary:,}"),
            (sparse.tobuf(tarfile.PAX_FORMAT) + bytes(1024), "sparse"),
        ):
            assert said in refused(sent(two, content))
        assert two.get("/api/v1/prompts").json["items"] == []


def test_an_export_that_was_changed_is_refused_as_a_whole(tmp_path: Path) -> None:
    with served_prompts(str(tmp_path / "one.db")) as one:
        files = dict(files_in(one.get(EXPORT).body))
    files["p/v2.prompt.md"] += b"Say yes.\n"
    changed = archive_of(*((name, content, AS_IS) for name, content in files.items()))
    with served(str(tmp_path / "two.db")) as two:
        answer = sent(two, changed)
        assert "version 2 of prompt 'p' is not what was exported" in refused(answer)
        assert two.get("/api/v1/prompts").json["items"] == []
