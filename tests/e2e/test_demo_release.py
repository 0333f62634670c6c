"""The release of the demo, on a smaller one: a real run, a real application, real decisions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptyard.line.prompt_log import show_version
from promptyard.line.rollout_engine import replay_rollout
from promptyard.line.sync import optimize, run_sync
from promptyard.line.task import load_task
from support.small_demo import write_small_demo


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `promptyard demo --keep` leaves it, of a demo with 16 labels."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    task = load_task(write_small_demo(folder / "task"))
    run = optimize(task, store=str(folder / "store.db"))
    assert run.version == 2
    return folder


def cli(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "promptyard", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == code, done.stderr
    return done


def test_the_good_version_is_promoted_and_the_damaged_one_goes_back(kept: Path) -> None:
    result: dict[str, Any] = json.loads(cli("demo", "--release", "--keep", kept, "--json").stdout)
    assert result["version"] == 2
    release = result["release"]
    assert (release["n_labels"], release["n_labels_dropped"]) == (16, 8)

    good = release["good"]
    assert (good["control"], good["treatment"], good["state"]) == (1, 2, "promoted")
    assert min(good["n_subjects_control"], good["n_subjects_treatment"]) >= 80  # two steps of 40
    by_name = {guard["dimension"]: guard for guard in good["guards"]}
    assert by_name["score"]["low"] > -0.1
    assert {by_name[name]["status"] for name in ("score", "hard_failures")} == {"unharmed"}
    assert good["n_messages_by_version"]["1"] > 0
    assert good["n_messages_by_version"]["2"] > 0

    bad = release["damaged"]
    assert (bad["control"], bad["treatment"], bad["state"]) == (2, 3, "rolled_back")
    by_name = {guard["dimension"]: guard for guard in bad["guards"]}
    assert by_name["score"]["status"] == "harmed"
    assert by_name["score"]["high"] < 0
    # The application saw the promotion: what is not of the new version is of the promoted one, but
    # for messages that it had answered until it looked.
    by_version = bad["n_messages_by_version"]
    assert by_version["2"] > 4 * by_version.get("1", 0)

    for story, word in ((good, "promoted"), (bad, "rolled back")):
        assert story["n_replayed"] == story["n_equal"] == story["n_decisions"] - 1
        page = Path(story["page"]).read_text("utf-8")
        assert page.count('<svg class="interval') >= 2
        assert f"It was {word}" in page
    # the damaged version may go back at the first look that has data: one point is no curve
    page = Path(good["page"]).read_text("utf-8")
    assert page.count('<svg class="curve"') >= 2
    assert ">promoted</text>" in page
    assert ">100 %</text>" in page

    url = str(kept / "store.db")
    production = run_sync(show_version(url, "banking77", "production"))
    assert production.number == 2
    damaged = run_sync(show_version(url, "banking77", "3")).program.prompt.text
    assert damaged == (kept / "damaged.md").read_text("utf-8")
    manifest = json.loads((kept / "manifest.json").read_text("utf-8"))
    assert manifest["prompts"]["banking77"]["pointers"] == {"production": 2}
    assert manifest["prompts"]["banking77"]["rollouts"] == []
    assert list((kept / "spool").iterdir()) == []
    for story in (good, bad):
        _, replayed = run_sync(replay_rollout(url, story["rollout_id"]))
        assert replayed
        assert all(item.equal for item in replayed)


def test_it_can_be_told_again_and_says_every_step_without_colour(kept: Path) -> None:
    done = cli("demo", "--release", "--keep", kept)
    rows = [" ".join(line.split()) for line in done.stderr.splitlines()]
    assert any(row.startswith("v2 beside v1: ") for row in rows)
    assert any(row.endswith("on to 100 %") for row in rows)
    assert any(row.endswith("promoted v2") for row in rows)
    assert any(row.endswith("rolled v3 back") for row in rows)
    told = " ".join(done.stdout.split())
    assert "Production moved from v1 to v2." in told
    assert "Production stayed at v2 all the time." in told
    assert "An hour of the plan is one second here" in " ".join(done.stderr.split())
    for name in ("store.db", "task", "report.html", "manifest.json", "spool", "damaged.md"):
        assert f" {name} " in done.stdout
        assert (kept / name).exists()
    assert "\x1b" not in done.stdout + done.stderr


def test_a_folder_without_a_finished_demo_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    done = cli("demo", "--release", "--keep", tmp_path, code=2)
    assert done.stderr.startswith("error: ")
    assert "no demo that has finished" in done.stderr
    assert done.stderr.count("\n") == 1
