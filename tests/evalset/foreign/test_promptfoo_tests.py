from __future__ import annotations

from pathlib import Path

import pytest

from promptyard.evalset.foreign import recognised_formats
from promptyard.evalset.foreign.promptfoo.importer import Promptfoo
from promptyard.records.base import Json

from .promptfoo_files import imported, refusal, rows

A: Json = {"type": "contains", "value": "a"}
B: Json = {"type": "contains", "value": "b"}


def values(checks: list[Json]) -> list[Json]:
    return [check["value"] for check in checks]


def test_defaults_come_first_and_can_be_refused(tmp_path: Path) -> None:
    config = {
        "defaultTest": {
            "vars": {"lang": "fr", "tone": "dry"},
            "assert": [A],
            "metadata": {"team": "x", "size": "s"},
        },
        "tests": [
            {"vars": {"q": "1", "tone": "warm"}, "assert": [B], "metadata": {"size": "l"}},
            {"vars": {"q": "2"}, "assert": [B], "options": {"disableDefaultAsserts": True}},
            {"vars": {"q": "3"}},
        ],
    }
    first, second, third = rows(tmp_path, config)
    assert first["input"] == {"lang": "fr", "tone": "warm", "q": "1"}
    assert first["tags"] == ["team:x", "size:l"]
    assert values(first["checks"]) == ["a", "b"]
    assert values(second["checks"]) == ["b"]
    assert values(third["checks"]) == ["a"]


def test_checks_that_all_cases_begin_with_are_shared(tmp_path: Path) -> None:
    config = {
        "defaultTest": {"assert": [A, {"type": "equals", "value": "{{want}}"}]},
        "tests": [{"vars": {"want": "x"}}, {"vars": {"want": "y"}, "assert": [B]}],
    }
    found = imported(tmp_path, config)
    assert [check["type"] for check in found.checks] == ["contains", "equals"]
    assert [item.row["expected"] for item in found.rows] == ["x", "y"]
    assert "checks" not in found.rows[0].row
    assert values(found.rows[1].row["checks"]) == ["b"]
    assert found.check_counts() == {"contains": 3, "equals": 2}


def test_defaults_and_tests_may_stand_in_files(tmp_path: Path) -> None:
    config = {
        "defaultTest": "file://default.yaml",
        "tests": ["file://more.json", "lines.jsonl", {"path": "file://table.csv"}, "part*.yaml"],
    }
    found = rows(
        tmp_path,
        config,
        default_yaml="assert: [{type: contains, value: a}]",
        more_json='[{"vars": {"q": "json"}}]',
        lines_jsonl='{"vars": {"q": "l1"}}\n\n{"vars": {"q": "l2"}}\n',
        table_csv="q,__expected\ncsv,contains: b\n",
        part1_yaml="- vars: {q: p1}",
        part2_yaml="vars: {q: p2}",
    )
    assert [row["input"]["q"] for row in found] == ["json", "l1", "l2", "csv", "p1", "p2"]
    assert all(row["checks"][0]["value"] == "a" for row in found)
    assert [row["source"] for row in found] == [
        "more.json: [0]",
        "lines.jsonl:1",
        "lines.jsonl:3",
        "table.csv:2",
        "part1.yaml:1: [0]",
        "part2.yaml:1",
    ]


def test_arrays_of_texts_multiply_and_form_a_cluster(tmp_path: Path) -> None:
    test = {"vars": {"text": ["a", "b"], "lang": ["x", "y"], "rows": [1, 2]}, "assert": [A]}
    found = rows(tmp_path, {"tests": [test, {"vars": {"text": "c"}}]})
    assert [(row["input"].get("text"), row["input"].get("lang")) for row in found] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
        ("c", None),
    ]
    assert {str(row.get("cluster")) for row in found} == {"tests[0]", "None"}
    assert found[0]["input"]["rows"] == [1, 2]
    frozen = {**test, "options": {"disableVarExpansion": True}}
    assert len(rows(tmp_path, {"tests": [frozen]})) == 1


