"""`promptyard traces triage`: answers from a pipe become cases."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from support.live_task import LiveTask, live_outcome
from support.shell import Run


def test_the_command_takes_answers_from_a_pipe(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveTask(tmp_path, [live_outcome(n, f"where is my card {n}") for n in range(5)])
    monkeypatch.setattr(sys, "stdin", io.StringIO("g lost_card\nx\nn\ns\nc billing\ng top_up\nq\n"))
    found = run("traces", "triage", live.task, "--store", live.store, "--by", "ann", "--json")
    assert found.code == 0, found.err
    data = json.loads(found.out)
    assert data["n_answered"] == 3
    assert data["change"]["change"] == "added 2 cases from stdin"
    assert "c case" in found.err  # the help, at the unknown key as well
    rows = [json.loads(line) for line in (live.task / "cases.jsonl").read_text().splitlines()]
    added = [row for row in rows if row["id"].startswith("live-")]
    assert [row.get("expected") for row in added] == ["lost_card", "top_up"]
    assert added[1]["tags"] == ["live"]
    assert "cannot grade it without the right answer" in found.err  # exact_match needs a gold
