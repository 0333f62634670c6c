from __future__ import annotations

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import CheckSkipped, ConfigError
from promptyard.metrics.rouge import longest_common

from .grading import grade

CHECKS = ["f1", "levenshtein", "rouge_n", "rouge_l", "bleu", "chrf"]
WORDS = st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=12)


@pytest.mark.parametrize("check", CHECKS)
@settings(deadline=None, max_examples=40)
@given(expected=st.text(max_size=20), output=st.text(max_size=20))
def test_similarity_is_in_range_and_complete_for_the_same_text(
    check: str, expected: str, output: str
) -> None:
    (same,) = grade(check, expected, expected=expected)
    assert same.value == 1.0
    (score,) = grade(check, output, expected=expected)
    assert 0.0 <= score.value <= 1.0


@pytest.mark.parametrize("check", ["f1", "levenshtein", "rouge_n", "rouge_l"])
@settings(deadline=None, max_examples=40)
@given(one=WORDS, other=WORDS)
def test_similarity_is_symmetric(check: str, one: list[str], other: list[str]) -> None:
    texts = " ".join(one), " ".join(other)
    (there,) = grade(check, texts[0], expected=texts[1])
    (back,) = grade(check, texts[1], expected=texts[0])
    assert there.value == pytest.approx(back.value)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_the_longest_common_subsequence_is_that_of_the_plain_table(
    one: list[str], other: list[str]
) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one):
        for j, right in enumerate(other):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
            )
    assert longest_common(one, other) == longest_common(other, one) == table[-1][-1]


def test_the_best_of_several_texts_is_never_worse_than_each() -> None:
    golds = ["the tall tower", "a small house", "tower"]
    (best,) = grade("f1", "the tower", expected={"any_of": golds})
    singles = [grade("f1", "the tower", expected=gold)[0].value for gold in golds]
    assert best.value == max(singles)


def test_a_reason_says_how_similar_and_to_what() -> None:
    (score,) = grade("f1", "tall tower", expected={"any_of": ["tower", "house"]})
    assert score.reason == '0.667 similar to one of ["tower", "house"]; got "tall tower"'
    assert score.value == pytest.approx(2 / 3)


@pytest.mark.parametrize("check", ["levenshtein", "rouge_l", "bleu"])
def test_texts_that_would_take_too_long_are_skipped_and_say_so(check: str) -> None:
    with pytest.raises(CheckSkipped, match=r"1,000,000 with 999,999 characters") as raised:
        grade(check, "x" * 1_000_000, expected="x" * 999_999)
    assert raised.value.kind == "too_large"
    (same,) = grade(check, "x" * 1_000_000, expected="x" * 1_000_000)
    assert same.value == 1.0


@pytest.mark.parametrize(
    ("check", "library"), [("levenshtein", "rapidfuzz"), ("bleu", "sacrebleu")]
)
def test_without_the_extra_the_error_says_how_to_install_it(
    check: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigError) as raised:
        grade(check, "x", expected="x")
    assert str(raised.value) == (
        f"check '{check}' needs {library}; install it with: pip install 'promptyard[metrics]'"
    )