def test_scenarios_are_the_product_of_data_and_tests(tmp_path: Path) -> None:
    config = {
        "defaultTest": {"assert": [A], "threshold": 0.5},
        "scenarios": [
            {
                "config": [{"vars": {"lang": "fr"}, "assert": [B]}, {"$values": "file://d.yaml"}],
                "tests": [{"vars": {"q": "1"}, "threshold": 0.9}, {"vars": {"q": "2"}}],
            },
            "file://s.yaml",
        ],
    }
    found = rows(
        tmp_path,
        config,
        d_yaml="- vars: {lang: de}",
        s_yaml="config: [{vars: {lang: it}}]\ntests: [{vars: {q: '3'}}]",
    )
    assert [(row["input"]["lang"], row["input"]["q"]) for row in found] == [
        ("fr", "1"),
        ("fr", "2"),
        ("de", "1"),
        ("de", "2"),
        ("it", "3"),
    ]
    weighted = [row["checks"][0] for row in found]
    assert [check["threshold"] for check in weighted] == [0.9, 0.5, 0.9, 0.5, 0.5]
    assert [len(check["checks"]) for check in weighted] == [2, 2, 1, 1, 1]


def test_variables_may_stand_in_files_and_name_each_other(tmp_path: Path) -> None:
    config = {
        "tests": [
            {"vars": {"doc": "file://doc.txt", "data": "file://d.json", "ask": "On {{doc}}?"}},
            {"vars": "file://vars.yaml"},
            {"vars": {"doc": "file://parts/*.md"}},
        ]
    }
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/a.md").write_text("one\n")
    (tmp_path / "parts/b.md").write_text("two")
    found = rows(
        tmp_path, config, doc_txt="the text\n", d_json='{"a": [1]}', vars_yaml="{k: v, n: 2}"
    )
    assert [row["input"] for row in found] == [
        {"doc": "the text", "data": {"a": [1]}, "ask": "On the text?"},
        {"k": "v", "n": 2},
        {"doc": "one"},
        {"doc": "two"},
    ]


def test_references_within_a_configuration_are_followed(tmp_path: Path) -> None:
    config: Json = {
        "assertionTemplates": {"short": {"type": "word-count", "value": {"max": 5}}},
        "tests": [{"vars": {"q": "1"}, "assert": [{"$ref": "#/assertionTemplates/short"}]}],
    }
    (row,) = rows(tmp_path, config)
    assert row["checks"][0]["max"] == 5
    config["tests"][0]["assert"] = [{"$ref": "#/nowhere"}]
    assert "nothing stands there" in refusal(tmp_path, config)
    circle: Json = {"a": {"$ref": "#/a"}, "tests": [{"vars": {"$ref": "#/a"}}]}
    assert "lead in a circle" in refusal(tmp_path, circle)


