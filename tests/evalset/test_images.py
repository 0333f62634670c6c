from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.images import MAX_IMAGE_BYTES, ImageFiles
from promptyard.evalset.load import cases_from_rows, read_cases
from promptyard.records.cases import Case, eval_set_version
from support.service_images import PIXEL, PIXEL_URL


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "task"
    (folder / "pictures").mkdir(parents=True)
    (folder / "picture.png").write_bytes(PIXEL)
    (folder / "pictures" / "b.PNG").write_bytes(PIXEL)
    (tmp_path / "secret.png").write_bytes(PIXEL)
    return folder


def _load(folder: Path, *images: Any) -> tuple[Case, ...]:
    rows = [{"id": str(n), "input": {"shown": image}} for n, image in enumerate(images)]
    file = folder / "cases.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return read_cases([file]).cases


@pytest.mark.parametrize("path", ["picture.png", "./picture.png", "pictures/../picture.png"])
def test_a_file_beside_the_cases_becomes_the_image_itself(tmp_path: Path, path: str) -> None:
    (case,) = _load(_folder(tmp_path), {"image": path})
    assert case.input == {"shown": {"image": PIXEL_URL}}
    assert base64.b64decode(PIXEL_URL.partition(",")[2]) == PIXEL


def test_a_file_below_the_cases_may_be_named_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    rows = {"input": {"shown": {"image": "pictures/b.PNG"}}}
    (folder / "cases.jsonl").write_text(json.dumps(rows))
    (case,) = read_cases([Path("task/cases.jsonl")]).cases
    assert case.input == {"shown": {"image": PIXEL_URL}}


@pytest.mark.parametrize(
    "value",
    [
        {"image": "https://example.org/a.png"},
        {"image": "HTTP://example.org/a.png"},
        {"image": "data:image/png;base64,AAAA"},
        {"image": "picture.png", "alt": "two keys are no image"},
        {"image": 7},
        "picture.png",
        [{"image": "picture.png"}],
    ],
)
def test_everything_else_stays_as_it_is(tmp_path: Path, value: Any) -> None:
    (case,) = _load(_folder(tmp_path), value)
    assert case.input == {"shown": value}


@pytest.mark.parametrize(
    ("magic", "media_type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
    ],
)
def test_the_kind_of_an_image_is_told_by_its_bytes(
    tmp_path: Path, magic: bytes, media_type: str
) -> None:
    folder = _folder(tmp_path)
    (folder / "a.png").write_bytes(magic + b"rest")
    (case,) = _load(folder, {"image": "a.png"})
    assert case.input["shown"]["image"].startswith(f"data:{media_type};base64,")


def _outside(folder: Path) -> dict[str, str]:
    """Make what must not be read, and return names for it with what the error says."""
    (folder / "page.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "empty.png").touch()
    (folder / "large.png").write_bytes(PIXEL.ljust(MAX_IMAGE_BYTES + 1, b"\0"))
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "up").symlink_to(folder.parent)
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    return {
        "missing.png": "does not exist",
        "../secret.png": "is outside of the folder of the cases",
        "pictures/../../secret.png": "is outside",
        "link.png": "is outside",
        "up/secret.png": "is outside",
        "loop.png": "does not exist",
        "/etc/passwd": "must be a path relative",
        str(folder / "picture.png"): "must be a path relative",
        "C:\\secret.png": "must be a path relative",
        "\\\\host\\share\\a.png": "must be a path relative",
        "pictures": "is no file",
        "pipe.png": "is no file",
        "page.png": "is no PNG, JPEG, GIF or WebP",
        "empty.png": "is no PNG, JPEG, GIF or WebP",
        "cases.jsonl": "is no PNG, JPEG, GIF or WebP",
        "large.png": "is larger than 3,750,000 bytes",
        "file:///etc/passwd": "is neither a URL",
        "": "is neither a URL",
        "a\0b": "is neither a URL",
        "a" * 5000: "does not exist",
    }


def test_no_other_file_is_ever_read(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    for name, said in _outside(folder).items():
        with pytest.raises(EvalSetError) as caught:
            _load(folder, {"image": name})
        message = str(caught.value)
        assert message.startswith(f"{folder / 'cases.jsonl'}:1: input.shown: the image '")
        assert said in message, name
        assert "\n" not in message
        assert len(message) < 500


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(st.sampled_from(["..", ".", "pictures", "b.PNG", "secret.png", "/", "up"])))
def test_whatever_the_path_it_is_an_image_of_the_folder_or_an_error(
    tmp_path: Path, parts: list[str]
) -> None:
    folder = tmp_path / "task"
    if not folder.exists():
        _folder(tmp_path)
        (tmp_path / "secret.png").write_bytes(PIXEL + b"secret")
        (folder / "up").symlink_to(tmp_path)
    row = {"input": {"shown": {"image": "/".join(parts)}}}
    try:
        embedded = ImageFiles(folder).embed(row, "cases.jsonl:1")
    except EvalSetError:
        return
    assert embedded == {"input": {"shown": {"image": PIXEL_URL}}}


def test_other_bytes_are_another_case_and_another_version(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / "cases.jsonl").write_text('{"input": {"shown": {"image": "picture.png"}}}')
    before = read_cases([folder / "cases.jsonl"]).cases
    (folder / "picture.png").write_bytes(PIXEL + b"\0")
    after = read_cases([folder / "cases.jsonl"]).cases
    assert before[0].id != after[0].id
    assert eval_set_version(before) != eval_set_version(after)


def test_an_image_that_many_cases_show_is_held_once(tmp_path: Path) -> None:
    cases = _load(_folder(tmp_path), *[{"image": "picture.png"}] * 50)
    assert len({id(case.input["shown"]["image"]) for case in cases}) == 1


def test_cases_of_python_name_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(_folder(tmp_path))
    (case,) = cases_from_rows([{"input": {"shown": {"image": "picture.png"}}}])
    assert case.input == {"shown": {"image": "picture.png"}}
