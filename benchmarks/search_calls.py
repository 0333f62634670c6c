"""Runs prompt optimizers in the simulated worlds and writes quality over task calls.

    python benchmarks/search_calls.py --out runs.jsonl --peers FOLDER \
        --methods promptyard:auto naive gepa.optimize dspy.GEPA dspy.MIPROv2 \
        --worlds clinic-notes lease-clauses+weak+terse --seeds 11 12 13 14 15 --budgets 300 1000

A method is `promptyard:<strategy>`, `naive` or a peer. Peers run in an environment of their own,
which is made in FOLDER with the versions of `search_peers/requirements.txt`. Every call is counted
by the server of the worlds, by run, role and split. A line is written for each run as soon as it
ends; runs that the file has already are not run again. Scores are those of what the method would
have returned: the true ones, over all luck, and at the end one audit by calls of its own run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from search_summary import read_runs, run_of, summary_table
from search_worlds import world_of

FOLDER = Path(__file__).resolve().parent
RUNNERS = FOLDER / "search_peers"
REQUIREMENTS = RUNNERS / "requirements.txt"
MARK = "RESULT "
OWN = "promptyard:"
PEER_RUNNERS = {
    "gepa.optimize": "gepa_optimize.py",
    "dspy.GEPA": "dspy_gepa.py",
    "dspy.MIPROv2": "dspy_mipro.py",
}
METHODS = (f"{OWN}auto", "naive", *PEER_RUNNERS)
TIMEOUT_S = 3600


@dataclass(frozen=True)
class Job:
    """One run of the grid."""

    method: str
    world: str
    seed: int
    budget: int

    def __str__(self) -> str:
        """For messages."""
        return f"{self.method} in {self.world}, seed {self.seed}, {self.budget} calls"


def main() -> int:
    given = arguments()
    grid = product(given.methods, given.worlds, given.seeds, given.budgets)
    asked = [Job(*item) for item in grid]
    problem = next(filter(None, map(problem_of, asked)), None)
    if problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    done = finished(given.out)
    jobs = [replace(job, world=world_of(job.world, job.seed).name) for job in asked]
    todo = [job for job in jobs if job not in done]
    peer_python = ""
    if any(job.method in PEER_RUNNERS for job in todo):
        if given.peers is None:
            print("error: peers need an environment of their own: --peers FOLDER", file=sys.stderr)
            return 2
        peer_python = str(peers_environment(given.peers))
    n_failed = 0
    if todo:
        with world_server() as root:
            n_failed = run_jobs(todo, root, peer_python, given.out, given.jobs)
    if given.out.exists():
        print(summary_table(read_runs(given.out)))
    return 1 if n_failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="JSON lines; is appended to")
    parser.add_argument("--peers", type=Path, help="folder for the environment of the peers")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument(
        "--worlds", nargs="+", default=["clinic-notes", "lease-clauses", "freight-bills"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13, 14, 15])
    parser.add_argument("--budgets", nargs="+", type=int, default=[300, 1000])
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    return parser.parse_args()


def problem_of(job: Job) -> str | None:
    """Say what is wrong with a job, or None."""
    if not job.method.startswith(OWN) and job.method not in METHODS:
        return f"no method {job.method!r}; there are {OWN}<strategy>, {', '.join(METHODS[1:])}"
    try:
        world_of(job.world, job.seed)
    except ValueError as error:
        return str(error)
    return None if job.budget > 0 else f"a budget of {job.budget} calls"


def finished(path: Path) -> set[Job]:
    """The jobs that a results file holds."""
    if not path.exists():
        return set()
    return {Job(run.method, run.world, run.seed, run.budget) for run in read_runs(path)}


def peers_environment(folder: Path) -> Path:
    """Make the environment of the peers unless it is there; return its Python."""
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"Installing the peers into {folder} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def world_server() -> Generator[str]:
    """Start the server of the worlds in a process of its own; gives its address."""
    command = [sys.executable, "-m", "search_worlds.server"]
    process = subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the server of the worlds did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def run_jobs(jobs: Sequence[Job], root: str, peer_python: str, out: Path, n_at_a_time: int) -> int:
    """Run jobs and append their lines; returns how many failed."""
    writing = threading.Lock()
    out.parent.mkdir(parents=True, exist_ok=True)

    def one(job: Job) -> bool:
        row = result_of(job, root, peer_python)
        with writing:
            if row is None:
                return False
            with out.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row) + "\n")
            print(f"{job}: {row['audit']:.3f} after {row['task_calls']} calls", file=sys.stderr)
        return True

    with ThreadPoolExecutor(n_at_a_time) as pool:
        return sum(not ok for ok in pool.map(one, jobs))


def result_of(job: Job, root: str, peer_python: str) -> dict[str, Any] | None:
    """Run one job in a process of its own. None, and a line on stderr, where it failed."""
    try:
        ended = subprocess.run(
            command_of(job, root, peer_python),
            cwd=RUNNERS,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    except subprocess.TimeoutExpired:
        print(f"{job}: gave no result within {TIMEOUT_S} s", file=sys.stderr)
        return None
    line = next((x for x in ended.stdout.splitlines() if x.startswith(MARK)), None)
    if ended.returncode or line is None:
        last = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{job}: failed: {last[0]}", file=sys.stderr)
        return None
    row: dict[str, Any] = json.loads(line.removeprefix(MARK))
    run_of(row)
    return row


def command_of(job: Job, root: str, peer_python: str) -> list[str]:
    """The command line of a runner. Each run has an id of its own at the server."""
    python, script, more = sys.executable, "naive.py", list[str]()
    if job.method in PEER_RUNNERS:
        python, script = peer_python, PEER_RUNNERS[job.method]
    elif job.method.startswith(OWN):
        script, more = "promptyard_line.py", ["--strategy", job.method.removeprefix(OWN)]
    run = f"{Path(script).stem}-{uuid.uuid4().hex[:12]}"
    where = ["--root", root, "--run", run, "--world", job.world]
    sizes = ["--seed", str(job.seed), "--budget", str(job.budget)]
    return [python, str(RUNNERS / script), *where, *sizes, *more]


if __name__ == "__main__":
    sys.exit(main())