def test_all_files_that_are_not_read_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF")
    config = {
        "tests": [
            "file://make.py:tests",
            "https://docs.google.com/spreadsheets/d/1",
            {"vars": {"a": "file://x.pdf", "b": "file://../secret.txt", "c": "file:///etc/passwd"}},
            {"vars": {"a": "file://none.txt"}},
        ]
    }
    assert refusal(tmp_path, config) == (
        "promptfooconfig.yaml: cannot be read from files: "
        "tests[0]: file://make.py:tests (Python is not run); "
        "tests[1]: https://docs.google.com/spreadsheets/d/1 (nothing is fetched); "
        "tests[2].vars.a: file://x.pdf ('.pdf' files are not read); "
        "tests[2].vars.b: file://../secret.txt (it lies outside of the folder of the "
        "configuration); "
        "tests[2].vars.c: file:///etc/passwd (it lies outside of the folder of the "
        "configuration); and 1 more; put text, JSON, CSV or YAML in the folder of the "
        "configuration in their place"
    )


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("key")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    said = refusal(folder, {"tests": [{"vars": {"a": "file://link.txt"}}]})
    assert "file://link.txt (it lies outside of the folder of the configuration)" in said


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("tests: []\nprompts: [x]\n", "no tests; promptfoo tests stand under `tests`"),
        ("prompts: [x]\nproviders: [y]\n", "no tests; promptfoo tests stand under `tests`"),
        ("just text", "expected a configuration, or a list of tests"),
        ("tests: 5", "tests: expected a test, got 5"),
        ("tests:\n- vars: {a: b}\n- 7\n", "promptfooconfig.yaml:3: tests[1]: expected a test"),
        ("tests:\n- vars: 5\n", "tests[0]: vars: expected keys and values, got 5"),
        ("tests:\n- assert: contains\n", "tests[0]: assert: expected a list, got 'contains'"),
        ("tests:\n  - a: b\n c: d\n", "not YAML"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(
    config: str, reason: str, tmp_path: Path
) -> None:
    assert reason in refusal(tmp_path, config)


def test_products_beyond_measure_are_refused_before_they_are_made(tmp_path: Path) -> None:
    axis = [f"v{n}" for n in range(100)]
    test = {"vars": {f"k{n}": axis for n in range(6)}}
    assert "give more than 100,000 cases" in refusal(tmp_path, {"tests": [test]})


def test_the_same_variables_twice_are_two_cases(tmp_path: Path) -> None:
    test = {"vars": {"q": "1"}, "assert": [A]}
    found = imported(tmp_path, {"tests": [test, {**test, "assert": [B]}]})
    first, second = (item.row for item in found.rows)
    assert "id" not in first
    assert second["id"].endswith("-2")
    assert any("its id got a number" in note for note in found.notes)


def test_text_around_the_prompt_becomes_variables(tmp_path: Path) -> None:
    config = {
        "prompts": ["Ask: {{q}}", '[{"role": "user", "content": "{{q}}"}]'],
        "tests": [{"vars": {"q": "1"}, "options": {"prefix": "Be brief. "}}, {"vars": {"q": "2"}}],
    }
    found = imported(tmp_path, config)
    assert [item.row["input"] for item in found.rows] == [
        {"q": "1", "prompt_prefix": "Be brief. "},
        {"q": "2", "prompt_prefix": ""},
    ]
    assert found.prompts == ("user:\n{{prompt_prefix}}Ask: {{q}}\n",)
    assert any("it is a chat" in note for note in found.notes)


def test_a_table_by_itself_is_an_eval_set(tmp_path: Path) -> None:
    path = tmp_path / "tests.csv"
    path.write_text(
        "question,__expected1,__expected2,__description,__threshold,__metric,__prefix,"
        "__metadata:topic,__metadata:tags[],__config:__expected2:threshold,__metadata\n"
        'Q1,contains: a,"similar: b",First,,m,Please ,math,"x,y\\,z",0.9,1\n'
        "Q2,4,,,0.5,,,,,,\n"
        "Q3,contian: 5,,,,,,,,,\n"
    )
    assert recognised_formats(path) == ["promptfoo"]
    found = Promptfoo().read(path)
    first, second, third = (item.row for item in found.rows)
    assert first["input"] == {"question": "Q1", "prompt_prefix": "Please "}
    assert first["tags"] == ["topic:math", "tags:x", "tags:y,z"]
    assert first["source"] == "First (tests.csv:2)"
    assert first["checks"] == [
        {"type": "contains", "value": "a", "id": "m", "severity": "soft"},
        {
            "type": "skip",
            "reason": "unsupported: promptfoo similar",
            "source": {"type": "similar", "value": "b", "threshold": 0.9, "metric": "m"},
        },
    ]
    assert second["checks"][0]["type"] == "weighted"
    assert second["checks"][0]["threshold"] == 0.5
    assert third["expected"] == "contian: 5"
    assert any("was 'contains:' meant?" in note for note in found.notes)
    assert any("the column '__metadata' is not known" in note for note in found.notes)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("q,__threshold\na,high\n", "tests.csv:2: __threshold: expected a number, got 'high'"),
        (
            "q,__expected,__config:__expected:weight\na,b,2\n",
            "tests.csv:2: __config:__expected:weight: only 'threshold' can be set so",
        ),
        ("q,__expected\na\n", "tests.csv:2: 1 cells, but the header has 2 columns"),
        ("q,q,__expected\na,b,c\n", "tests.csv:1: the column 'q' is there twice"),
    ],
)
def test_a_column_that_is_misused_is_refused_with_its_line(
    table: str, reason: str, tmp_path: Path
) -> None:
    assert refusal(tmp_path, {"tests": "file://tests.csv"}, tests_csv=table).startswith(reason)
