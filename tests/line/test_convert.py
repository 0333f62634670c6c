"""Importing and exporting as the line does it: planned first, then written, never over a file."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from promptyard.errors import ConfigError, EvalSetError
from promptyard.evalset.case_row import case_from_row
from promptyard.line.convert import (
    ImportPlan,
    export_task,
    import_summary,
    plan_import,
    write_export,
    write_import,
)
from promptyard.line.task import Task, load_task
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.records.base import Json
from promptyard.records.cases import CheckSpec
from promptyard.records.messages import Completion

CONFIG = """\
prompts: ['Translate: {{text}}']
defaultTest: {assert: [{type: icontains, value: bon}]}
tests:
- {vars: {text: a}, assert: [{type: equals, value: Bonjour}]}
- {vars: {text: b}, assert: [{type: equals, value: Bonsoir}, {type: similar, value: x}]}
- {vars: {text: c}}
"""


def config(folder: Path, text: str = CONFIG) -> Path:
    path = folder / "promptfooconfig.yaml"
    path.write_text(text)
    return path


def table(folder: Path, text: str = "question,answer\n1+1?,2\n2+2?,4\n3+3?,6\n") -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_a_new_folder_becomes_a_task_that_loads(tmp_path: Path) -> None:
    plan = plan_import(config(tmp_path))
    assert (plan.formats, plan.guessed) == (("promptfoo",), True)
    written = write_import(plan, tmp_path / "task")
    assert [path.name for path in written] == ["cases.jsonl", "task.yaml", "prompt.md"]
    assert (tmp_path / "task/task.yaml").read_text() == (
        "# Imported from promptfooconfig.yaml (promptfoo).\n"
        "prompt: prompt.md\n"
        "cases: cases.jsonl\n"
        "checks:\n"
        "- type: icontains\n"
        "  value: bon\n"
        "  severity: soft\n"
        "splits:\n"
        "  train: 0.3\n"
        "  dev: 0.3\n"
        "  holdout: 0.4\n"
        "  seed: 7\n"
    )
    assert len(load_task(tmp_path / "task").eval_set.cases) == 3
    lines = (tmp_path / "task/cases.jsonl").read_text().splitlines()
    assert [json.loads(line)["input"]["text"] for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("value", "output", "passes"),
    [
        ("5", "5", True),
        ("5", "5.0", False),
        ("5", " 5", False),
        (5, "5", True),
        (5.0, "5.0", False),  # a number is written as JavaScript writes it
        (True, "true", True),
        ('{"a": 1}', '{"a":1}', False),
        ({"a": 1}, '{"a": 1.0}', True),
        ({"a": 1}, "no JSON", False),
    ],
)
def test_equals_of_promptfoo_compares_texts_to_the_letter_and_objects_as_json(
    tmp_path: Path, value: Json, output: str, passes: bool
) -> None:
    test = {"vars": {"n": "2+3"}, "assert": [{"type": "equals", "value": value}]}
    path = tmp_path / "promptfooconfig.json"
    path.write_text(json.dumps({"prompts": ["{{n}}"], "tests": [test]}))
    (item,) = plan_import(path).imported.rows_with_all_checks()
    case = case_from_row(item.row, item.at)
    (metric,) = build_metrics(case.checks, MetricContext())
    (score,) = asyncio.run(metric.score(case, Completion(text=output)))
    assert (score.value == 1.0) == passes


def test_the_models_of_a_configuration_stand_as_comments_in_the_new_task(tmp_path: Path) -> None:
    providers = "providers: [openai:chat:gpt-5-mini, {id: 'anthropic:claude-x'}, 'python:own.py']\n"
    plan = plan_import(config(tmp_path, providers + CONFIG))
    assert plan.imported.models == ("openai/gpt-5-mini", "anthropic/claude-x")
    assert any("openai/gpt-5-mini, anthropic/claude-x" in note for note in plan.imported.notes)
    write_import(plan, tmp_path / "task")
    lines = (tmp_path / "task/task.yaml").read_text().splitlines()
    assert lines[-2:] == [
        '# models: {task: "openai/gpt-5-mini"}',
        '# models: {task: "anthropic/claude-x"}',
    ]


@pytest.mark.parametrize("n_cases", [1, 2, 3, 6, 9, 40])
def test_a_few_imported_cases_never_leave_dev_empty_by_chance(n_cases: int, tmp_path: Path) -> None:
    for start in range(5):
        file = tmp_path / f"{start}.jsonl"
        rows = [{"question": f"{start} {n}", "answer": f"{n}"} for n in range(n_cases)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        folder = tmp_path / f"task{start}"
        write_import(plan_import(file), folder)
        task_yaml = folder / "task.yaml"
        text = task_yaml.read_text(encoding="utf-8")
        task_yaml.write_text(text.replace("  # - ", "  - "), encoding="utf-8")
        sizes = load_task(folder).eval_set.n_by_split
        empty = [name for name, n in sizes.items() if not n]
        assert empty == ([] if n_cases > 2 else ["train", "holdout"])


def test_a_task_whose_cases_fill_the_splits_names_none(tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("question,answer\n" + "".join(f"q{n},a{n}\n" for n in range(100)))
    write_import(plan_import(file), tmp_path / "task")
    assert "splits" not in (tmp_path / "task/task.yaml").read_text()


def test_only_fields_that_the_file_has_are_listed(tmp_path: Path) -> None:
    assert plan_import(config(tmp_path)).imported.mapping == {
        "vars": "input",
        "assert": "checks",
        "prompts": "prompt files",
    }
    path = tmp_path / "goldens.json"
    path.write_text(json.dumps([{"input": "a", "expectedOutput": "b", "actual_output": None}]))
    found = plan_import(path, format_name="deepeval").imported
    assert found.mapping == {"input": "input.input", "expected_output": "expected"}
    records = [{"inputs": {"q": "a"}, "expectations": {"expected_output": "b", "guidelines": None}}]
    path.write_text(json.dumps(records))
    found = plan_import(path, format_name="mlflow").imported
    assert found.mapping == {"inputs": "input", "expectations.expected_output": "expected"}
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({"input": "a", "ideal": "b"}) + "\n")
    found = plan_import(path, format_name="openai_evals").imported
    assert found.mapping == {"input": "input", "ideal": "expected"}
    path = tmp_path / "set.yaml"
    path.write_text("cases: [{inputs: a, expected_output: b}]\nevaluators: [EqualsExpected]\n")
    found = plan_import(path, format_name="pydantic_evals").imported
    assert found.mapping == {
        "inputs": "input",
        "expected_output": "expected",
        "evaluators": "checks",
    }


def test_a_file_of_cases_has_the_shared_checks_in_each(tmp_path: Path) -> None:
    (path,) = write_import(plan_import(config(tmp_path)), tmp_path / "cases.jsonl")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [[check["type"] for check in row["checks"]] for row in rows] == [
        ["icontains", "equals"],
        ["icontains", "equals", "skip"],
        ["icontains"],
    ]


def test_the_folder_of_a_task_gets_cases_only_and_nothing_is_overwritten(tmp_path: Path) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "task.yaml").write_text("mine")
    plan = plan_import(config(tmp_path))
    assert write_import(plan, task) == (task / "cases.jsonl",)
    with pytest.raises(EvalSetError, match=r"cases.jsonl: is there already; --force overwrites it"):
        write_import(plan, task)
    assert write_import(plan, task, force=True) == (task / "cases.jsonl",)
    assert (task / "task.yaml").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "prompt.md").write_text("mine")
    with pytest.raises(EvalSetError, match=r"prompt.md: is there already; write to another place"):
        write_import(plan, other, force=True)
    assert [path.name for path in other.iterdir()] == ["prompt.md"]


def test_a_table_is_guessed_and_shows_its_variables_in_a_first_prompt(tmp_path: Path) -> None:
    path = table(tmp_path, "question,context,answer\n1+1?,maths,2\n")
    plan = plan_import(path)
    assert plan.guessed
    assert plan.imported.mapping == {
        "question": "input.question",
        "context": "input.context",
        "answer": "expected",
    }
    write_import(plan, tmp_path / "task")
    prompt = (tmp_path / "task/prompt.md").read_text()
    assert prompt == "user:\nquestion: {{question}}\ncontext: {{context}}\n"
    mapped = plan_import(path, mapping={"context": "-"})
    assert (mapped.guessed, mapped.formats) == (False, ("table",))


def test_a_format_that_was_named_is_no_guess(tmp_path: Path) -> None:
    plan = plan_import(config(tmp_path), format_name="Promptfoo")
    assert not plan.guessed
    assert import_summary(plan)["format"] == "Promptfoo"


def test_the_summary_counts_what_cannot_be_run(tmp_path: Path) -> None:
    summary = import_summary(plan_import(config(tmp_path)))
    assert summary["n_cases"] == 3
    assert summary["checks"] == {"icontains": 3, "equals": 2, "skip": 1}
    assert summary["n_skipped"] == 1
    assert summary["skipped"] == {"unsupported: promptfoo similar": 1}
    assert len(summary["sample"]) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("none.yaml", {}, "none.yaml: there is no such file"),
        ("", {}, ": this is a folder; name the file"),
        ("notes.txt", {}, "the format is not recognised; say which it is with --from (promptfoo"),
        ("notes.txt", {"format_name": "promptfo"}, "importers: unknown name 'promptfo'; did you"),
        ("notes.txt", {"format_name": "table"}, "no reader for '.txt' files"),
        ("x.yaml", {"format_name": "promptfoo", "mapping": {"a": "id"}}, "--map is for tables"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line(
    name: str, arguments: dict[str, str], reason: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "x.yaml").write_text("tests: []")
    with pytest.raises((EvalSetError, ConfigError)) as caught:
        plan_import(tmp_path / name, **arguments)  # pyright: ignore[reportArgumentType] (of several types)
    assert reason in str(caught.value)


PLUGIN = """\
from promptyard.records.imported import ImportedRow, ImportedSet


