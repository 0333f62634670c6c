"""Where the service's time goes while spans come in: by thread, and within the event loop by part.

    python benchmarks/service_profile.py --py-spy PATH/TO/py-spy [--seconds 8]

The load is that of `service_load.py`. CPU by thread is the kernel's; the shares of the event loop
are samples of its stack by py-spy (`pip install py-spy`; it needs leave to look into a process, so
root in most containers). A sample belongs to the innermost part it is in. Needs Linux.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from service_load import N_CLIENTS, Served, clients_of, register_prompt, sent_by

RATE_HZ = 200
WARM_UP_S = 1.0
REST = "HTTP, keys, limits, routing, answers"
PARTS: Sequence[tuple[str, str]] = (
    ("hides secrets and personal data", r"\(promptyard/(traces/hiding|records/redaction)\.py"),
    ("reads protobuf, makes spans", r"\(promptyard/traces/otlp(_protobuf)?\.py"),
    ("makes outcomes and exposures", r"^(_events_of|prompt_of) \("),
    ("writes rows", r"^span_batch \("),
    ("hands to the database thread", r"\(promptyard/storage/"),
    ("puts requests together, frees them", r"\(promptyard/(line/ingest|service/routes/otlp)\.py"),
)
"""Parts of the work, innermost first, and the frames `function (file:line)` that tell them."""


def part_of(frames: Sequence[str]) -> str:
    """Return which part of the work a stack is in."""
    for part, told_by in PARTS:
        if any(re.search(told_by, frame) for frame in frames):
            return part
    return REST


def shares_of(stacks: Iterable[str]) -> list[tuple[str, float]]:
    """Return the parts of the event loop's samples, largest first; lines are `a;b;c NUMBER`."""
    n_by_part: Counter[str] = Counter()
    for line in stacks:
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        if not any(frame.startswith("DatabaseThread._serve (") for frame in frames):
            n_by_part[part_of(frames)] += int(number)
    n = sum(n_by_part.values())
    return [(part, count / n) for part, count in n_by_part.most_common()]


def cpu_by_thread_s(pid: int) -> dict[str, float]:
    """Return the CPU seconds of a process by thread; the first is its event loop."""
    found: dict[str, float] = {}
    for task in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda item: int(item.name)):
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        ticks = int(fields[11]) + int(fields[12])
        found[task.name] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def main(given: argparse.Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        url = str(Path(folder) / "s.db")
        samples = Path(folder) / "samples.txt"
        register_prompt(url)
        with Served.promptyard(url, Path(folder)) as served:
            pid = served.process.pid
            senders = clients_of(served.address, given.seconds + 2 * WARM_UP_S, N_CLIENTS)
            subprocess.run(["sleep", str(WARM_UP_S)], check=True)
            before = cpu_by_thread_s(pid)
            command = [given.py_spy, "record", "--pid", str(pid), "--rate", str(RATE_HZ), "--gil"]
            command += ["--duration", f"{given.seconds:g}", "--format", "raw"]
            subprocess.run([*command, "--output", str(samples)], check=True, capture_output=True)
            after = cpu_by_thread_s(pid)
            for sender in senders:
                sent_by(sender)
        stacks = samples.read_text("utf-8").splitlines()
    spent = {thread: after[thread] - before.get(thread, 0.0) for thread in after}
    loop_s = spent.pop(str(pid))
    print(f"event loop: {loop_s / (loop_s + sum(spent.values())):.0%} of the CPU; the rest is the")
    print("database thread's. Of the event loop's samples, those that hold the interpreter's lock:")
    for part, share in shares_of(stacks):
        print(f"{share:6.0%}  {part}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--py-spy", required=True, help="path of the program `py-spy`")
    parser.add_argument("--seconds", type=float, default=8.0)
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
