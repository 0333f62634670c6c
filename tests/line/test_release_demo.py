"""What the release of the demo is made of: its plan, its damaged prompt, its finished run."""

from __future__ import annotations

import asyncio
import difflib
from pathlib import Path

import pytest

from promptyard.errors import ConfigError
from promptyard.line import application
from promptyard.line.demo import demo_folder
from promptyard.line.registering import register_prompt
from promptyard.line.release_demo import Moment, damaged, demo_plan, finished_run, release_demo
from promptyard.line.task import load_task
from promptyard.records.prompts import Program, Prompt
from support.small_demo import write_small_demo


def test_the_plan_of_the_demo_is_that_of_its_task_with_an_hour_in_a_second() -> None:
    with demo_folder() as folder:
        plan = demo_plan(folder)
    assert plan.steps == (5.0, 10.0, 25.0, 50.0, 100.0)
    assert plan.min_subjects == 100
    assert plan.min_step_s == pytest.approx(1.0)
    assert plan.max_age_s == pytest.approx(28 * 24)
    assert {guard.dimension: guard.margin for guard in plan.guards} == {
        "score": 0.03,
        "hard_failures": 0.01,
    }


def test_the_damaged_prompt_lacks_every_second_label_and_nothing_else() -> None:
    with demo_folder() as folder:
        program = load_task(folder).program
    broken, n_labels, n_dropped = damaged(program)
    assert (n_labels, n_dropped) == (77, 38)
    before, after = (item.prompt.text.splitlines() for item in (program, broken))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert len(changed) == 38
    assert all(line.startswith("- - ") for line in changed)
    assert broken.prompt.output.labels == program.prompt.output.labels


def test_a_prompt_without_a_list_of_labels_is_not_damaged() -> None:
    program = Program.single(Prompt.from_text("system:\nHelp.\n\nuser:\n{{text}}\n"))
    with pytest.raises(ConfigError, match="no section 'labels'"):
        damaged(program)


def test_a_store_without_a_version_that_passed_is_no_finished_demo(tmp_path: Path) -> None:
    task = load_task(write_small_demo(tmp_path / "task"))
    asyncio.run(register_prompt(str(tmp_path / "store.db"), task, author="ann"))
    with pytest.raises(ConfigError, match="no demo that has finished"):
        asyncio.run(finished_run(tmp_path))


class Seen(Exception):
    """The first look has been drawn."""


def test_an_application_that_has_recorded_nothing_yet_stops_no_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the first look comes before the application has started."""
    monkeypatch.setattr(application, "COMMAND", ("-c", "import sys; sys.stdin.read()"))
    url, task = str(tmp_path / "store.db"), load_task(write_small_demo(tmp_path / "task"))
    shorter = tmp_path / "shorter.md"
    shorter.write_text(damaged(task.program)[0].prompt.text, "utf-8")

    def on_moment(moment: Moment) -> None:
        assert moment.served.n_users == 0
        raise Seen

    async def body() -> None:
        await register_prompt(url, task, author="ann")
        winner = await register_prompt(url, task, prompt=shorter, author="ann")
        await release_demo(
            tmp_path, winner.number, seed=0, on_start=lambda _: None, on_moment=on_moment
        )

    with pytest.raises(Seen):
        asyncio.run(body())
