"""The tree of phrases finds what a search for each would; files lie in the task's folder."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import ConfigError
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.phrase_pattern import phrase_pattern
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion

CASE = Case(id="c1", input={})


@given(
    st.lists(st.text("ab +", min_size=1, max_size=5), min_size=1, max_size=6),
    st.text("ab +", max_size=30),
    st.booleans(),
)
def test_the_tree_finds_a_phrase_where_a_search_for_it_does(
    phrases: list[str], text: str, whole_words: bool
) -> None:
    def alone(phrase: str) -> bool:
        before = r"(?<!\w)" if whole_words and phrase[0] in "ab" else ""
        after = r"(?!\w)" if whole_words and phrase[-1] in "ab" else ""
        return re.search(before + re.escape(phrase) + after, text) is not None

    found = phrase_pattern(phrases, whole_words=whole_words).search(text)
    assert (found is not None) == any(map(alone, phrases))
    assert found is None or found.group() in phrases


def _metric(folder: Path | None, **options: Json) -> Metric:
    spec = CheckSpec(type="forbidden_content", options=options)
    return build_metrics([spec], MetricContext(folder=folder))[0]


def _passes(metric: Metric, text: str) -> bool:
    return asyncio.run(metric.score(CASE, Completion(text=text)))[0].value == 1.0


def test_a_file_has_one_phrase_a_line(tmp_path: Path) -> None:
    text = "\ufeff# words of the law\n\nguarantee\n  Project Falcon  \n"
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")
    metric = _metric(tmp_path, file="words.txt", values=["refund"])
    assert [_passes(metric, said) for said in ("words of the law", "project falcon", "refund")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("name", ["../words.txt", "/etc/hostname", "missing.txt", "."])
def test_a_file_elsewhere_or_nowhere_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (tmp_path / "words.txt").write_text("guarantee", encoding="utf-8")
    with pytest.raises(ConfigError, match="option 'file'"):
        _metric(folder, file=name)


def test_a_file_that_is_not_text_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        _metric(tmp_path, file="words.txt")


def test_phrases_that_nest_as_deep_as_they_can_are_found() -> None:
    metric = _metric(None, values=["a" * length for length in range(1, 101)])
    assert not _passes(metric, f"x {'a' * 77} y")
    assert _passes(metric, "a" * 101)


@pytest.mark.parametrize("values", [["a" * 101], [f"word {n}" for n in range(20_001)]])
def test_too_long_a_list_is_refused(values: list[str]) -> None:
    with pytest.raises(ConfigError, match="at most 20,000 phrases"):
        _metric(None, values=values)
