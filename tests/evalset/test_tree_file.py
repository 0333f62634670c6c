from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.tree_file import Tree, parse_yaml, read_tree


def read(folder: Path, text: str, name: str = "x.yaml") -> Tree:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_tree(path)


def refusal(folder: Path, text: str, name: str = "x.yaml") -> str:
    with pytest.raises(EvalSetError) as caught:
        read(folder, text, name)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(folder / name))


def test_values_are_plain_data_and_words_stay_words(tmp_path: Path) -> None:
    text = "{no: on, n: 012, x: 0x1f, f: 1e3, b: true, z: ~, d: 2026-01-02, 5: five, big: 1_000}"
    assert read(tmp_path, text).data == {
        "no": "on",
        "n": 12,
        "x": 31,
        "f": 1000.0,
        "b": True,
        "z": None,
        "d": "2026-01-02",
        "5": "five",
        "big": 1000,
    }


def test_merge_keys_give_what_is_not_given_itself(tmp_path: Path) -> None:
    text = "base: &b {a: 1, c: 2}\nmore: &m {c: 9, d: 4}\nown:\n  <<: [*b, *m]\n  a: 7\n"
    assert read(tmp_path, text).data["own"] == {"a": 7, "c": 2, "d": 4}


def test_a_place_is_written_with_its_line(tmp_path: Path) -> None:
    tree = read(tmp_path, "tests:\n- vars:\n    a: 1\n-\n  vars: {b: 2}\n")
    assert tree.at("tests", 1, "vars", "b") == f"{tree.path}:5: tests[1].vars.b"
    assert tree.at("tests", 0, "nowhere") == f"{tree.path}:2: tests[0].nowhere"
    assert tree.at() == f"{tree.path}:1"
    assert read(tmp_path, "[1]", "x.json").at(0) == f"{tmp_path / 'x.json'}: [0]"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: !!python/object:os.system x", ":2: python/object:os.system is no plain value"),
        ("a: !!set {b}", ":1: set is no plain data"),
        ("a: .nan", ":1: non-finite number .nan"),
        ("a: 1e999", ":1: non-finite number 1e999"),
        ("a: 1\na: 2", ":2: the key 'a' stands twice"),
        ("? [1]\n: 2", ":1: a key that is no text"),
        ("<<: 5", ":1: '<<' merges keys and values only"),
        ("a: [", ":1: not YAML"),
        ("a: &x [*x]", ":1: more than 100 levels"),
        ("a: " + "9" * 5000, ":1: Exceeds the limit"),
        ("[" * 3000, ":1: nested deeper than 100 levels"),
        ("a: \x07", ":1: not YAML"),
    ],
)
def test_what_is_no_plain_document_is_refused_with_its_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, text).startswith(reason)


def test_aliases_that_multiply_are_refused_early(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for n in range(9):
        again = ", ".join([f"*a{n}"] * 10)
        lines.append(f"a{n + 1}: &a{n + 1} [{again}]")
    assert "500000 values" in refusal(tmp_path, "\n".join(lines))


def test_json_is_read_strictly(tmp_path: Path) -> None:
    assert read(tmp_path, '{"a": 1}', "x.json").data == {"a": 1}
    assert read(tmp_path, "", "x.json").data is None
    assert "stands twice" in refusal(tmp_path, '{"a": 1, "a": 2}', "x.json")
    assert refusal(tmp_path, '{\n"a": nope}', "x.json").startswith(":2: not JSON")


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with path.open("wb") as file:
        file.truncate(9 << 20)
    with pytest.raises(EvalSetError, match="larger than 8 MiB"):
        read_tree(path)


@given(st.text(max_size=80))
def test_any_text_is_data_or_refused(text: str) -> None:
    try:
        parse_yaml(Path("x.yaml"), text)
    except EvalSetError as error:
        assert str(error).startswith("x.yaml:")  # noqa: PT017 (either outcome is right)
