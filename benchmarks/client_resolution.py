"""How fast a prompt is resolved in process in an active rollout, beside two flag SDKs.

    python benchmarks/client_resolution.py --peers FOLDER [--subjects 100000] [--rounds 3]

Every contender resolves distinct subjects in one thread and a process of its own; rounds are
interleaved, so that all see the same machine. The peers run in an environment that is made in
FOLDER with the versions of `resolution_peers/requirements.txt`. CPU is that of the whole process;
where exposures are recorded it counts until they are fsynced. Ends with 1 where a goal is missed.
`--assignment N` adds a chi-square of arm against enrolment over N subjects.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptyard.stats.assignment import ARM, ENROL, HALF, UNIT, PreparedHash, written
from resolution_peers.timing import MARK

FOLDER = Path(__file__).resolve().parent
RUNNERS = FOLDER / "resolution_peers"
REQUIREMENTS = RUNNERS / "requirements.txt"
Result = Mapping[str, float]


RESOLVED_PER_S = 100_000
RECORDED_PER_S = 50_000
P99_US = 50.0
"""The goals, a second and core; with the exposure recorded the second."""


@dataclass(frozen=True)
class Contender:
    """One row: a runner with its variant, and the share of subjects that is enrolled."""

    label: str
    runner: str
    variant: str
    enrolled: float = 0.1

    @property
    def is_peer(self) -> bool:
        """Whether it runs in the environment of the peers."""
        return self.runner.endswith("_sdk.py")

    @property
    def least_per_s(self) -> int:
        """Its goal, 0 where it has none."""
        goals = {"resolve": RESOLVED_PER_S, "record": RECORDED_PER_S}
        return goals.get(self.variant, 0)


REFERENCE = "reference: SHA-1, compare, pick"
OURS = "promptyard_client.py"
CONTENDERS = (
    Contender(REFERENCE, "reference.py", "-"),
    Contender("promptyard, 10 % enrolled", OURS, "resolve"),
    Contender("promptyard, all enrolled", OURS, "resolve", 1.0),
    Contender("promptyard, 10 % enrolled, exposures on disk", OURS, "record"),
    Contender("promptyard, all enrolled, exposures on disk", OURS, "record", 1.0),
    Contender("launchdarkly, events off", "launchdarkly_sdk.py", "events-off"),
    Contender("launchdarkly, events on (default)", "launchdarkly_sdk.py", "events-on"),
    Contender("growthbook, one object", "growthbook_sdk.py", "one-object"),
    Contender("growthbook, one object per user", "growthbook_sdk.py", "object-per-user"),
)


def main() -> int:
    given = arguments()
    contenders = [item for item in CONTENDERS if given.peers is not None or not item.is_peer]
    peer_python = peers_environment(given.peers) if given.peers is not None else Path()
    results: dict[str, list[Result]] = {item.label: [] for item in contenders}
    for number in range(given.rounds):
        for item in contenders:
            print(f"round {number + 1}: {item.label}", file=sys.stderr)
            python = peer_python if item.is_peer else Path(sys.executable)
            results[item.label].append(run(item, python, given.subjects))
    print(table(contenders, results))
    missed = missed_goals(contenders, results)
    print("\n".join(f"goal missed: {line}" for line in missed) or "all goals are met")
    if given.assignment:
        print(assignment(given.assignment))
    return 1 if missed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", type=Path, help="folder for the environment of the peers")
    parser.add_argument("--subjects", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--assignment", type=int, default=0, metavar="N")
    return parser.parse_args()


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


def run(item: Contender, python: Path, n_subjects: int) -> Result:
    """Run one contender once; returns what it printed, checked."""
    command = [str(python), str(RUNNERS / item.runner), str(n_subjects), str(item.enrolled)]
    source = str(FOLDER.parent / "src")
    environment = os.environ if item.is_peer else {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [*command, item.variant], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    line = done.stdout.rstrip().rpartition("\n")[2]
    found: dict[str, float] = json.loads(line.removeprefix(MARK))
    if abs(found["new_share"] - item.enrolled) > 0.01:
        raise ValueError(f"{item.label}: {found['new_share']:.3f} of the subjects got the new one")
    if item.variant == "record":
        expected = round(found["new_share"] * n_subjects)
        if found["n_stored"] != expected:
            raise ValueError(
                f"{item.label}: {found['n_stored']} of {expected} exposures are stored"
            )
    return found


def median(results: Sequence[Result], name: str) -> float:
    """The median of one figure over the rounds."""
    return statistics.median(result[name] for result in results)


def table(contenders: Sequence[Contender], results: Mapping[str, Sequence[Result]]) -> str:
    """Write the table in Markdown; ratios are of CPU, to the reference of the same run."""
    base = median(results[REFERENCE], "cpu_us")
    lines = [
        "| | CPU us (min-max) | per second and core | ratio | p50 us | p99 us |",
        "|---|---|---|---|---|---|",
    ]
    for item in contenders:
        rounds = results[item.label]
        cpu_us = median(rounds, "cpu_us")
        low, high = (pick(result["cpu_us"] for result in rounds) for pick in (min, max))
        p50_us, p99_us = median(rounds, "p50_us"), median(rounds, "p99_us")
        lines.append(
            f"| {item.label} | {cpu_us:.2f} ({low:.2f}-{high:.2f}) | {1e6 / cpu_us:,.0f} | "
            f"{cpu_us / base:.1f} | {p50_us:.1f} | {p99_us:.1f} |"
        )
    return "\n".join(lines)


def missed_goals(
    contenders: Sequence[Contender], results: Mapping[str, Sequence[Result]]
) -> list[str]:
    """Say which goals were not reached."""
    missed: list[str] = []
    for item in contenders:
        per_s = 1e6 / median(results[item.label], "cpu_us")
        p99_us = median(results[item.label], "p99_us")
        if per_s < item.least_per_s:
            missed.append(f"{item.label}: {per_s:,.0f} a second and core of {item.least_per_s:,}")
        if item.least_per_s and p99_us > P99_US:
            missed.append(f"{item.label}: p99 {p99_us:.0f} us, at most {P99_US:.0f}")
    return missed


def assignment(n_subjects: int) -> str:
    """Test arm against enrolment at every step of a rollout; one line."""
    enrol, arm = PreparedHash("rollout-1", ENROL), PreparedHash("rollout-1", ARM)
    steps = (0.02, 0.1, 0.25, 0.5)
    counts = {step: [[0, 0], [0, 0]] for step in steps}
    for number in range(n_subjects):
        key = written(f"user-{number}")
        position, is_treatment = enrol.bits(key) / UNIT, arm.bits(key) < HALF
        for step in steps:
            counts[step][position < step][is_treatment] += 1
    values = ", ".join(f"{step:.0%}: {chi_square(counts[step]):.2f}" for step in steps)
    return f"chi-square of arm against enrolment, {n_subjects:,} subjects (3.84 is 5 %): {values}"


def chi_square(counts: Sequence[Sequence[int]]) -> float:
    """Pearson's statistic of a table of two by two."""
    (a, b), (c, d) = counts
    n = a + b + c + d
    return n * (a * d - b * c) ** 2 / ((a + b) * (c + d) * (a + c) * (b + d))


if __name__ == "__main__":
    sys.exit(main())
