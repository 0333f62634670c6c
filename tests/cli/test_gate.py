"""`promptyard gate`: one verdict as table or JSON, and the exit code that a CI system reads."""

from __future__ import annotations

import json
from pathlib import Path

from support.shell import Run
from support.tiny_task import write_tiny_task


def test_the_self_test_draws_what_each_gate_blocked(run: Run, tmp_path: Path) -> None:
    folder = write_tiny_task(tmp_path / "task")
    found = run("gate", folder, "--self-test")
    assert found.code == 3  # a tiny holdout lets nothing pass
    assert "a critical case breaks" in found.out
    assert "LET PASS" not in found.out
    assert found.out.count("cannot decide, so the baseline stays") == 1
    assert "holdout blocked: fail" in " ".join(found.out.split())
    assert "more cases, or wider margins, are needed" in " ".join(found.out.split())


def test_the_self_test_as_json_has_a_status_and_every_regression(run: Run, tmp_path: Path) -> None:
    folder = write_tiny_task(tmp_path / "task")
    found = run("gate", folder, "--self-test", "--json")
    assert found.code == 3
    data = json.loads(found.out)
    assert data["status"] == "inconclusive"
    assert all(item["is_blocked"] for item in data["planted"])


def test_without_a_registered_version_it_says_so_in_one_line(run: Run, tmp_path: Path) -> None:
    folder = write_tiny_task(tmp_path / "task")
    found = run("gate", folder, "--store", tmp_path / "runs.db")
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert "no prompt 'tiny' is registered" in found.err


def test_it_says_where_the_verdict_was_written(run: Run, tmp_path: Path) -> None:
    folder, store = write_tiny_task(tmp_path / "task"), tmp_path / "runs.db"
    reworded = tmp_path / "reworded.md"
    reworded.write_text((folder / "prompt.md").read_text().replace("Sort", "Please sort"))
    run("prompts", "add", folder, "--store", store)
    run("prompts", "add", folder, "--prompt", reworded, "--store", store)
    target = tmp_path / "new" / "verdict.json"
    found = run("gate", folder, "--store", store, "--output", target)
    assert json.loads(target.read_text())["candidate"] == "v2"
    assert found.out.endswith(f"Verdict as JSON: {target}\n")
    refused = run("gate", folder, "--store", store, "--output", reworded / "verdict.json")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "name another file with --output" in refused.err
