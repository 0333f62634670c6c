from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.foreign.checks import Unsupported
from promptyard.evalset.foreign.promptfoo.grammar import TYPES, assertion_of, comma_values
from promptyard.records.base import Json, as_object

from .promptfoo_files import imported, refusal, rows

SCHEMA = {"type": "object", "required": ["a"]}
SCORES = {"A": 1.0, "B": 1.0, "C": 1.0, "D": 0.0, "E": 1.0}


def kind_of(value: Any) -> str:
    return str((as_object(value) or {}).get("type", ""))


def check_of(folder: Path, assertion: Json, **test: Json) -> Any:
    """What one assertion becomes, without the severity that all of them have."""
    base = {"vars": {"name": "Ann", "n": 3, "context": "facts"}, "assert": [assertion]}
    (row,) = rows(folder, {"tests": [{**base, **test}]})
    (check,) = row["checks"]
    if check["type"] == "skip":
        return check["reason"]
    assert check.pop("severity") == "soft"
    return check


def from_threshold(threshold: float, *checks: Mapping[str, Json]) -> Json:
    inner = [{**check, "severity": "soft"} for check in checks]
    return {"type": "weighted", "threshold": threshold, "checks": inner}


@pytest.mark.parametrize(
    ("assertion", "check"),
    [
        ({"type": "contains", "value": "a"}, {"type": "contains", "value": "a"}),
        ({"type": "contains", "value": 0}, {"type": "contains", "value": "0"}),
        ({"type": "icontains", "value": "Hi {{name}}"}, {"type": "icontains", "value": "Hi Ann"}),
        ({"type": "not-contains", "value": "{{ n }}"}, {"type": "not:contains", "value": "3"}),
        (
            {"type": "contains-any", "value": 'a, "b, c",'},
            {"type": "contains_any", "values": ["a", "b, c"]},
        ),
        (
            {"type": "icontains-all", "value": ["1,000", 5]},
            {"type": "icontains_all", "values": ["1,000", "5"]},
        ),
        (
            {"type": "not-contains-all", "value": ["{{name}}"]},
            {"type": "not:contains_all", "values": ["Ann"]},
        ),
        (
            {"type": "starts-with", "value": "Yes"},
            {"type": "starts_with", "value": "Yes", "normalize": "none"},
        ),
        ({"type": "regex", "value": "^a.c$"}, {"type": "regex", "pattern": r"^a.c\Z"}),
        (
            {"type": "regex", "value": r"[$]a\$|b$"},
            {"type": "regex", "pattern": r"[$]a\$|b\Z"},
        ),
        (
            {"type": "regex", "value": r"(?<year>\d{4})\k<year>"},
            {"type": "regex", "pattern": r"(?P<year>\d{4})(?P=year)", "flags": "a"},
        ),
        ({"type": "is-json"}, {"type": "is_json"}),
        ({"type": "is-json", "value": SCHEMA}, {"type": "json_schema", "schema": SCHEMA}),
        (
            {"type": "is-json", "value": "type: object\nrequired: [a]"},
            {"type": "json_schema", "schema": SCHEMA},
        ),
        ({"type": "contains-json"}, {"type": "contains_json"}),
        ({"type": "contains-json", "value": SCHEMA}, {"type": "contains_json", "schema": SCHEMA}),
        (
            {"type": "levenshtein", "value": "a"},
            {"type": "levenshtein", "value": "a", "max_distance": 5},
        ),
        (
            {"type": "levenshtein", "value": "a", "threshold": 2},
            {"type": "levenshtein", "value": "a", "max_distance": 2},
        ),
        ({"type": "rouge-n", "value": "a"}, {"type": "rouge_n", "value": "a", "threshold": 0.75}),
        (
            {"type": "bleu", "value": ["a", "b"], "threshold": 0.3},
            {"type": "bleu", "value": ["a", "b"], "any_of": True, "threshold": 0.3},
        ),
        ({"type": "word-count", "value": 5}, {"type": "word_count", "min": 5, "max": 5}),
        ({"type": "word-count", "value": "5"}, {"type": "word_count", "min": 5, "max": 5}),
        ({"type": "word-count", "value": {"max": 9}}, {"type": "word_count", "max": 9}),
        ({"type": "latency", "threshold": 1500}, {"type": "latency", "max_s": 1.5}),
        ({"type": "cost", "threshold": 0.002}, {"type": "cost", "max_usd": 0.002}),
        ({"type": "finish-reason", "value": "STOP"}, {"type": "finish_reason", "value": "stop"}),
        ({"type": "not-is-refusal"}, {"type": "not:is_refusal"}),
        (
            {"type": "tool-call-f1", "value": "a, b"},
            {"type": "tool_call_f1", "value": ["a", "b"]},
        ),
        (
            {"type": "tool-call-f1", "value": ["a"], "threshold": 0.8},
            from_threshold(0.8, {"type": "tool_call_f1", "value": ["a"]}),
        ),
        ({"type": "llm-rubric", "value": "is kind"}, {"type": "llm_rubric", "rubric": "is kind"}),
        (
            {"type": "llm-rubric", "value": "is kind to {{name}}", "threshold": 0.8},
            {"type": "llm_rubric", "rubric": "is kind to Ann"},
        ),
        (
            {"type": "model-graded-closedqa", "value": "is it?"},
            {"type": "closed_qa", "criterion": "is it?"},
        ),
        (
            {"type": "g-eval", "value": "is clear"},
            from_threshold(0.7, {"type": "g_eval", "criteria": "is clear"}),
        ),
        (
            {"type": "g-eval", "value": ["clear", "short"], "threshold": 0.5},
            from_threshold(
                0.5,
                {"type": "g_eval", "criteria": "clear"},
                {"type": "g_eval", "criteria": "short"},
            ),
        ),
        ({"type": "answer-relevance"}, {"type": "answer_relevance"}),
        (
            {"type": "context-faithfulness", "threshold": 0.9},
            from_threshold(0.9, {"type": "faithfulness", "source": "context"}),
        ),
        (
            {"type": "contains", "value": "a", "weight": 2, "metric": "of {{name}}"},
            {"type": "contains", "value": "a", "weight": 2, "id": "of Ann"},
        ),
        (
            {"type": "contains", "value": "a", "transform": "output.trim()"},
            {"type": "contains", "value": "a"},
        ),
    ],
    ids=kind_of,
)
def test_an_assertion_becomes_the_check_that_means_the_same(
    assertion: Json, check: Json, tmp_path: Path
) -> None:
    assert check_of(tmp_path, assertion) == check