class Own:
    name = "own"

    def recognises(self, path, head):
        return False

    def read(self, path):
        row = ImportedRow(at=str(path), row={"input": {"q": path.read_text()}})
        return ImportedSet(format=self.name, rows=(row,))
"""


def test_an_importer_of_a_plugin_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_format.py").write_text(PLUGIN)
    info = tmp_path / "own_format-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-format\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[promptyard.importers]\nown = own_format:Own\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = tmp_path / "x.own"
    path.write_text("hello")
    plan = plan_import(path, format_name="own")
    assert plan.imported.rows[0].row["input"] == {"q": "hello"}


def small_task(folder: Path) -> Task:
    rows = [
        {"id": f"{split}-{n}", "input": {"q": f"q{n}"}, "expected": "x", "split": split}
        for split in ("train", "dev", "holdout")
        for n in range(2)
    ]
    return Task(
        name="small", prompt="user:\n{{q}}\n", cases=rows, metrics=["exact_match"], folder=folder
    )


def test_a_task_is_exported_and_imported_again(tmp_path: Path) -> None:
    task = small_task(tmp_path)
    exported = export_task(task, "promptfoo")
    write_export(exported, tmp_path / "promptfooconfig.yaml")
    write_import(plan_import(tmp_path / "promptfooconfig.yaml"), tmp_path / "back")
    back = load_task(tmp_path / "back")
    assert back.eval_set.version == task.eval_set.version
    assert back.metrics == (CheckSpec(type="exact_match"),)
    assert back.program == task.program
    with pytest.raises(EvalSetError, match="is there already; --force overwrites it"):
        write_export(exported, tmp_path / "promptfooconfig.yaml")


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_exported_cases_are_the_same_eval_set(name: str, tmp_path: Path) -> None:
    task = small_task(tmp_path)
    file = tmp_path / f"cases.{name}"
    write_export(export_task(task, name), file)
    (tmp_path / "task.yaml").write_text(
        f"prompt: prompt.md\ncases: {file.name}\nchecks: [equals]\n"
    )
    (tmp_path / "prompt.md").write_text("user:\n{{q}}\n")
    assert load_task(tmp_path).eval_set.version == task.eval_set.version


def test_metrics_that_are_code_are_left_out_and_said(tmp_path: Path) -> None:
    def own(case: object, output: str) -> float:
        del case
        return float(bool(output))

    task = Task(
        name="t",
        prompt="user:\n{{q}}\n",
        cases=small_task(tmp_path).eval_set,
        metrics=["equals", own],
    )
    assert "1 metrics are code and were left out" in export_task(task, "promptfoo").notes
    with pytest.raises(ConfigError, match="exporters: unknown name 'xml'"):
        export_task(task, "xml")


def test_a_file_that_cannot_be_written_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    plan = plan_import(table(tmp_path))
    assert isinstance(plan, ImportPlan)
    with pytest.raises(EvalSetError, match="cannot be written"):
        write_import(plan, tmp_path / "file" / "cases.jsonl")


JUDGED = """\
prompts: ['Translate: {{text}}']
tests:
- {vars: {text: a}, assert: [{type: equals, value: Bonjour}]}
- {vars: {text: b}, assert: [{type: assert-set, assert: [{type: not-llm-rubric, value: rude}]}]}
"""


def test_checks_that_ask_a_judge_are_named_where_none_is_set(tmp_path: Path) -> None:
    plan = plan_import(config(tmp_path, JUDGED))
    for target in (None, tmp_path / "task", tmp_path / "cases.jsonl"):
        note = import_summary(plan, target=target)["notes"][-1]
        assert "check 'not:llm_rubric' asks a judge, and no judge model is set" in note
        assert "models: {judge: provider/model}" in note
    plain = import_summary(plan_import(config(tmp_path)))
    assert not any("judge" in note for note in plain["notes"])


def test_a_judge_that_the_target_or_the_project_names_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_import(config(tmp_path, JUDGED))
    target = tmp_path / "task"
    write_import(plan, target)
    assert any("asks a judge" in note for note in import_summary(plan, target=target)["notes"])
    with (target / "task.yaml").open("a") as file:
        file.write("models: {judge: openai/m}\n")
    for place in (target, target / "more.jsonl"):
        assert not any("judge" in note for note in import_summary(plan, target=place)["notes"])
    monkeypatch.setenv("PROMPTYARD_JUDGE_MODEL", "openai/m")
    assert not any("judge" in note for note in import_summary(plan)["notes"])
