"""Names of people are compared by what is seen of them."""

from __future__ import annotations

import pytest

from promptyard.records.person_names import is_same_person, seen_name


@pytest.mark.parametrize(
    "name",
    [
        " Ann ",
        "ann\u200b",
        "\u2060ann",
        "a\N{SOFT HYPHEN}nn",
        "\uff41\uff4e\uff4e",
        "a\ufe0fnn",
        "ann\u3164",
        "ann\N{NO-BREAK SPACE}",
        "ann\x00",
    ],
)
def test_a_name_is_the_same_however_it_is_spelled(name: str) -> None:
    assert is_same_person("ann", name)
    assert is_same_person(name, "ann")


@pytest.mark.parametrize("name", ["anna", "bob", "", "änn", "安"])
def test_other_names_are_other_people(name: str) -> None:
    assert not is_same_person("ann", name)


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\u3164\ufe0f"])
def test_what_cannot_be_seen_is_no_name(name: str) -> None:
    assert seen_name(name) == ""


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert is_same_person("zo\u00eb", "ZOE\u0308")
