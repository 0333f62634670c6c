"""`promptyard traces triage`: answers from a pipe become cases."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from support.live_task import LiveTask, live_outcome
from support.shell import Run
from support.tiny_task import PROMPT


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


def test_a_right_answer_that_is_no_label_is_refused_and_asked_for_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a slip becomes a label, which a search then writes into the prompt."""
    contract = "---\noutput: {format: label, labels: [lost_card, top_up, age_limit]}\n---\n"
    outcomes = [live_outcome(1, "where is my card"), live_outcome(2, "put money in (0)")]
    live = LiveTask(tmp_path, [*outcomes])
    (live.task / "prompt.md").write_text(contract + PROMPT)
    monkeypatch.setattr(sys, "stdin", io.StringIO("g lost card\ng lost_card\n"))
    found = run("traces", "triage", live.task, "--store", live.store)
    assert found.code == 0, found.err
    said = " ".join(found.out.split())
    assert "'lost card' is none of the labels; did you mean 'lost_card'?; still to be" in said
    assert "1 more failing inputs are cases of the eval set already" in said
    rows = [json.loads(line) for line in (live.task / "cases.jsonl").read_text().splitlines()]
    assert [row["expected"] for row in rows if row["id"].startswith("live-")] == ["lost_card"]
