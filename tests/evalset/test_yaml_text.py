from __future__ import annotations

from pathlib import Path

import pytest
import yaml  # PyYAML reads YAML 1.1; it comes with the tools of the tests
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.tree_file import parse_yaml
from promptyard.evalset.yaml_text import yaml_text
from promptyard.records.base import Json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Json]) -> None:
    assert parse_yaml(Path("x"), yaml_text(value)).data == value


@pytest.mark.parametrize(
    "word",
    ["no", "Yes", "on", "y", "012", "1:30", "1_000", "0x1F", "1e3", "~", "null", "2026-01-02"],
)
def test_words_that_yaml_1_1_reads_otherwise_stand_in_quotes(word: str) -> None:
    written = yaml_text({"key": word, word: "value"})
    assert yaml.safe_load(written) == {"key": word, word: "value"}


def test_texts_of_several_lines_stand_as_blocks() -> None:
    assert yaml_text({"prompt": "Line one\n  indented: yes\nlast"}) == (
        "prompt: |-\n  Line one\n    indented: yes\n  last\n"
    )
    assert "\\n" in yaml_text({"prompt": "ends with a blank \nx"})
