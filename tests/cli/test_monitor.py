"""`promptyard monitor`: a table or JSON, exit codes, and options that say what they expect."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from promptyard.cli.monitor import seconds
from promptyard.errors import ConfigError
from promptyard.line.wiring import build_store
from promptyard.records.live import Outcome
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import PromptVersion
from support.other_user import open_folder, unprivileged
from support.shell import Run
from support.tiny_task import PROMPT


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = build_store(str(tmp_path / "runs.db"))
        await store.open()
        program = Program.single(Prompt.from_text(PROMPT))
        await store.add_version(
            PromptVersion(name="tiny", number=0, digest=program.id, program=program, author="a")
        )
        await store.add_live_events(
            [
                Outcome(
                    id=f"o{number}",
                    prompt="tiny",
                    version=1,
                    digest=program.id,
                    at="2026-11-27T00:00:00+00:00",
                    latency_s=0.5,
                    scores={"score": 1.0},
                    error="timeout" if number % 4 == 0 else "",
                )
                for number in range(80)
            ]
        )
        await store.close()

    asyncio.run(fill())
    return tmp_path / "runs.db"


def test_a_window_beyond_its_limits_is_shown_and_ends_with_1(run: Run, store_path: Path) -> None:
    found = run("monitor", "look", "tiny", "--store", store_path)
    assert found.code == 1
    assert "error_rate is 25.0 % (20 of 80), the limit 5 %" in found.out
    again = run("monitor", "alerts", "tiny", "--store", store_path)
    assert again.code == 0
    assert "error_rate" in again.out


def test_commands_that_read_do_so_in_a_store_that_may_only_be_read(
    run: Run, store_path: Path
) -> None:
    with open_folder() as folder:
        copy = folder / "runs.db"
        copy.write_bytes(store_path.read_bytes())
        copy.chmod(0o444)
        folder.chmod(0o555)
        with unprivileged():
            found = run("monitor", "look", "tiny", "--store", copy)
            assert found.code == 1
            assert "error_rate is 25.0 %" in found.out
            assert "not recorded: The store" in found.out
            assert "no alert" in run("monitor", "alerts", "tiny", "--store", copy).out
            for arguments in (
                ("prompts", "list"),
                ("prompts", "log", "tiny"),
                ("canary", "list"),
                ("runs", "list"),
            ):
                read = run(*arguments, "--store", copy)
                assert (arguments, read.code, read.err) == (arguments, 0, "")
            written = run("prompts", "promote", "tiny", "v1", "--store", copy)
            assert written.code == 2
            assert "choose a path for the store that you may write to" in written.err


def test_without_limits_it_passes_and_json_has_all_figures(run: Run, store_path: Path) -> None:
    options = ["--limit", "error_rate=none", "--limit", "hard_failure_rate=none"]
    found = run("monitor", "look", "tiny", *options, "--store", store_path, "--json")
    assert found.code == 0
    data = json.loads(found.out)
    assert (data["status"], data["windows"][0]["n_outcomes"]) == ("pass", 80)
    listed = run("monitor", "alerts", "tiny", "--store", store_path)
    assert listed.out == "no alert is on record\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "eror_rate=0.1"], "did you mean 'error_rate'?"),
        (["--limit", "error_rate=much"], "expected a number"),
        (["--limit", "error_rate=3"], "expected a number in range"),
        (["--window", "soon"], "expected a length such as 30m"),
        (["--window", "0h"], "expected a length"),
    ],
)
def test_a_wrong_option_is_one_line(
    run: Run, store_path: Path, options: list[str], said: str
) -> None:
    found = run("monitor", "look", "tiny", *options, "--store", store_path)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1


def test_lengths_of_time_are_read_with_their_unit() -> None:
    assert [seconds(text, "--window") for text in ("90s", "30m", "1.5h", "7d")] == [
        90.0,
        1800.0,
        5400.0,
        604_800.0,
    ]
    with pytest.raises(ConfigError, match="--every 5"):
        seconds("5", "--every")
