"""What every runner of a method shares: arguments, plain calls, and the one line that it prints.

A runner is started by `search_calls.py` in the environment of its method. It lets the method
optimize in one world through the server, whose counts are the ones that are reported, and prints
`RESULT` and a JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search_worlds import world_of
from search_worlds.cases import WorldCase
from search_worlds.shapes import turns_of
from search_worlds.world import World

MARK = "RESULT "
IN_FLIGHT = 8
TIMEOUT_S = 600

Messages: TypeAlias = Sequence[Mapping[str, Any]]
Prompting: TypeAlias = Callable[[WorldCase], Messages]
"""Makes the messages of a case: what a prompt is, whatever framework wrote it."""

for _name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.lower(), None)


@dataclass(frozen=True)
class Point:
    """What a method would have returned after so many task calls."""

    calls: int
    prompting: Prompting


class Frame:
    """One run of one method in one world."""

    def __init__(self, method: str) -> None:
        parser = argparse.ArgumentParser(description=method)
        parser.add_argument("--root", required=True, help="address of the server of the worlds")
        parser.add_argument("--run", required=True, help="the run's id; the server counts by it")
        parser.add_argument("--world", required=True)
        parser.add_argument("--seed", type=int, required=True)
        parser.add_argument("--budget", type=int, required=True, help="task calls")
        parser.add_argument("--strategy", default="auto", help="of Promptyard's line only")
        given = parser.parse_args()
        self.method = method
        self.root, self.run = given.root, given.run
        self.seed, self.budget, self.strategy = given.seed, given.budget, given.strategy
        self.world: World = world_of(given.world, given.seed)
        self.base_url = self._base_url(given.run)
        self._started = time.perf_counter()
        self._cpu_s = cpu_s()

    def _base_url(self, run: str) -> str:
        return f"{self.root}/runs/{run}/{self.world.name}/{self.seed}/v1"

    def counts(self) -> dict[str, Any]:
        """What the server has counted for this run."""
        with urllib.request.urlopen(f"{self.root}/runs/{self.run}", timeout=TIMEOUT_S) as answer:
            return json.load(answer)

    def task_calls(self) -> int:
        """Task calls so far, by the server's count."""
        return int(self.counts().get("calls", {}).get("task", 0))

    def ask(
        self, role: str, messages: Messages, *, temperature: float = 0.0, run: str | None = None
    ) -> str:
        """One plain call to the task or optimizer model."""
        body = {"model": role, "messages": list(messages), "temperature": temperature}
        request = urllib.request.Request(
            f"{self._base_url(run or self.run)}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return str(json.load(answer)["choices"][0]["message"]["content"])

    def ask_all(self, batch: Sequence[Messages], *, run: str | None = None) -> list[str]:
        """The task model's answers to many messages, some at a time."""

        def one(messages: Messages) -> str:
            return self.ask("task", messages, run=run)

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            return list(pool.map(one, batch))

    def expected(self, prompting: Prompting) -> float:
        """What a prompt is truly worth on test, over all luck. Costs no call."""
        return self.world.expected_of(lambda case: turns_of(prompting(case)))

    def audit(self, prompting: Prompting, read: Callable[[str], str]) -> float:
        """The score on the test cases by calls of a run of its own, which nobody counts."""
        cases = self.world.test
        answers = self.ask_all([prompting(case) for case in cases], run=f"audit-{self.run}")
        graded = [
            self.world.score(case, read(text)).score
            for case, text in zip(cases, answers, strict=True)
        ]
        return sum(graded) / len(graded)

    def report(
        self, points: Sequence[Point], read: Callable[[str], str] = str.strip, **more: Any
    ) -> None:
        """Print the result. `points` are in order of calls; the last is what the method returns."""
        seconds, used_s = time.perf_counter() - self._started, cpu_s() - self._cpu_s
        counts = self.counts()
        final = points[-1].prompting
        prompt_chars = sum(len(str(turn["content"])) for turn in final(self.world.test[0]))
        result = {
            "method": self.method,
            "world": self.world.name,
            "seed": self.seed,
            "budget": self.budget,
            "start": round(self.world.expected_score(self.world.seed_prompt), 4),
            "oracle": round(self.world.expected_score(self.world.oracle_prompt), 4),
            "points": [[point.calls, round(self.expected(point.prompting), 4)] for point in points],
            "audit": round(self.audit(final, read), 4),
            "task_calls": counts["calls"].get("task", 0),
            "optimizer_calls": counts["calls"].get("optimizer", 0),
            "optimizer_tokens": counts["prompt_tokens"].get("optimizer", 0)
            + counts["completion_tokens"].get("optimizer", 0),
            "splits": counts["splits"],
            "prompt_tokens": prompt_chars // 4,
            "seconds": round(seconds, 1),
            "cpu_s": round(used_s, 1),
            **more,
        }
        print(MARK + json.dumps(result), flush=True)


def plain_prompting(prompt: str) -> Prompting:
    """The messages of a system prompt with the case's input as it is."""
    return lambda case: (
        {"role": "system", "content": prompt},
        {"role": "user", "content": case.input},
    )


def cpu_s() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def improving(points: Sequence[tuple[int, float, Prompting]]) -> list[Point]:
    """The points of (calls, validation score, prompt) at which the best one changed."""
    best = float("-inf")
    kept: list[Point] = []
    for calls, score, prompting in sorted(points, key=lambda item: item[0]):
        if score > best:
            best = score
            kept.append(Point(calls, prompting))
    return kept
