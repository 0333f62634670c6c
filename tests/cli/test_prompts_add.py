"""`promptyard prompts add`: what it says of a version that is new, and of one that is not."""

from __future__ import annotations

from pathlib import Path

from support.shell import Run
from support.tiny_task import PROMPT, write_tiny_task


def test_a_new_version_and_one_that_was_there_are_told_apart(run: Run, tmp_path: Path) -> None:
    task = write_tiny_task(tmp_path / "task")
    (tmp_path / "brief.md").write_text(PROMPT.replace("Sort", "Briefly sort"))
    add = ("prompts", "add", task, "--store", str(tmp_path / "store.db"))
    first, second, again = run(*add), run(*add, "--prompt", tmp_path / "brief.md"), run(*add)
    assert first.out.startswith("registered tiny v1 (")
    assert second.out.rstrip().endswith(", made from v1")
    assert again.out.startswith("tiny v1 (")
    assert again.out.rstrip().endswith("has these bytes already; nothing was registered")
    assert [result.code for result in (first, second, again)] == [0, 0, 0]
