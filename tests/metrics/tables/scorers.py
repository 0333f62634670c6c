"""The functions that the table of the check `python` names."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from promptyard.records.cases import Case
from promptyard.records.scores import Score


def polite(case: Case, output: str) -> bool:
    return "please" in output.lower()


def share_of_words(case: Case, output: str) -> float:
    wanted = str(case.expected).split()
    return sum(word in output.split() for word in wanted) / len(wanted)


def with_feedback(case: Case, output: str) -> tuple[float, str, str]:
    return 0.5, "half of it", "half"


async def later(case: Case, output: str) -> bool:
    return output == case.input["wanted"]


def findings(case: Case, output: str) -> list[Score]:
    return [
        Score(metric="tone", value=1.0, severity="soft"),
        Score(metric="style", value=0.0, tags=("stiff",), reason="too stiff", dimension="judge"),
    ]


def raises(case: Case, output: str) -> float:
    raise ValueError(output)


def silent(case: Case, output: str) -> None:
    return None


def too_good(case: Case, output: str) -> float:
    return 1.5


def chatty(case: Case, output: str) -> bool:
    print('{"scores": []}\n' * 100_000)  # noqa: T201 - that is what it is for
    sys.stderr.write("x" * 1_000_000)
    os.write(1, b"straight to the pipe\n" * 1000)
    return sys.stdin.read() == ""


def exits(case: Case, output: str) -> float:
    sys.exit(0)


def crashes(case: Case, output: str) -> float:
    os._exit(0)


def hangs(case: Case, output: str) -> float:
    while True:
        pass


def sleeps(case: Case, output: str) -> float:
    time.sleep(3600)
    return 1.0


def talks_too_much(case: Case, output: str) -> tuple[float, str]:
    return 0.0, "x" * 2_000_000


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message either")


def hostile(case: Case, output: str) -> float:
    if output:
        raise ValueError("\x1b[2J\u202e\ud800\n\r" + "x" * 10_000)
    raise Hostile


def meddles(case: Case, output: str) -> bool:
    assert isinstance(case.input, dict)
    case.input["seen"] = True
    return True


def state() -> Iterator[int]:
    yield from range(10**9)


_count = state()


def nth_call(case: Case, output: str) -> float:
    return next(_count) / 1000


class Grader:
    @staticmethod
    def never(case: Case, output: str) -> bool:
        return False


not_callable: Any = 5
