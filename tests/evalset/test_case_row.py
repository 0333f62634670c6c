from __future__ import annotations

import math

import pytest

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import case_from_row
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec, case_id


def refusal(row: dict[str, Json]) -> str:
    with pytest.raises(EvalSetError) as caught:
        case_from_row(row, "cases.jsonl:12")
    message = str(caught.value)
    assert message.startswith("cases.jsonl:12: ")
    assert "\n" not in message
    return message.removeprefix("cases.jsonl:12: ")


def test_only_the_input_is_required() -> None:
    case = case_from_row({"input": {"text": "hi"}}, "x:1")
    assert case == Case(id=case_id({"text": "hi"}, None), input={"text": "hi"})


def test_a_bare_text_is_the_variable_input() -> None:
    assert case_from_row({"input": "hi", "id": 7}, "x:1") == Case(id="7", input={"input": "hi"})


def test_every_key_finds_its_place() -> None:
    row: dict[str, Json] = {
        "id": "c1",
        "input": {"text": "hi", "history": [{"role": "user", "content": "x"}]},
        "expected": {"status": "open"},
        "kind": "adversarial",
        "tags": ["a", "b:c"],
        "checks": ["is_json", {"type": "contains", "value": "x", "severity": "soft", "weight": 2}],
        "cluster": 3,
        "split": "holdout",
        "weight": 2,
        "rubric": "be kind",
        "critical": True,
        "source": "trace 7",
    }
    assert case_from_row(row, "x:1") == Case(
        id="c1",
        input=row["input"],
        expected={"status": "open"},
        kind="adversarial",
        tags=("a", "b:c"),
        checks=(
            CheckSpec(type="is_json"),
            CheckSpec(type="contains", severity="soft", weight=2.0, options={"value": "x"}),
        ),
        cluster="3",
        split="holdout",
        weight=2.0,
        rubric="be kind",
        critical=True,
        source="trace 7",
    )


def test_null_means_not_given() -> None:
    row: dict[str, Json] = dict.fromkeys(Case.model_fields)
    row["input"] = {"text": "hi"}
    assert case_from_row(row, "x:1") == case_from_row({"input": {"text": "hi"}}, "x:1")


def test_a_written_case_is_read_back() -> None:
    case = Case(
        id="c1",
        input={"a": 1},
        checks=(CheckSpec(type="contains", tag="t", options={"value": "x", "options": [1]}),),
        tags=("t",),
    )
    assert case_from_row(case.model_dump(mode="json"), "x:1") == case
    assert case_from_row(case.model_dump(), "x:1") == case


def test_check_records_may_stand_in_a_row() -> None:
    spec = CheckSpec(type="contains", options={"value": "x"})
    assert case_from_row({"input": "hi", "checks": [spec]}, "x:1").checks == (spec,)


WRONG: list[tuple[dict[str, Json], str]] = [
        ({"input": "a", "expcted": 1}, "expcted: unknown key; did you mean 'expected'?"),
        ({"input": "a", "zzz": 1}, "zzz: unknown key; known: id, input, expected, kind, tags,"),
        ({"input": "a", "ideal": 1}, "ideal: unknown key; it is called 'expected' here"),
        ({"question": "a"}, "question: unknown key; variables stand in 'input': "),
        ({"expected": "a"}, "input: required key is missing"),
        ({"input": None}, "input: required key is missing"),
        ({"input": 7}, "input: expected an object of variables or a text, got 7"),
        ({"input": ["a"]}, "input: expected an object of variables or a text, got list ['a']"),
        ({"input": {"a": [math.inf]}}, "input.a[0]: non-finite number"),
        ({"input": "a", "expected": {"b": math.nan}}, "expected.b: non-finite number"),
        ({"input": "a\ud800"}, "input: an unpaired surrogate"),
        ({"input": "a", "id": " "}, "id: expected text that is not blank, got ' '"),
        ({"input": "a", "id": True}, "id: expected text that is not blank, got True"),
        ({"input": "a", "cluster": 1.5}, "cluster: expected text that is not blank, got 1.5"),
        ({"input": "a", "kind": "egde"}, "kind: expected representative, edge or adversarial, "
         "got 'egde'; did you mean 'edge'?"),
        ({"input": "a", "split": "test"}, "split: expected train, dev or holdout, got 'test'"),
        ({"input": "a", "split": 1}, "split: expected train, dev or holdout, got 1"),
        ({"input": "a", "tags": "x"}, "tags: expected a list of texts, got 'x'"),
        ({"input": "a", "tags": ["x", 1]}, "tags[1]: expected text, got 1"),
        ({"input": "a", "weight": 0}, "weight: expected a number above 0, got 0"),
        ({"input": "a", "weight": "2"}, "weight: expected a number above 0, got '2'"),
        ({"input": "a", "weight": True}, "weight: expected a number above 0, got True"),
        ({"input": "a", "critical": "yes"}, "critical: expected true or false, got 'yes'"),
        ({"input": "a", "rubric": ["x"]}, "rubric: expected text, got list ['x']"),
        ({"input": "a", "checks": "is_json"}, "checks: expected a list of checks, got 'is_json'"),
        ({"input": "a", "checks": [7]}, "checks[0]: expected a check: {type: ...}"),
        ({"input": "a", "checks": [{}]}, "checks[0].type: required key is missing"),
        ({"input": "a", "checks": ["x", {"tpye": "y"}]},
         "checks[1].type: required key is missing; did you mean 'tpye'?"),
        ({"input": "a", "checks": [{"type": "x", "sevrity": "hard"}]},
         "checks[0].sevrity: unknown key; did you mean 'severity'?"),
        ({"input": "a", "checks": [{"type": "x", "severity": "hrad"}]},
         "checks[0].severity: expected hard or soft, got 'hrad'; did you mean 'hard'?"),
        ({"input": "a", "checks": [{"type": "x", "dimension": "saftey"}]},
         "got 'saftey'; did you mean 'safety'?"),
        ({"input": "a", "checks": [{"type": "x", "value": 1, "options": {"value": 2}}]},
         "checks[0].value: stands in the check and in its options; keep one"),
    ({"a\nb": 1}, r"a\nb: unknown key"),
    ({"input": {"a\nb": math.nan}}, r"input.a\nb: non-finite"),
    ({"input": "a", "id": "x\n", "kind": "e\n"}, r"got 'e\n'"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), WRONG)
def test_a_wrong_row_says_which_key_and_what_was_expected(
    row: dict[str, Json], message: str
) -> None:
    assert message in refusal(row)


@pytest.mark.parametrize("option", ["weights", "tags", "types", "critic", "severities", "value"])
def test_an_option_that_is_like_a_common_key_is_an_option(option: str) -> None:
    case = case_from_row({"input": "a", "checks": [{"type": "x", option: 1}]}, "x:1")
    assert case.checks[0].options == {option: 1}


def test_long_values_are_cut_in_messages() -> None:
    assert len(refusal({"input": ["word"] * 10_000})) < 200
