from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.duplicates import duplicate_findings, normalised_input, normalised_text
from promptyard.evalset.findings import Finding
from promptyard.records.base import Json
from promptyard.records.cases import Case, EvalSet, SplitName


def case(case_id: str, text: Json, split: SplitName, expected: Json = None) -> Case:
    return Case(id=case_id, input={"text": text}, split=split, expected=expected)


def findings(*cases: Case) -> dict[str, Finding]:
    found = duplicate_findings(EvalSet(name="x", cases=cases, version="v"))
    assert len({item.code for item in found}) == len(found)
    return {item.code: item for item in found}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Where is my card?", "  where is\tMY   card"),
        ("ﬁne — thanks!", "Fine, thanks"),
        ("STRASSE", "straße"),
        ("snake_case", "snake case"),
        ("caf\u00e9", "cafe\u0301"),
    ],
)
def test_trivial_differences_disappear(one: str, two: str) -> None:
    assert normalised_text(one) == normalised_text(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [("2+2", "2-2"), ("-5 degrees", "5 degrees"), ("1.5", "15"), ("?", "!"), ("$5", "5"),
     ("a < b", "a > b"), ("3/4", "3*4"), ("C++", "C")],
)  # fmt: skip
def test_differences_that_matter_stay(one: str, two: str) -> None:
    assert normalised_text(one) != normalised_text(two)


@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalised_text(text)
    assert normalised_text(once.upper().lower()) == normalised_text(once)


def test_every_part_of_the_input_counts() -> None:
    assert normalised_input({"a": "x", "b": ["Y!", {"c": 1}]}) == normalised_input(
        {"b": ["y", {"c": 1}], "a": "X"}
    )
    assert normalised_input({"a": "x"}) != normalised_input({"b": "x"})
    assert normalised_input({"a": 1}) != normalised_input({"a": 2})


def test_equal_inputs_in_the_holdout_and_elsewhere_are_a_leak() -> None:
    found = findings(
        case("t", "Hello!", "train"), case("d", "other", "dev"), case("h", "hello", "holdout")
    )
    assert found.keys() == {"leak"}
    assert found["leak"].level == "error"
    assert found["leak"].case_ids == ("t", "h")
    assert "1 (t = h)" in found["leak"].message


def test_the_expectations_do_not_change_a_leak() -> None:
    same = findings(case("d", "a", "dev", "x"), case("h", "a", "holdout", "x"))
    other = findings(case("d", "a", "dev", "x"), case("h", "a", "holdout", "y"))
    assert same["leak"].level == other["leak"].level == "error"
    assert other.keys() == {"leak", "conflicting_labels"}


def test_equal_inputs_in_train_and_dev_are_an_overlap() -> None:
    found = findings(case("t", "a", "train"), case("d", "A", "dev"))
    assert found.keys() == {"overlap"}
    assert found["overlap"].level == "warning"


def test_equal_inputs_in_one_split_are_duplicates() -> None:
    found = findings(case("a", "x", "dev"), case("b", "x.", "dev"), case("c", "y", "dev"))
    assert found.keys() == {"duplicate"}
    assert found["duplicate"].case_ids == ("a", "b")


def test_conflicting_labels_are_found_and_missing_ones_are_no_conflict() -> None:
    found = findings(case("a", "x", "dev", "yes"), case("b", "X", "dev", "no"))
    assert found["conflicting_labels"].case_ids == ("a", "b")
    assert "conflicting_labels" not in findings(
        case("a", "x", "dev", "yes"), case("b", "X", "dev", None)
    )


def test_ids_with_line_ends_stay_on_one_line() -> None:
    assert (
        "\n" not in findings(case("a\nb", "x", "dev"), case("c", "x", "dev"))["duplicate"].message
    )


def test_different_inputs_give_no_finding() -> None:
    assert not findings(case("a", "x", "train"), case("b", "y", "dev"), case("c", "z", "holdout"))
    assert not findings(Case(id="a", input={}, split="dev"), Case(id="b", input={}, split="dev"))
