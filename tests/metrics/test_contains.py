from __future__ import annotations

import pytest

from promptyard.errors import ConfigError

from .grading import grade


def test_the_reason_names_only_what_is_missing() -> None:
    (score,) = grade("contains_all", "only a", options={"values": ["a", "b", "c"]})
    assert score.reason == 'the output lacks ["b", "c"]; got "only a"'


def test_one_missing_text_is_named_without_a_list() -> None:
    (score,) = grade("contains_all", "only a", options={"values": ["a", "b"]})
    assert score.reason == 'the output lacks "b"; got "only a"'


def test_a_list_given_as_one_text_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match=r"list of texts \(commas do not split\)"):
        grade("contains_any", "a", options={"values": "a, b"})