@pytest.mark.parametrize(
    ("assertion", "reason"),
    [
        ({"type": "javascript", "value": "output"}, "javascript"),
        ({"type": "not-similar", "value": "x"}, "not-similar"),
        ({"type": "python", "value": "file://check.py"}, "python"),
        ({"type": "contains", "value": "file://want.js"}, "contains: JavaScript is not run"),
        ({"type": "contains", "value": "file://w.py:f"}, "contains: Python is not run"),
        ({"type": "contains", "value": "file://no.txt"}, "contains: there is no such file"),
        ({"type": "contains", "value": "package:x:y"}, "contains: JavaScript is not run"),
        ({"type": "contains", "value": ""}, "contains: a value of ''"),
        ({"type": "contains-any", "value": []}, "contains-any: a list that is empty"),
        ({"type": "contains", "value": "{{ name | upper }}"}, "contains: template logic ("),
        ({"type": "contains", "value": "{% if n %}a{% endif %}"}, "contains: template logic ("),
        ({"type": "contains", "value": "{{who}}"}, "contains: a template with 'who', which the"),
        ({"type": "contains", "value": "{{env.KEY}}"}, "contains: a template that reads the env"),
        ({"type": "contains", "value": "a", "weight": 0}, "contains: weight 0, which is reported"),
        ({"type": "contains", "value": "a", "transform": "x"}, "contains: after a transform"),
        ({"type": "regex", "value": "(?<=a+)b"}, "regex: a pattern that Python does not read"),
        ({"type": "is-json", "value": "["}, "is-json: a schema that cannot be read"),
        ({"type": "is-json", "value": True}, "is-json: a schema that is no object"),
        ({"type": "latency"}, "latency: no threshold in milliseconds"),
        ({"type": "word-count", "value": {}}, "word-count: a value of {}"),
        ({"type": "llm-rubric", "rubricPrompt": "p"}, "llm-rubric: a rubric that stands in"),
        ({"type": "promptfoo:redteam:pii"}, "promptfoo:redteam:pii"),
        ({"type": "select-best", "value": "best"}, "select-best"),
        ({"type": "is-xml"}, "is-xml"),
    ],
    ids=kind_of,
)
def test_what_cannot_be_run_is_a_skip_that_says_why(
    assertion: Json, reason: str, tmp_path: Path
) -> None:
    assert check_of(tmp_path, assertion).startswith(f"unsupported: promptfoo {reason}")


