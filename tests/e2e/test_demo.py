"""The demo on real data: what it promises, measured on its own output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from promptyard.line.demo import demo_folder
from promptyard.line.task import load_task
from promptyard.providers.lexical_index import LexicalIndex


def reference_accuracy() -> float:
    """Nearest label name by character n-gram tf-idf, on the demo's holdout."""
    with demo_folder() as folder:
        task = load_task(folder)
    labels = task.program.prompt.output.labels
    assert len(labels) == 77
    index = LexicalIndex(labels)
    cases = task.eval_set.split("holdout")
    n_right = 0
    for case in cases:
        scores = index.similarities(case.input["text"])
        n_right += labels[max(range(len(labels)), key=lambda i: scores[i])] == case.expected
    return n_right / len(cases)


def test_the_demo_gates_and_registers_a_better_prompt(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    done = subprocess.run(
        [sys.executable, "-m", "promptyard", "demo", "--keep", str(kept), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
    )
    result = json.loads(done.stdout)
    assert result["task_model"].startswith("embedded/lexical")
    assert result["n_holdout"] >= 400
    assert result["baseline_score"] >= reference_accuracy() - 0.03
    assert result["score_diff"] >= 0.05  # which sentences are found differs much between seeds
    assert result["ci_low"] > 0
    assert result["verdict"] == "pass"
    assert result["search_task_calls"] <= 0.4 * result["naive_calls"]
    assert result["optimizer_calls"] <= 40
    assert result["version"] == 2
    page = Path(result["report_path"]).read_text("utf-8")
    assert f"{100 * result['winner_score']:.1f}" in page

    def cli(*arguments: str) -> str:
        command = [sys.executable, "-m", "promptyard", *arguments]
        store = ["--store", str(kept / "store.db")]
        return subprocess.run([*command, *store], capture_output=True, text=True, check=True).stdout

    winner = cli("prompts", "show", "banking77", "2")
    baseline = cli("prompts", "show", "banking77", "1")
    assert baseline == (kept / "task" / "prompt.md").read_text("utf-8")
    assert "demos:\n" in winner
    cli("prompts", "promote", "banking77", "1")
    cli("prompts", "promote", "banking77", "2")
    cli("prompts", "rollback", "banking77")
    assert cli("prompts", "show", "banking77", "production") == baseline
