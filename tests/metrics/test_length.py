from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .grading import grade


@pytest.mark.parametrize("text", [".", '."', ". ", "。", "a. ", "!\u2026", ".\u00a0"])
def test_a_megabyte_of_ends_of_sentences_is_counted_in_reasonable_time(text: str) -> None:
    started = time.process_time()
    grade("length", text * 500_000, options={"unit": "sentences", "max": 1})
    assert time.process_time() - started < 20


@settings(deadline=None)
@given(st.lists(st.sampled_from(["It rains", "So?", "Nr. 5", "¿Qué?", "Über 3.5 m"]), min_size=1))
def test_as_many_sentences_as_were_joined(parts: list[str]) -> None:
    text = " ".join(part if part.endswith("?") else f"{part}." for part in parts)
    n_sentences = len(parts) + parts.count("Nr. 5")  # the documented limit: a capital or a digit
    options = {"unit": "sentences", "value": n_sentences}
    (score,) = grade("length", text, options=options)
    assert score.value == 1.0, score.reason


def test_a_reason_says_how_long_it_is_and_may_be() -> None:
    (score,) = grade("length", "Hello!", options={"max": 5})
    assert score.reason == "the output has 6 characters, at most 5 are allowed"
    (words,) = grade("word_count", '{"a": "x"}', options={"field": "a", "min": 2})
    assert words.reason == "the field 'a' has 1 words, at least 2 are needed"
