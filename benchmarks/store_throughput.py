"""How many durable model calls a second the store takes, against bare sqlite3.

A call is an attempt started and an attempt finished with its answer (1.5 kB, request 2.6 kB), as
64 concurrent callers make them. The bare loop writes the same rows with the same number of
commits, each of 64 rows, on the same disk; the ratio says what the layers above sqlite3 cost.

And how long one caller waits until a version of a prompt (2.6 kB) is registered durably, numbered
after those before it, and until a pointer is moved to it.

    python benchmarks/store_throughput.py [calls] [store URL]
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from promptyard.records.messages import Completion, Usage
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import Move, PromptVersion
from promptyard.storage import open_store

N_CALLERS = 64
N_ROUNDS = 5
N_VERSIONS = 500
BODY = {"model": "m1", "messages": [{"role": "user", "content": "word " * 520}]}
ANSWER = Completion(
    text="word " * 300, model="m1", usage=Usage(input_tokens=650, output_tokens=375)
)


def main(n_calls: int = 6400, url: str | None = None) -> None:
    """Print the medians of several rounds, taken by turns so that both see the same disk."""
    store_rates: list[float] = []
    bare_rates: list[float] = []
    cpu_us: list[float] = []
    for _ in range(N_ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            bare_rates.append(n_calls / bare_seconds(Path(folder) / "bare.db", n_calls))
            target = url or str(Path(folder) / "store.db")
            cpu_before = time.process_time()
            store_rates.append(n_calls / asyncio.run(store_seconds(target, n_calls)))
            cpu_us.append((time.process_time() - cpu_before) / n_calls * 1e6)
    store, bare = statistics.median(store_rates), statistics.median(bare_rates)
    print(f"{n_calls} calls, {N_CALLERS} callers, median of {N_ROUNDS} rounds")
    print(f"store         {store:8,.0f} calls/s  ({min(store_rates):,.0f}-{max(store_rates):,.0f})")
    print(f"bare sqlite3  {bare:8,.0f} calls/s  ({min(bare_rates):,.0f}-{max(bare_rates):,.0f})")
    print(f"ratio         {bare / store:8.2f}")
    print(f"CPU of the store, per call: {statistics.median(cpu_us):.0f} us")
    with tempfile.TemporaryDirectory() as folder:
        registered, moved = asyncio.run(release_seconds(url or str(Path(folder) / "store.db")))
    for what, seconds in (("register a version", registered), ("move a pointer", moved)):
        ms = sorted(1e3 * value for value in seconds)
        print(
            f"{what:20} {statistics.median(ms):6.2f} ms median, {ms[int(0.99 * len(ms))]:.2f} ms "
            f"p99 of {len(ms)}"
        )


async def release_seconds(url: str) -> tuple[list[float], list[float]]:
    """Register versions and promote each; seconds of each call, one after the other."""
    name = f"prompt-{time.time_ns()}"
    registered: list[float] = []
    moved: list[float] = []
    store = open_store(url)
    await store.open()
    for number in range(1, N_VERSIONS + 1):
        program = Program.single(
            Prompt(text=f"system:\n{number} {'word ' * 520}\nuser:\n{{{{x}}}}\n")
        )
        start = time.perf_counter()
        version = await store.add_version(
            PromptVersion(name=name, number=0, digest=program.id, program=program, author="me")
        )
        between = time.perf_counter()
        await store.move_pointer(
            Move(
                prompt=name,
                pointer="production",
                from_number=number - 1 or None,
                to_number=version.number,
                actor="me",
                reason="r",
            )
        )
        registered.append(between - start)
        moved.append(time.perf_counter() - between)
    await store.close()
    return registered, moved


async def store_seconds(url: str, n_calls: int) -> float:
    """Make the calls through the store; seconds from the first to the last one durable."""
    store = open_store(url)
    await store.open()
    run_id = f"run-{time.time_ns()}"
    keys = iter(range(n_calls))

    async def caller() -> None:
        for number in keys:
            key = f"{run_id}-{number:064d}"
            attempt = await store.start_attempt(run_id, "task", key)
            await store.finish_attempt(
                attempt, outcome="ok", body=BODY, completion=ANSWER, base_url="http://127.0.0.1"
            )

    start = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(N_CALLERS)))
    seconds = time.perf_counter() - start
    await store.close()
    return seconds


def bare_seconds(path: Path, n_calls: int) -> float:
    """Write the same rows with executemany: for each 64 calls one commit of starts, one of ends."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE completions (id INTEGER PRIMARY KEY, key TEXT, run_id TEXT, base_url TEXT,"
        " replicate INTEGER, model TEXT, body TEXT, completion TEXT, finish_reason TEXT,"
        " created_at TEXT, UNIQUE (key, run_id));"
        "CREATE TABLE attempts (id INTEGER PRIMARY KEY, run_id TEXT, role TEXT, key TEXT,"
        " started_at TEXT, outcome TEXT, tokens INTEGER, cost_usd REAL, finished_at TEXT);"
        "CREATE INDEX by_run ON attempts (run_id);"
    )
    body, answer = json.dumps(BODY), ANSWER.model_dump_json()
    start = time.perf_counter()
    for first in range(0, n_calls, N_CALLERS):
        ids = range(first + 1, min(first + N_CALLERS, n_calls) + 1)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO attempts (id, run_id, role, key, started_at) VALUES (?, ?, ?, ?, ?)",
            [(i, "run", "task", f"{i:064d}", "2026-01-01T00:00:00.000000+00:00") for i in ids],
        )
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE attempts SET outcome = ?, tokens = ?, finished_at = ? WHERE id = ?",
            [("ok", 1025, "2026-01-01T00:00:00.000000+00:00", i) for i in ids],
        )
        connection.executemany(
            "INSERT INTO completions (key, run_id, base_url, replicate, model, body, completion,"
            " finish_reason, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            [
                (f"{i:064d}", "run", "http://127.0.0.1", 0, "m1", body, answer, "stop", "2026")
                for i in ids
            ],
        )
        connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


if __name__ == "__main__":
    main(
        n_calls=int(sys.argv[1]) if len(sys.argv) > 1 else 6400,
        url=sys.argv[2] if len(sys.argv) > 2 else None,
    )