@pytest.mark.parametrize("kind", [*TYPES, *(f"not-{name}" for name in TYPES)])
def test_every_type_of_the_published_schema_is_a_check_or_a_skip(kind: str, tmp_path: Path) -> None:
    assertion = {"type": kind, "value": "x", "threshold": 0.5}
    (row,) = rows(tmp_path, {"tests": [{"vars": {"a": "b"}, "assert": [assertion]}]})
    (check,) = row["checks"]
    negated = kind.startswith("not-")
    if check["type"] == "skip":
        assert check["source"] == assertion
    else:
        assert check["type"].startswith("not:") == negated


def test_a_lone_equals_is_the_expectation_of_the_case(tmp_path: Path) -> None:
    test = {"vars": {"q": "2+2"}, "assert": [{"type": "equals", "value": "4"}]}
    both = {"vars": {"q": "a"}, "assert": [{"type": "equals", "value": v} for v in ("1", "2")]}
    first, second = rows(tmp_path, {"tests": [test, both]})
    assert first["expected"] == "4"
    assert first["checks"] == [
        {"type": "equals", "as_text": True, "normalize": "none", "severity": "soft"}
    ]
    assert "expected" not in second
    assert [check["value"] for check in second["checks"]] == ["1", "2"]


def test_factuality_has_its_scores_written_out(tmp_path: Path) -> None:
    test: dict[str, Json] = {"vars": {}, "assert": [{"type": "factuality", "value": "Paris"}]}
    test["vars"] = {"q": "capital?"}
    (row,) = rows(tmp_path, {"tests": [test]})
    assert row["expected"] == "Paris"
    assert row["checks"] == [{"type": "factuality", "scores": SCORES, "severity": "soft"}]
    test["options"] = {"factuality": {"subset": 0.4, "superset": 0.6}}
    (row,) = rows(tmp_path, {"tests": [test]})
    assert row["checks"][0]["scores"] == {**SCORES, "A": 0.4, "B": 0.6}


TEXT: Mapping[str, Json] = {"as_text": True, "normalize": "none"}
SKIPPED: Json = {"type": "webhook", "value": "http://x"}
SKIP: Json = {"type": "skip", "reason": "unsupported: promptfoo webhook", "source": SKIPPED}


def test_a_set_keeps_its_parts_also_those_that_cannot_be_run(tmp_path: Path) -> None:
    parts = [{"type": "contains", "value": "a"}, SKIPPED]
    whole = {"type": "assert-set", "metric": "m", "weight": 3, "assert": parts}
    assert check_of(tmp_path, whole) == {
        "type": "all_of",
        "checks": [{"type": "contains", "value": "a", "severity": "soft"}, SKIP],
        "id": "m",
        "weight": 3,
    }


def test_a_set_with_a_threshold_is_a_weighted_mean(tmp_path: Path) -> None:
    parts = [{"type": "contains", "value": "a", "weight": 2}, {"type": "is-json"}]
    whole = {"type": "assert-set", "threshold": 0.5, "assert": parts}
    contains = {"type": "contains", "value": "a", "weight": 2}
    assert check_of(tmp_path, whole) == from_threshold(0.5, contains, {"type": "is_json"})
    assert check_of(tmp_path, {**whole, "threshold": 2}).startswith(
        "unsupported: promptfoo assert-set: a threshold of 2"
    )


def test_a_threshold_of_the_test_weighs_all_assertions(tmp_path: Path) -> None:
    asserts = [
        {"type": "equals", "value": "a"},
        {"type": "icontains", "value": "b", "weight": 3},
        SKIPPED,
    ]
    test = {"vars": {"q": "x"}, "threshold": 0.7, "assert": asserts}
    (row,) = rows(tmp_path, {"tests": [test]})
    assert row["checks"] == [
        {
            "type": "weighted",
            "threshold": 0.7,
            "checks": [
                {"type": "equals", "value": "a", **TEXT, "severity": "soft"},
                {"type": "icontains", "value": "b", "weight": 3, "severity": "soft"},
                SKIP,
            ],
            "severity": "soft",
        }
    ]
    (row,) = rows(tmp_path, {"tests": [{**test, "threshold": 0}]})
    assert row["checks"][0]["type"] == "skip"


def test_a_reference_that_is_not_the_expectation_is_a_skip(tmp_path: Path) -> None:
    facts = [{"type": "factuality", "value": value} for value in ("Paris", "Rome", "Paris")]
    test = {"vars": {"q": "x"}, "assert": [{"type": "equals", "value": "P"}, *facts]}
    (row,) = rows(tmp_path, {"tests": [test]})
    assert row["expected"] == "Paris"
    assert [check["type"] for check in row["checks"]] == [
        "equals",
        "factuality",
        "skip",
        "factuality",
    ]
    assert row["checks"][0]["value"] == "P"


