"""Exports, and the way back: the same cases come in again."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import EvalSetError
from promptyard.evalset.case_row import case_from_row
from promptyard.evalset.csv_rows import CsvRows
from promptyard.evalset.export import EXPORTERS
from promptyard.evalset.export.csv_table import csv_text
from promptyard.evalset.exported import ExportSource
from promptyard.evalset.foreign.promptfoo.importer import Promptfoo
from promptyard.evalset.load import read_cases
from promptyard.evalset.native_rows import case_row, jsonl_text
from promptyard.evalset.tree_file import parse_yaml
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
CHECKS = st.sampled_from(
    [
        CheckSpec(type="equals"),
        CheckSpec(type="equals", options={"value": "{{x}}", "normalize": "none"}),
        CheckSpec(type="exact_match", severity="hard", weight=2.5),
        CheckSpec(type="not:contains", options={"value": "{% raw %}"}, tag="t", critical=True),
        CheckSpec(type="not:Starts-With", options={"value": "x"}),
        CheckSpec(type="contains_any", options={"values": ["a,b", "file://x"]}),
        CheckSpec(type="field_equals", options={"field": "a.b"}, dimension="safety"),
        CheckSpec(type="regex", options={"pattern": r"(?P<y>\d{4})"}),
        CheckSpec(type="all_of", options={"checks": [{"type": "is_json"}, {"type": "f1"}]}),
        CheckSpec(
            type="weighted",
            options={
                "threshold": 0.5,
                "checks": [{"type": "icontains", "value": "x", "weight": 2}],
            },
        ),
        CheckSpec(
            type="skip",
            options={
                "reason": "unsupported: promptfoo javascript",
                "source": {"type": "javascript", "value": "1", "config": {"a": 1}},
            },
        ),
        CheckSpec(type="llm_rubric", id="kind", options={"rubric": "Is it kind?"}, after="hard"),
    ]
)


@st.composite
def case_lists(draw: st.DrawFn) -> list[Case]:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    values = draw(st.sampled_from([TEXTS, VALUES]))
    return [
        Case(
            id=f"c{number}",
            input={name: draw(values) for name in names},
            expected=draw(VALUES),
            rubric=draw(st.none() | TEXTS),
            checks=tuple(draw(st.lists(CHECKS, max_size=3))),
            kind=draw(st.sampled_from(["representative", "edge", "adversarial"])),
            tags=tuple(draw(st.lists(TEXTS, max_size=3))),
            cluster=draw(st.none() | NAMES),
            weight=draw(st.sampled_from([1.0, 0.25, 3.0])),
            split=draw(st.sampled_from([None, "train", "dev", "holdout"])),
            critical=draw(st.booleans()),
            source=draw(st.none() | TEXTS),
        )
        for number in range(draw(st.integers(1, 3)))
    ]


def back_from(
    name: str, cases: Sequence[Case], folder: Path, checks: tuple[CheckSpec, ...] = ()
) -> Json:
    """Export, and read the file as a user would."""
    exported = EXPORTERS[name](ExportSource(name="set", cases=tuple(cases), checks=checks))
    if name == "promptfoo":
        path = folder / "promptfooconfig.yaml"
        path.write_text(exported.text, encoding="utf-8", newline="")
        rows = Promptfoo().read(path).rows_with_all_checks()
        return [case_from_row(item.row, item.at) for item in rows]
    path = folder / f"cases.{name}"
    path.write_text(exported.text, encoding="utf-8", newline="")
    return list(read_cases([path]).cases)


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_an_export_reads_back_as_the_same_cases(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(name)

    @settings(max_examples=60, deadline=None)
    @given(case_lists())
    def law(cases: list[Case]) -> None:
        assert back_from(name, cases, folder) == cases

    law()


def test_checks_of_all_cases_come_back_in_each_case(tmp_path: Path) -> None:
    shared = (
        CheckSpec(type="equals"),
        CheckSpec(type="json_schema", options={"schema": {"type": "object"}}),
        CheckSpec(type="required_fields", options={"fields": ["a"]}, severity="hard"),
    )
    cases = [
        Case(id="a", input={"q": "1"}, expected="x", checks=(CheckSpec(type="is_refusal"),)),
        Case(id="b", input={"q": "2"}, expected="y"),
    ]
    back = back_from("promptfoo", cases, tmp_path, shared)
    for case, got in zip(cases, back, strict=True):
        wanted = sorted(spec.model_dump_json() for spec in (*shared, *case.checks))
        assert sorted(spec.model_dump_json() for spec in got.checks) == wanted
        assert got.model_copy(update={"checks": ()}) == case.model_copy(update={"checks": ()})


def test_what_promptfoo_cannot_run_is_kept_and_said() -> None:
    case = Case(id="a", input={"q": "1"}, checks=(CheckSpec(type="numeric", options={"value": 4}),))
    exported = EXPORTERS["promptfoo"](ExportSource(name="set", cases=(case,)))
    assert "assert" not in exported.text
    assert any("promptfoo does not run 'numeric'" in note for note in exported.notes)


def test_a_check_may_be_written_with_dashes() -> None:
    check = CheckSpec(type="not:Contains-Any", options={"values": ["x"]})
    case = Case(id="1", input={"q": "x"}, checks=(check,))
    tests = parse_yaml(
        Path("f"), EXPORTERS["promptfoo"](ExportSource(name="t", cases=(case,))).text
    )
    assertion = tests.data["tests"][0]["assert"][0]
    assert (assertion["type"], assertion["value"]) == ("not-contains-any", ["x"])


def test_a_check_that_was_changed_in_the_file_is_read_as_it_stands(tmp_path: Path) -> None:
    check = CheckSpec(type="contains", options={"value": "old"}, severity="hard", tag="t")
    case = Case(id="a", input={"q": "1"}, checks=(check,))
    exported = EXPORTERS["promptfoo"](ExportSource(name="set", cases=(case,)))
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(exported.text.replace("value: old", "value: new", 1))
    (item,) = Promptfoo().read(path).rows_with_all_checks()
    assert item.row["checks"] == [{"type": "contains", "value": "new", "severity": "soft"}]


def test_prompts_are_written_as_text_or_chat(tmp_path: Path) -> None:
    prompts = (
        "user:\nAnswer {{q}} with \\{{braces}}\n",
        'system:\nBe kind.\n\ndemos:\n{"input": {"q": "a"}, "output": "b"}\n\nuser:\n{{q}}\n',
    )
    source = ExportSource(name="set", cases=(Case(id="a", input={"q": "1"}),), prompts=prompts)
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(EXPORTERS["promptfoo"](source).text)
    found = Promptfoo().read(path)
    assert found.prompts == (
        "user:\nAnswer {{q}} with \\{{braces}}\n",
        "system:\nBe kind.\n\nuser:\na\n\nassistant:\nb\n\nuser:\n{{q}}\n",
    )


FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")


def test_no_cell_begins_like_a_formula() -> None:
    cases = [Case(id=f"={n}", input={"q": text, "-n": text}) for n, text in enumerate(FORMULAS)]
    table = list(csv.reader(io.StringIO(csv_text(cases), newline="")))
    assert not [
        cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]


def test_texts_have_columns_and_anything_else_a_json_column() -> None:
    texts = csv_text([Case(id="a", input={"q": "x"}, expected="y")])
    assert texts == "id,input.q,expected\r\na,x,y\r\n"
    values = csv_text([Case(id="a", input={"q": 1}, expected=5)])
    assert values == 'id,input,case.expected\r\na,"{""q"": 1}",5\r\n'


def test_a_row_says_only_what_is_not_the_default() -> None:
    assert case_row(Case(id="a", input={"q": "x"})) == {"id": "a", "input": {"q": "x"}}
    with pytest.raises(EvalSetError, match="a: the case is larger than 1 MiB"):
        jsonl_text([("a", {"input": {"q": "x" * (1 << 20)}})])


# The keys that promptfoo's published config-schema.json allows; it refuses any other.
CONFIG = {"description", "prompts", "defaultTest", "tests"}
TEST = {"description", "vars", "assert", "options", "metadata"}
ASSERTION = {"type", "value", "config", "threshold", "weight", "metric"}
SET = {"type", "assert", "weight", "metric", "threshold", "config"}


@settings(max_examples=40, deadline=None)
@given(case_lists())
def test_a_configuration_has_only_keys_that_promptfoo_knows(cases: list[Case]) -> None:
    from promptyard.evalset.foreign.promptfoo.grammar import TYPES

    source = ExportSource(name="set", cases=tuple(cases), checks=(CheckSpec(type="equals"),))
    config: Json = parse_yaml(Path("x"), EXPORTERS["promptfoo"](source).text).data
    assert set(config) <= CONFIG
    assert all(isinstance(prompt, str) for prompt in config["prompts"])
    for test in config["tests"]:
        assert set(test) <= TEST
        assert isinstance(test["vars"], dict)
        assert isinstance(test.get("metadata", {}), dict)
        for item in test.get("assert", []):
            if item["type"] == "assert-set":
                assert set(item) <= SET
            else:
                assert set(item) <= ASSERTION
                assert item["type"].removeprefix("not-") in TYPES
            assert isinstance(item["config"], dict)
            assert isinstance(item.get("weight", 1), int | float)
            assert isinstance(item.get("metric", ""), str)


def test_the_reader_of_csv_has_no_more_columns_than_the_export() -> None:
    text = csv_text([Case(id="a", input={"q": "="}, critical=True, rubric="r", source="s")])
    assert text.splitlines()[0] == "id,input.q,case.critical,case.rubric,case.source,case.escaped"
    assert CsvRows().name == "csv"
