"""What every runner shares: how a resolution is timed, and the one line that it prints.

A runner resolves distinct subjects in one thread. CPU is that of the whole process, threads in the
background included; `finish` waits until they have done their work, and counts.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

MARK = "RESULT "


@dataclass(frozen=True)
class Given:
    """What a runner is told: how many subjects, what share of them is enrolled, which variant."""

    n_subjects: int
    enrolled: float
    variant: str


def given() -> Given:
    """Read the arguments of a runner."""
    n_subjects, enrolled, variant = sys.argv[1:]
    return Given(int(n_subjects), float(enrolled), variant)


def measure(
    resolve: Callable[[str], bool],
    n_subjects: int,
    finish: Callable[[], int | None] = lambda: None,
) -> None:
    """Resolve subjects and print what it took. `resolve` says whether a subject gets the new one.

    `finish` returns how many exposures are stored, where the runner stores any.
    """
    for number in range(2_000):
        resolve(f"warm-{number}")
    finish()
    subjects = [f"user-{number}" for number in range(n_subjects)]
    gc.collect()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    n_new = 0
    for subject in subjects:
        n_new += resolve(subject)
    loop_s = time.perf_counter() - began_s
    n_stored = finish()
    cpu_s = time.process_time() - began_cpu_s
    total_s = time.perf_counter() - began_s
    others = [f"other-{number}" for number in range(n_subjects)]
    took_s: list[float] = []
    clock = time.perf_counter
    for subject in others:
        before_s = clock()
        resolve(subject)
        took_s.append(clock() - before_s)
    took_s.sort()
    found = {
        "cpu_us": 1e6 * cpu_s / n_subjects,
        "loop_us": 1e6 * loop_s / n_subjects,
        "total_us": 1e6 * total_s / n_subjects,
        "p50_us": 1e6 * took_s[n_subjects // 2],
        "p99_us": 1e6 * took_s[int(0.99 * n_subjects)],
        "new_share": n_new / n_subjects,
        "n_stored": n_stored,
    }
    print(MARK + json.dumps(found), flush=True)
