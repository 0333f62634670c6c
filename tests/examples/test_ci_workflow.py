"""The workflow that users copy: its commands exist, and run as written against a task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from support.tiny_task import PROMPT, write_tiny_task

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "examples" / "ci" / "prompt-gate.yml"


def commands() -> list[str]:
    loaded: Any = YAML(typ="safe", pure=True).load(WORKFLOW)  # pyright: ignore[reportUnknownMemberType]
    steps = [step["run"] for step in loaded["jobs"]["gate"]["steps"] if "run" in step]
    lines = [line for run in steps for line in str(run).splitlines()]
    return [line for line in lines if line.startswith(("promptyard", "git show"))]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose main branch has a prompt, and whose work tree has a better one."""
    folder = tmp_path / "checkout"
    rows = [
        {
            "id": f"c{number}",
            "input": {"text": f"a top up please ({number})"},
            "expected": "top_up",
            "split": "train" if number < 2 else "dev" if number < 4 else "holdout",
        }
        for number in range(80)
    ]
    worse = PROMPT.replace("- top_up\n", "")
    task = write_tiny_task(folder / "tasks" / "support", rows, prompt_md=worse)
    for arguments in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    (task / "prompt.md").write_text(PROMPT, encoding="utf-8")
    return folder


def test_the_steps_gate_a_pull_request_as_they_are_written(checkout: Path) -> None:
    bin_folder = checkout / "bin"
    bin_folder.mkdir()
    script = bin_folder / "promptyard"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m promptyard "$@"\n')
    script.chmod(0o755)
    environment = os.environ | {
        "TASK": "tasks/support",
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    found = commands()
    assert len(found) == 5
    for line in found:
        written = line.replace("${{ github.base_ref }}", "main")
        done = subprocess.run(
            ["sh", "-c", written],
            cwd=checkout,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if "--self-test" in line:
            assert done.returncode in (0, 3), done.stderr
        else:
            assert done.returncode == 0, (line, done.stdout, done.stderr)
    verdict = json.loads((checkout / "verdict.json").read_text())
    assert (verdict["status"], verdict["candidate"], verdict["baseline"]) == ("pass", "v2", "v1")
