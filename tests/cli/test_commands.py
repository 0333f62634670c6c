"""The command line as a user meets it: results, files, exit codes, one line for each mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptyard.line.sync import evaluate
from promptyard.line.task import load_task
from support.shell import Run
from support.task_folder import cases, write_task
from support.tiny_task import PROMPT, TASK


def test_check_says_what_the_cases_can_show_and_spends_nothing(run: Run, tmp_path: Path) -> None:
    result = run("check", write_task(tmp_path / "t"))
    assert "holdout" in result.out
    assert "smallest gain seen" in result.out
    assert "task calls on train and dev" in result.out
    assert not (tmp_path / ".promptyard").exists()
    data = json.loads(run("check", tmp_path / "t", "--json").out)
    said = " ".join(result.out.split())
    assert len(data["findings"]) > 0
    for finding in data["findings"]:
        assert said.count(finding["message"]) == 1
    assert data["eval_set"]["n_cases"] == 27
    assert data["holdout_task_calls"] == 18


def test_eval_measures_a_split(run: Run, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    result = run("eval", folder, "--split", "dev", "--json")
    assert result.code == 0
    data = json.loads(result.out)
    assert data["n_cases"] == 9
    assert data["coverage"] == 1.0
    assert 0 <= data["score"] <= 1
    drawn = run("eval", folder)
    assert "dev: 9 of 27 cases (train 9, holdout 9), coverage 100.0 %" in drawn.out
    assert "wrong_value" in drawn.out


def test_eval_of_all_measures_every_case(run: Run, tmp_path: Path) -> None:
    drawn = run("eval", write_task(tmp_path / "t"), "--split", "all")
    assert drawn.code == 0
    assert "all: 27 of 27 cases (train 9, dev 9, holdout 9)" in drawn.out
    data = json.loads(run("eval", tmp_path / "t", "--split", "all", "--json").out)
    assert (data["split"], data["n_cases"]) == ("all", 27)


def test_a_worn_out_holdout_is_refused_in_one_line_unless_forced(run: Run, tmp_path: Path) -> None:
    folder, url = write_task(tmp_path / "t"), str(tmp_path / "s.db")
    for number in range(19):
        task = load_task(write_task(folder, prompt_md=PROMPT.replace("Sort", f"Sort {number}:")))
        evaluate(task, split="holdout", store=url)
    write_task(folder)
    for command in (("eval", folder, "--split", "holdout"), ("optimize", folder)):
        refused = run(*command, "--store", url)
        assert refused.code == 2
        assert refused.err.count("\n") == 1
        assert "looked at 19 times and is worn out" in refused.err
        assert "--force" in refused.err
    assert run("eval", folder, "--split", "holdout", "--store", url, "--force").code == 0
    forced = run("optimize", folder, "--store", url, "--force", "--json")
    assert forced.code == 0
    assert json.loads(forced.out)["holdout_looks"] in {0, 21}


def test_optimize_registers_a_version_and_prompts_shows_diffs_and_moves_it(
    run: Run, tmp_path: Path
) -> None:
    folder = write_task(tmp_path / "t")
    result = run("optimize", folder, "--json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert data["verdict"] in ("pass", "inconclusive")
    assert Path(data["report_path"]).read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / ".promptyard" / "store.db").is_file()

    listed = json.loads(run("runs", "list", "--json").out)
    assert [row["id"] for row in listed] == [data["run_id"]]
    assert "Verdict" in run("runs", "show", data["run_id"]).out
    shown = json.loads(run("runs", "show", "--json").out)
    assert shown["header"]["task"] == "tiny"

    log = json.loads(run("prompts", "log", "tiny", "--json").out)
    assert log["versions"][0]["status"] == "seed"
    assert run("prompts", "show", "tiny", "1").out == PROMPT
    assert run("prompts", "log").out.strip() == "tiny"
    moved = run("prompts", "promote", "tiny", "1", "-m", "first")
    assert "production moved from nothing to v1" in moved.out
    assert run("prompts", "show", "tiny", "production").out == PROMPT
    refused = run("prompts", "rollback", "tiny")
    assert refused.code == 2
    assert "no earlier version" in refused.err
    assert "equal" in run("prompts", "diff", "tiny", "1", "production").out


def test_gate_turns_the_verdict_into_an_exit_code(run: Run, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    data = json.loads(run("optimize", folder, "--json").out)
    assert (
        run("optimize", folder, "--gate", "--json").code
        == {
            "pass": 0,
            "fail": 1,
            "inconclusive": 3,
        }[data["verdict"]]
    )


def test_a_keyless_model_and_own_store_and_seed_can_be_given(run: Run, tmp_path: Path) -> None:
    folder = write_task(
        tmp_path / "t", task_yaml=TASK.replace("embedded/lexical", "openai/gpt-5-mini")
    )
    result = run("eval", folder, "--model", "embedded/lexical", "--store", "mine/s.db", "--json")
    assert result.code == 0
    assert (tmp_path / "mine" / "s.db").is_file()


def test_one_label_only_is_an_error_of_check(run: Run, tmp_path: Path) -> None:
    rows = [{**row, "expected": "top_up"} for row in cases()]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    result = run("check", write_task(tmp_path / "t", cases_jsonl=text))
    assert result.code == 2
    assert "label" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["eval", "nowhere"], ["nowhere"]),
        (["eval", "t", "--split", "test"], ["test", "holdout"]),
        (["eval", "t", "--store", "t/task.yaml/s.db"], ["task.yaml", "it is a file"]),
        (["eval", "t", "--store", "t/task.yaml"], ["task.yaml"]),
        (["optimize", "t", "--resume"], ["no unfinished run"]),
        (["optimize", "t", "--run", "nope"], ["nope"]),
        (["prompts", "show", "tiny"], ["store.db", "promptyard optimize"]),
        (["runs", "show", "x"], ["store.db"]),
        (["demo", "--keep", "t"], ["not empty"]),
    ],
)
def test_a_wrong_argument_is_one_line_too(
    arguments: list[str], words: list[str], run: Run, tmp_path: Path
) -> None:
    write_task(tmp_path / "t")
    before = (tmp_path / "t" / "task.yaml").read_text("utf-8")
    result = run(*arguments)
    assert result.code == 2
    assert result.err.count("\n") == 1, result.err
    for word in words:
        assert word in result.err
    assert (tmp_path / "t" / "task.yaml").read_text("utf-8") == before


def test_help_and_version_work_without_a_terminal() -> None:
    environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
    for arguments, word in ((["--help"], "optimize"), (["--version"], "promptyard 0")):
        done = subprocess.run(
            [sys.executable, "-m", "promptyard", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert word in done.stdout
        assert "\x1b" not in done.stdout


def test_eval_writes_junit_for_a_ci_system_and_a_page(run: Run, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    result = run("eval", folder, "--junit", tmp_path / "ci" / "junit.xml", "--json")
    data = json.loads(result.out)
    suite = (tmp_path / "ci" / "junit.xml").read_text(encoding="utf-8")
    assert suite.count("<testcase") == data["n_cases"]
    assert suite.count("<failure") == data["n_failing"]
    assert data["junit_path"] == str(tmp_path / "ci" / "junit.xml")
    drawn = run("eval", folder, "--junit", "again.xml")
    assert f"JUnit XML: {tmp_path / 'again.xml'}\n" in drawn.out
    assert Path(data["report_path"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_eval_compares_with_an_earlier_run_and_the_gate_decides_the_exit_code(
    run: Run, tmp_path: Path
) -> None:
    folder = write_task(tmp_path / "t")
    first = json.loads(run("eval", folder, "--json").out)
    again = run("eval", folder, "--compare", first["run_id"], "--gate", "--json")
    data = json.loads(again.out)
    assert (data["verdict"], again.code) == ("inconclusive", 3)
    assert data["compared_with"] == f"run {first['run_id']}"
    assert data["flips"] == []
    few = run("eval", folder, "--aa", "--gate")
    assert few.code == 3
    assert "too few to tell; it takes at least 12 cases" in " ".join(few.out.split())
    same = run("eval", folder, "--aa", "--gate", "--split", "all")
    assert same.code == 0
    assert "no difference between two runs of the same prompt" in same.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--compare", "last"), "has no finished eval"),
        (("--compare", "nosuch"), "there is no run or version 'nosuch'"),
        (("--repeat", "-1"), "repeat is -1; every case is run at least once"),
        (("--compare", "7"), "no version of 'tiny' is registered"),
        (("--gate",), "add --compare RUN|VERSION or --aa"),
        (("--aa", "--compare", "1"), "leave --compare out"),
        (("--filter-failing", "20200101-000000-abcdef"), "20200101-000000-abcdef"),
        (("--split", "test"), "there is no split 'test'"),
        (("--judge-model", "nobody"), "provider/model"),
        (("--junit", "/dev/null/x.xml"), "written: File exists; name another file with --junit"),
    ],
)
def test_a_mistake_in_eval_is_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("eval", write_task(tmp_path / "t"), *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
