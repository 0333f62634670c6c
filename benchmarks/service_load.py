"""How many spans a second the service takes, and what is left of them when it is killed.

    python benchmarks/service_load.py [--seconds 20] [--rounds 3] [--kills 20] [--postgresql]
                                      [--mlflow PATH/TO/mlflow]

Four processes send prebuilt requests of 50 GenAI spans of 1.27 kB, every tenth of which names a
registered version, each when its last one was answered. `promptyard serve` runs in a process of
its own and answers after its commit. Beside it, in turns on the same machine: the reference
(`service_load_reference.py`: decode, a row a span, commit, answer), and `mlflow server` where its
program is given. CPU is that of the receiver's processes, after a warm-up; memory is the peak.
Then the service is killed with -9 under load, again and again: every acknowledged span must be
there, those without an answer are sent again, and nothing may count twice. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptyard.protocols import Store
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import PromptVersion
from promptyard.storage import open_store
from service_load_client import N_SPANS, NAMED_EVERY, PROMPT, Sent, send_again

HERE = Path(__file__).resolve().parent
N_CLIENTS = 4
N_NAMED = N_SPANS // NAMED_EVERY
Counts = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Served:
    """A receiver that runs."""

    address: str
    process: subprocess.Popen[str]
    start_s: float

    @classmethod
    @contextlib.contextmanager
    def of(cls, command: Sequence[str], folder: Path) -> Generator[Served]:
        """Start a receiver that prints its address, wait until it answers, kill it at the end."""
        begin_s = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        try:
            assert process.stdout is not None
            found = re.search(r"http://[\w.:]+", process.stdout.readline())
            assert found is not None, f"{command} did not start"
            _wait_for(found[0])
            yield cls(found[0], process, time.perf_counter() - begin_s)
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    @classmethod
    def promptyard(cls, url: str, folder: Path) -> contextlib.AbstractContextManager[Served]:
        """Start `promptyard serve`; the load of one sender is more than a key usually may."""
        limits = "service: {requests_per_s: 1000000, burst: 1000000}\n"
        (folder / "promptyard.yaml").write_text(limits, "utf-8")
        program = [sys.executable, "-m", "promptyard", "serve", "--port", "0", "--store", url]
        return cls.of(program, folder)


@dataclass(frozen=True)
class Result:
    """One round of load."""

    spans_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    rss_mb: float
    start_s: float
    refused: Mapping[str, int]


def register_prompt(url: str) -> None:
    """Make the store, with the version that the spans name."""

    async def work(store: Store) -> None:
        program = Program.single(Prompt(text="system:\nHelp.\n\nuser:\n{{ticket}}\n"))
        await store.add_version(
            PromptVersion(name=PROMPT, number=0, digest=program.id, program=program, author="me")
        )

    _on_store(url, work)


def count_traces(url: str) -> Counts:
    """Spans and outcomes by trace, as the store has them."""
    spans: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()

    async def work(store: Store) -> None:
        before: int | None = None
        while page := await store.spans(before=before, limit=10_000):
            spans.update(item.span.trace_id for item in page)
            before = page[-1].seq
        after = 0
        while events := await store.live_events(PROMPT, after=after, limit=10_000):
            outcomes.update(getattr(item.event, "trace_id", "") for item in events)
            after = events[-1].seq

    _on_store(url, work)
    return {trace: (spans[trace], outcomes[trace]) for trace in spans}


def load(served: Served, seconds: float, path: str, headers: Mapping[str, str]) -> Result:
    """Send from all clients at once."""
    _send(served, 1.0, path, headers, n_clients=1)
    before_s = _cpu_s(served.process.pid)
    sent = _send(served, seconds, path, headers, n_clients=N_CLIENTS)
    cpu_s = _cpu_s(served.process.pid) - before_s
    took = sorted(value for item in sent for value in item.seconds)
    n_spans = sum(len(item.acked) for item in sent) * N_SPANS
    refused: Counter[str] = Counter()
    for item in sent:
        refused.update(item.refused)
    return Result(
        spans_per_s=n_spans / seconds,
        p50_ms=1e3 * took[len(took) // 2],
        p99_ms=1e3 * took[int(0.99 * len(took))],
        cpu_us=1e6 * cpu_s / max(1, n_spans),
        rss_mb=rss_mb(served.process.pid),
        start_s=served.start_s,
        refused=refused,
    )


def kill_rounds(url: str, folder: Path, n_kills: int, seed: int = 0) -> tuple[int, int, int, int]:
    """Kill under load; returns acknowledged spans, lost ones, sent again, counted otherwise."""
    chance = random.Random(seed)
    acked: list[str] = []
    unanswered: list[str] = []
    n_resent = 0
    for number in range(n_kills + 1):
        with Served.promptyard(url, folder) as served:
            send_again(served.address, unanswered)
            n_resent += len(unanswered)
            acked += unanswered
            unanswered = []
            if number == n_kills:
                break
            clients = clients_of(served.address, 60.0, N_CLIENTS)
            time.sleep(1.0 + chance.random())
            served.process.kill()
            done = [sent_by(client) for client in clients]
            acked += [trace for item in done for trace in item.acked]
            unanswered = [item.unanswered for item in done if item.unanswered is not None]
    found = count_traces(url)
    lost = sum(N_SPANS - min(N_SPANS, found.get(trace, (0, 0))[0]) for trace in acked)
    otherwise = sum(1 for counts in found.values() if counts != (N_SPANS, N_NAMED))
    return len(acked) * N_SPANS, lost, n_resent * N_SPANS, otherwise


def main(given: argparse.Namespace) -> None:
    """Measure and print."""
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory() as folder, _postgresql(given.postgresql) as postgresql_url:
        for number in range(given.rounds):
            place = Path(folder) / str(number)
            for name, served in _receivers(place, postgresql_url, given.mlflow):
                with served as running:
                    path = "/v1/traces"
                    headers = {"x-mlflow-experiment-id": "0"} if name == "mlflow" else {}
                    result = load(running, given.seconds, path, headers)
                results.setdefault(name, []).append(result)
                print(f"  round {number + 1}: {_line(name, [result])}", flush=True)
        print(f"\nmedians of {given.rounds} rounds of {given.seconds:g} s, {N_CLIENTS} clients:")
        for name, found in results.items():
            print(_line(name, found))
        reference = statistics.median(item.cpu_us for item in results["reference"])
        for name, found in results.items():
            own = statistics.median(item.cpu_us for item in found)
            print(f"CPU a span, {name} : reference = {own / reference:.2f}")
        if given.kills:
            place = Path(folder) / "kills"
            place.mkdir()
            url = str(place / "s.db")
            register_prompt(url)
            n_acked, n_lost, n_resent, n_otherwise = kill_rounds(url, place, given.kills)
            print(
                f"killed {given.kills} times: {n_acked:,} spans acknowledged, {n_lost:,} lost, "
                f"{n_resent:,} sent again, {n_otherwise} traces with another number of spans or "
                "outcomes than were sent"
            )


def _receivers(
    folder: Path, postgresql_url: str | None, mlflow: str | None
) -> Generator[tuple[str, contextlib.AbstractContextManager[Served]]]:
    folder.mkdir()
    reference = [sys.executable, str(HERE / "service_load_reference.py"), str(folder / "r.db")]
    yield "reference", Served.of(reference, folder)
    sqlite_url = str(folder / "s.db")
    register_prompt(sqlite_url)
    yield "promptyard, SQLite", Served.promptyard(sqlite_url, folder)
    if postgresql_url is not None:
        register_prompt(postgresql_url)
        yield "promptyard, PostgreSQL", Served.promptyard(postgresql_url, folder)
    if mlflow is None:
        print("  mlflow is not measured: give its program with --mlflow")
    else:
        yield "mlflow", _mlflow(mlflow, folder)


def _mlflow(program: str, folder: Path) -> contextlib.AbstractContextManager[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = f"sqlite:///{folder}/mlflow.db"
    server = f"exec {program} server --port {port} --backend-store-uri {database} >/dev/null 2>&1"
    return Served.of(["sh", "-c", f"echo http://127.0.0.1:{port}; {server}"], folder)


@contextlib.contextmanager
def _postgresql(is_wanted: bool) -> Generator[str | None]:
    if not is_wanted:
        yield None
        return
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.postgres import DURABLE, PostgresServer, find_binaries

    server = PostgresServer(find_binaries(), DURABLE)
    server.start()
    try:
        yield server.create_schema()
    finally:
        server.stop()


def clients_of(
    address: str,
    seconds: float,
    n_clients: int,
    *,
    path: str = "/v1/traces",
    headers: Mapping[str, str] | None = None,
) -> list[subprocess.Popen[str]]:
    """Start senders, each in a process of its own."""
    program = [sys.executable, str(HERE / "service_load_client.py"), address, str(seconds)]
    command = [*program, json.dumps(dict(headers or {})), path]
    return [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(n_clients)]


def sent_by(client: subprocess.Popen[str]) -> Sent:
    """Wait for the end of a sender, and return what it did."""
    printed, _ = client.communicate()
    return Sent(**json.loads(printed))


def _send(
    served: Served, seconds: float, path: str, headers: Mapping[str, str], *, n_clients: int
) -> list[Sent]:
    clients = clients_of(served.address, seconds, n_clients, path=path, headers=headers)
    return [sent_by(client) for client in clients]


def _wait_for(address: str) -> None:
    """Wait until anything is answered."""
    deadline_s = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


def _processes(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += _processes(int(child))
    return found


def _cpu_s(pid: int) -> float:
    ticks = 0
    for process in _processes(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Peak memory of a process and its children, in MiB."""
    total = 0
    for process in _processes(pid):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process}/status").read_text()
            total += int(re.findall(r"VmHWM:\s+(\d+)", status)[0])
    return total / 1024


def _on_store(url: str, work: Any) -> None:
    async def run() -> None:
        store = open_store(url)
        await store.open()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


def _line(name: str, found: Sequence[Result]) -> str:
    def middle(field: str) -> float:
        return statistics.median(getattr(item, field) for item in found)

    refused = sum(sum(item.refused.values()) for item in found)
    return (
        f"{name:22} {middle('spans_per_s'):8,.0f} spans/s  p50 {middle('p50_ms'):5.1f} ms  "
        f"p99 {middle('p99_ms'):6.1f} ms  CPU {middle('cpu_us'):6.1f} us a span  "
        f"{middle('rss_mb'):5.0f} MB  start {middle('start_s'):.2f} s  refused {refused}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--mlflow", default=None, help="path of the program `mlflow`")
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
