"""kill -9 at any moment, then --resume: no stored call again, and the same winner."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from promptyard.records.cases import SplitName
from support.chat_server import ChatServer
from support.world import World

N_KILLS = 10
CONCURRENCY = 4
SIZES: dict[SplitName, int] = {"train": 40, "dev": 40, "holdout": 80}


ENTRY = (
    # A shell may start tests in the background, where SIGINT is ignored and inherited as such.
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from promptyard.cli.main import main; main()"
)


def start(task: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            ENTRY,
            "optimize",
            str(task),
            "--store",
            str(store),
            "--json",
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PROMPTYARD_CONCURRENCY": str(CONCURRENCY)},
    )


def stored_bodies(store: Path) -> set[str]:
    if not store.exists():
        return set()
    with sqlite3.connect(store, timeout=10) as connection:
        try:
            rows = connection.execute("select body from completions").fetchall()
        except sqlite3.OperationalError:
            return set()
        finally:
            connection.commit()
    connection.close()
    return {canonical(json.loads(row[0])) for row in rows}


def repeated(server: ChatServer, since: int, stored: set[str]) -> list[str]:
    """Requests from number `since` on that were already in the store before."""
    bodies = (canonical(item.body) for item in server.requests[since:])
    return [body for body in bodies if body in stored]


def canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def killed(process: subprocess.Popen[str], server: ChatServer, n_requests: int) -> None:
    """Kill a run when the server has had so many requests; it answers none of those behind."""
    server.hold(n_requests - 1)
    await_requests(server, n_requests, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline_s = time.monotonic() + 30
    while server.n_in_flight and time.monotonic() < deadline_s:
        time.sleep(0.002)  # what was in flight arrives at the server, which sees its client gone
    server.release()


def await_requests(server: ChatServer, n_requests: int, process: subprocess.Popen[str]) -> None:
    """Wait until the server has had so many requests of a run that goes on."""
    deadline_s = time.monotonic() + 60
    while server.n_requests < n_requests:
        assert time.monotonic() < deadline_s
        assert process.poll() is None, "the run ended before"
        time.sleep(0.002)


def test_killed_ten_times_it_repeats_no_stored_call_and_finds_the_same_winner(
    tmp_path: Path,
) -> None:
    dice = random.Random(2)
    world = World(11, n_cases=SIZES, gain=0.3)
    with ChatServer(world.answer) as server:
        task = world.write_task(tmp_path / "task", server.base_url)
        expected = finished(start(task, tmp_path / "whole.db"))
        n_whole = server.n_requests
        server.reset()

        store = tmp_path / "killed.db"
        stored: set[str] = set()
        for n_killed in range(N_KILLS):
            seen = server.n_requests
            wanted = seen + dice.randint(1, n_whole // (N_KILLS + 1))
            killed(start(task, store, *(["--resume"] if n_killed else [])), server, wanted)
            assert not repeated(server, seen, stored)
            stored = stored_bodies(store)
        assert stored
        seen = server.n_requests
        result = finished(start(task, store, "--resume"))
        assert not repeated(server, seen, stored)
    for key in ("verdict", "winner_score", "score_diff", "ci_low", "ci_high", "n_candidates"):
        assert result[key] == expected[key], key
    # An attempt is booked before it is sent: a kill in between counts, and is never sent.
    n_booked = result["task_calls"] + result["optimizer_calls"]
    assert server.n_requests <= n_booked <= server.n_requests + N_KILLS * CONCURRENCY


def test_resuming_a_task_that_has_changed_says_what_changed(tmp_path: Path) -> None:
    world = World(12, n_cases=SIZES)
    with ChatServer(world.answer) as server:
        task = world.write_task(tmp_path / "task", server.base_url)
        store = tmp_path / "s.db"
        killed(start(task, store), server, 5)
        prompt = task / "prompt.md"
        prompt.write_text(prompt.read_text("utf-8").replace("Sort", "Order"), encoding="utf-8")
        again = start(task, store, "--resume")
        _, err = again.communicate(timeout=60)
    assert again.returncode == 2
    assert "baseline_id changed" in err
    assert err.count("\n") == 1


def test_a_run_that_is_still_alive_is_not_taken_up_a_second_time(tmp_path: Path) -> None:
    world = World(14, n_cases=SIZES)
    with ChatServer(world.answer) as server:
        task = world.write_task(tmp_path / "task", server.base_url)
        store = tmp_path / "s.db"
        server.hold(19)
        alive = start(task, store)
        await_requests(server, 20, alive)
        second = start(task, store, "--resume")
        _, err = second.communicate(timeout=60)
        server.release()
        assert second.returncode == 2
        assert f"still running (process {alive.pid})" in err
        assert finished(alive)["verdict"]


def test_ctrl_c_ends_cleanly_and_can_be_resumed(tmp_path: Path) -> None:
    world = World(13, n_cases=SIZES)
    with ChatServer(world.answer) as server:
        task = world.write_task(tmp_path / "task", server.base_url)
        store = tmp_path / "s.db"
        server.hold(19)
        process = start(task, store)
        await_requests(server, 20, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        server.release()
        assert process.returncode == 130
        assert "--resume" in err
        assert "Traceback" not in err
        with sqlite3.connect(store) as connection:
            status = connection.execute("select status from runs").fetchone()[0]
        connection.close()
        assert status == "interrupted"
        assert finished(start(task, store, "--resume"))["run_id"]
