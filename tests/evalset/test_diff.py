"""What parts two versions of an eval set, and which cases they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.diff import diff_eval_sets, shared_cases
from promptyard.records.cases import Case, CheckSpec, EvalSet, eval_set_version
from promptyard.records.differences import ChangedCase, MovedCase


def case(name: str, **fields: Any) -> Case:
    values = {"id": name, "input": {"t": name}, "expected": "x", "split": "dev", **fields}
    return Case.model_validate(values)


def eval_set(*cases: Case, retired: Mapping[str, str] | None = None) -> EvalSet:
    return EvalSet(
        name="s", cases=cases, version=eval_set_version(cases), retired=dict(retired or {})
    )


def test_every_kind_of_change_is_told_apart() -> None:
    old = eval_set(case("a"), case("b"), case("c"), case("d"), case("e"))
    new = eval_set(
        case("n"),
        case("a"),
        case("b", expected="y", tags=("t",)),
        case("c", split="train"),
        retired={"d": "wrong", "z": "never there"},
    )
    found = diff_eval_sets(old, new)
    assert found.added == ("n",)
    assert found.retired == {"d": "wrong"}
    assert found.removed == ("e",)
    assert found.changed == (ChangedCase(case_id="b", keys=("expected", "tags")),)
    assert found.moved == (MovedCase(case_id="c", old="dev", new="train"),)
    assert found.n_same == 1
    assert found.sentence == ("1 added, 1 retired, 1 removed, 1 changed, 1 moved to another split")


def test_a_case_can_be_changed_and_moved() -> None:
    found = diff_eval_sets(eval_set(case("a")), eval_set(case("a", expected="y", split="train")))
    assert [item.case_id for item in found.changed] == ["a"]
    assert [item.case_id for item in found.moved] == ["a"]


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.randoms(use_true_random=False))
def test_equal_sets_do_not_differ_whatever_their_order(names: list[str], rng: Any) -> None:
    cases = [case(name) for name in names]
    shuffled = cases.copy()
    rng.shuffle(shuffled)
    found = diff_eval_sets(eval_set(*cases), eval_set(*shuffled))
    assert found.old == found.new
    assert found.sentence == "nothing changed"
    assert found.n_same == len(names)


def test_cases_are_shared_where_they_measure_the_same() -> None:
    old = eval_set(
        case("same"),
        case("tagged"),
        case("gold"),
        case("checked"),
        case("moved"),
        case("heavy"),
        case("train", split="train"),
    )
    new = eval_set(
        case("same"),
        case("tagged", tags=("t",), kind="edge", source="log", cluster="c"),
        case("gold", expected="y"),
        case("checked", checks=(CheckSpec(type="is_json"),)),
        case("moved", split="holdout"),
        case("heavy", weight=2.0),
        case("train", split="train"),
        case("new"),
    )
    assert shared_cases(old, new, "dev") == ("same", "tagged")
    assert shared_cases(old, new, "train") == ("train",)
    assert shared_cases(old, new, "holdout") == ()
