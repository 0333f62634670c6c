from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.errors import MetricError
from promptyard.metrics import regex_process, regex_worker
from promptyard.metrics.regex_process import RegexChildren, search_within
from promptyard.records.base import Json

from .grading import PASS, assert_outcome, grade

CATASTROPHE: Mapping[str, Json] = {"pattern": "^(a|a)+$", "timeout_s": 0.2}


@pytest.mark.parametrize(
    ("pattern", "output"),
    [("\ud800", "an unpaired \ud800"), (".", "\x00\n" * 3 + "x" * 300_000)],
)
def test_unusual_texts_are_searched(pattern: str, output: str) -> None:
    assert_outcome("regex", {"pattern": pattern}, None, output, PASS)


def test_a_catastrophic_pattern_stops_in_time_and_says_so() -> None:
    started = time.monotonic()
    with pytest.raises(MetricError, match=r"took more than 0\.2 s; make it simpler"):
        grade("regex", "a" * 60 + "!", options=CATASTROPHE)
    assert time.monotonic() - started < 5


def test_the_event_loop_goes_on_while_a_pattern_explodes() -> None:
    async def ticks_meanwhile() -> int:
        search = asyncio.create_task(search_within("^(a|a)+$", 0, "a" * 60 + "!", timeout_s=0.3))
        n_ticks = 0
        while not search.done():
            await asyncio.sleep(0.01)
            n_ticks += 1
        with pytest.raises(TimeoutError):
            await search
        return n_ticks

    assert asyncio.run(ticks_meanwhile()) >= 5


def test_searches_after_a_timeout_are_answered_as_before() -> None:
    with pytest.raises(MetricError):
        grade("regex", "a" * 60 + "!", options=CATASTROPHE)
    (score,) = grade("regex", "a" * 60, options=CATASTROPHE)
    assert score.value == 1.0


def test_many_searches_at_once_get_their_own_answers() -> None:
    async def all_of_them() -> list[bool]:
        searches = (search_within(f"^{n}$", 0, str(n % 50), timeout_s=5) for n in range(100))
        return await asyncio.gather(*searches)

    assert asyncio.run(all_of_them()) == [n < 50 for n in range(100)]


def test_a_search_that_was_cancelled_does_not_answer_the_next_one() -> None:
    async def cancel_then_ask() -> list[bool]:
        slow = [
            asyncio.create_task(search_within("^(a|a)+$", 0, "a" * 60 + "!", timeout_s=0.2))
            for _ in range(8)
        ]
        await asyncio.sleep(0.05)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
        return [await search_within("b", 0, text, timeout_s=5) for text in ("abc", "xyz")]

    assert asyncio.run(cancel_then_ask()) == [True, False]


def test_a_child_that_was_killed_is_replaced() -> None:
    children = RegexChildren(1)
    try:
        assert asyncio.run(children.search("b", 0, "abc", timeout_s=5))
        (killed,) = children.child_pids
        os.kill(killed, signal.SIGTERM)
        assert asyncio.run(children.search("b", 0, "abc", timeout_s=5))
        assert killed not in children.child_pids
    finally:
        children.close()


def test_a_child_that_cannot_live_leaves_the_case_unscored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regex_process, "_WORKER", Path("no_such_worker.py"))
    children = RegexChildren(1)
    monkeypatch.setattr(regex_process, "_shared", children)
    with pytest.raises(MetricError, match="ended with code 2, twice"):
        grade("regex", "x", options={"pattern": "x"})
    children.close()


def test_no_child_outlives_the_program() -> None:
    program = (
        "import asyncio\n"
        "from promptyard.metrics import regex_process as r\n"
        "assert asyncio.run(r.search_within('b', 0, 'abc', timeout_s=5))\n"
        "print(*r._shared.child_pids)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(ran.stdout), 0)


def test_the_worker_ends_when_nobody_asks_any_more() -> None:
    request = {"pattern": "b", "flags": 0, "text": "abc", "timeout_s": 5, "want": "found"}
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(regex_worker.__file__)],
        input=json.dumps(request).encode() + b"\n",
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert ran.stdout == b"true\n"


def test_a_search_that_ends_in_time_leaves_no_watchdog_behind(tmp_path: Path) -> None:
    request = {"pattern": "b", "flags": 0, "text": "abc", "timeout_s": 0.05, "want": "found"}
    with (tmp_path / "traceback").open("wb") as file:
        assert isinstance(file, io.BufferedWriter)
        assert regex_worker.search(request, file)
        time.sleep(0.1)  # the watchdog would have ended this process


@pytest.mark.parametrize(
    ("pattern", "text", "taken"),
    [
        (r"\([A-D]\)", "(A) or (B)? I say (B).", "(B)"),
        (r"\(([A-D])\)", "(A) or (B)? I say (C).", "C"),
        (r"answer: (?:(yes)|no)", "answer: yes, answer: no", "answer: no"),
        ("(x*)", "yxx", ""),
        ("z", "yxx", None),
        (".", "an unpaired \ud800", "\ud800"),
    ],
)
def test_the_last_match_is_its_first_group_or_all_of_it(
    pattern: str, text: str, taken: str | None
) -> None:
    assert asyncio.run(regex_process.last_match_within(pattern, text, timeout_s=5)) == taken
