"""What `promptyard optimize` tells a user to do next."""

from __future__ import annotations

import asyncio
from pathlib import Path

import promptyard as py
from promptyard.cli.optimize import next_steps
from promptyard.line.registering import register_prompt
from support.rule_task import rule_task


def test_the_winner_is_shown_beside_the_version_that_it_was_made_from(tmp_path: Path) -> None:
    """Which is not always the first: somebody may have registered another prompt before."""
    url, task, old = str(tmp_path / "store.db"), rule_task(), tmp_path / "old.md"
    old.write_text(f"{task.program.prompt.text}\nBe brief.\n", "utf-8")
    asyncio.run(register_prompt(url, task, prompt=old, author="ann"))
    run = py.optimize(task, store=url)
    assert run.version == 3
    steps = next_steps(run, url)
    assert f"promptyard prompts promote {task.name} 3 --store {url}" in steps
    assert f"promptyard prompts diff {task.name} 2 3 --store {url}" in steps