@pytest.mark.parametrize("option", ["transform", "transformVars", "postprocess"])
def test_nothing_is_graded_where_promptfoo_would_change_the_answer_first(
    option: str, tmp_path: Path
) -> None:
    reason = check_of(tmp_path, {"type": "contains", "value": "a"}, options={option: "x => 1"})
    assert reason.startswith("unsupported: promptfoo contains: after a transform of the")


def test_tool_calls_are_held_against_the_tools_of_the_provider(tmp_path: Path) -> None:
    tools: Json = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    test = {"vars": {"q": "x"}, "assert": [{"type": "is-valid-openai-tools-call"}]}
    provider: Json = {"id": "openai:x", "config": {"tools": tools}}
    (row,) = rows(tmp_path, {"providers": ["openai:y", provider], "tests": [test]})
    assert row["checks"] == [{"type": "tool_call_valid", "tools": tools, "severity": "soft"}]
    provider["config"] = {"tools": "file://tools.json"}
    found = rows(tmp_path, {"providers": [provider], "tests": [test]}, tools_json='[{"name": "g"}]')
    assert found[0]["checks"][0]["tools"] == [{"name": "g"}]
    (row,) = rows(tmp_path, {"tests": [test]})
    assert row["checks"][0]["reason"].endswith("the provider of the configuration has no tools")


def test_an_assertion_without_a_type_is_refused_with_its_place(tmp_path: Path) -> None:
    said = refusal(tmp_path, "tests:\n- vars: {a: b}\n  assert:\n  - {value: x}\n")
    assert said.startswith("promptfooconfig.yaml:2: tests[0]: expected an assertion with the key")


def test_what_is_not_carried_over_is_noted_and_counted(tmp_path: Path) -> None:
    assertion = {
        "type": "llm-rubric",
        "value": "x",
        "provider": "openai:gpt-4o",
        "rubricPrompt": "p",
    }
    test = {"vars": {"a": "b"}, "assert": [assertion, assertion], "provider": "x:y"}
    notes = imported(tmp_path, {"tests": [test], "derivedMetrics": [{"name": "f1"}]}).notes
    assert any(
        note.startswith("assertions name a grader") and "(2 times)" in note for note in notes
    )
    assert any("grader prompt of their own" in note for note in notes)
    assert any("a provider of their own" in note for note in notes)
    assert "derived metrics are not computed here" in notes


@pytest.mark.parametrize(
    ("cell", "assertion"),
    [
        ("Paris", {"type": "equals", "value": "Paris"}),
        (" contains: Paris ", {"type": "contains", "value": "Paris"}),
        ("not-icontains:x", {"type": "not-icontains", "value": "x"}),
        ("similar(0.9):Hello", {"type": "similar", "value": "Hello", "threshold": 0.9}),
        ("similar:Hello", {"type": "similar", "value": "Hello", "threshold": 0.8}),
        ("levenshtein(5):a", {"type": "levenshtein", "value": "a", "threshold": 5.0}),
        ("rouge-n:a", {"type": "rouge-n", "value": "a", "threshold": 0.75}),
        ("grade: is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("llm-rubric: is kind", {"type": "llm-rubric", "value": "is kind"}),
        ("fn:output.length", {"type": "javascript", "value": "output.length"}),
        ("eval:1", {"type": "javascript", "value": "1"}),
        ("python: len(output)", {"type": "python", "value": "len(output)"}),
        ("file://a/check.py:f", {"type": "python", "value": "file://a/check.py:f"}),
        ("file://check.mjs", {"type": "javascript", "value": "file://check.mjs"}),
        ("is-json", {"type": "is-json"}),
        ("is-valid-openai-tools-call", {"type": "is-valid-openai-tools-call"}),
        ("contains-any: a,b", {"type": "contains-any", "value": "a,b"}),
        ("contains:a:b\nc", {"type": "contains", "value": "a:b\nc"}),
        ("https://x.y", {"type": "equals", "value": "https://x.y"}),
        ("contain:Paris", {"type": "equals", "value": "contain:Paris"}),
    ],
)
def test_the_short_form_of_tables(cell: str, assertion: Json) -> None:
    assert assertion_of(cell) == assertion


@given(st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_values_quoted_as_in_csv_come_back(values: list[str]) -> None:
    quoted = ", ".join(
        '"' + value.replace("\\", "\\\\").replace('"', '""') + '"' for value in values
    )
    assert comma_values(quoted) == values


@given(st.text(alphabet='",\\ a\n', max_size=400))
def test_any_list_is_split_or_refused(text: str) -> None:
    try:
        values = comma_values(text)
    except Unsupported:
        return
    assert all(isinstance(value, str) for value in values)
