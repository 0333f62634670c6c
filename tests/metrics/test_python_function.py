from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from promptyard.errors import ConfigError, MetricError
from promptyard.metrics import python_process
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.python_process import FunctionFailed, PythonChildren
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

from .case_table import TABLES

CASE = Case(id="c1", input={}, expected="a b")
SCORERS = str(TABLES / "scorers.py")


def _metric(function: str, folder: Path = TABLES, **options: Json) -> Metric:
    spec = CheckSpec(type="python", options={"function": function, **options})
    return build_metrics([spec], MetricContext(folder=folder))[0]


def _score(metric: Metric, text: str = "x", case: Case = CASE) -> list[Score]:
    return list(asyncio.run(metric.score(case, Completion(text=text))))


def _error(function: str, text: str = "x", **options: float) -> str:
    with pytest.raises(MetricError) as raised:
        _score(_metric(f"scorers.py:{function}", TABLES, **options), text)
    return str(raised.value)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raises", "'scorers.py:raises' failed on case 'c1': ValueError: x"),
        ("exits", "'scorers.py:exits' failed on case 'c1': SystemExit: 0"),
        ("crashes", "'scorers.py:crashes' failed on case 'c1': its process ended with code 0"),
        ("Grader.always", f"cannot load '{TABLES.resolve()}/scorers.py:Grader.always': Attribute"),
        ("silent", "metric 'silent' returned None for case 'c1'; return a number in [0, 1]"),
        ("talks_too_much", "it returned more than a megabyte"),
    ],
)
def test_an_error_says_what_happened_where(function: str, message: str) -> None:
    assert message in _error(function)


def test_a_hostile_message_becomes_one_line_of_printable_text() -> None:
    message = _error("hostile")
    assert message.isprintable()
    assert len(message) < 400
    assert "Hostile: (no message)" in _error("hostile", "")


def test_a_call_that_takes_too_long_is_ended_and_the_next_one_answered() -> None:
    started = time.monotonic()
    assert _error("hangs", timeout_s=0.3) == "'scorers.py:hangs' took more than 0.3 s on case 'c1'"
    assert time.monotonic() - started < 30
    (score,) = _score(_metric("scorers.py:polite"), "please")
    assert score.value == 1.0


def test_an_async_function_in_this_process_has_its_time_limit_too(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio\nasync def slow(case, output):\n    await asyncio.sleep(60)\n"
    )
    with pytest.raises(MetricError, match=r"took more than 0\.1 s") as raised:
        _score(_metric("slow.py:slow", tmp_path, isolate=False, timeout_s=0.1))
    assert raised.value.kind == "scorer_timeout"


def test_the_event_loop_goes_on_while_a_function_hangs() -> None:
    async def n_ticks() -> int:
        metric = _metric("scorers.py:sleeps", timeout_s=0.4)
        grading = asyncio.create_task(asyncio.wait_for(metric.score(CASE, Completion(text="")), 60))
        count = 0
        while not grading.done():
            await asyncio.sleep(0.01)
            count += 1
        with pytest.raises(MetricError):
            await grading
        return count

    assert asyncio.run(n_ticks()) >= 5


def test_many_calls_at_once_get_their_own_answers() -> None:
    async def values() -> list[float]:
        metric = _metric("scorers.py:share_of_words")
        texts = ["a b" if number % 2 else "c" for number in range(60)]
        graded = await asyncio.gather(*(metric.score(CASE, Completion(text=t)) for t in texts))
        return [score.value for (score,) in graded]

    assert asyncio.run(values()) == [float(number % 2) for number in range(60)]


def test_the_function_sees_the_case_as_it_is_and_cannot_change_it() -> None:
    case = Case(id="\ud800", input={"wanted": "\ud800 é", "deep": [{"x": None}]}, tags=("t",))
    before = case.model_copy(deep=True)
    (score,) = _score(_metric("scorers.py:later"), "\ud800 é", case)
    assert score.value == 1.0
    _score(_metric("scorers.py:meddles"), "x", case)
    assert case == before


def test_a_case_that_is_no_plain_data_cannot_be_sent() -> None:
    with pytest.raises(MetricError, match="it is no plain JSON"):
        _score(_metric("scorers.py:polite"), "x", Case(id="c", input={"x": object()}))


def test_a_file_can_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "words_beside.py").write_text("WORDS = {'yes'}\n")
    (tmp_path / "mine.py").write_text(
        "from words_beside import WORDS\ndef known(case, output):\n    return output in WORDS\n"
    )
    for isolate in (True, False):
        (score,) = _score(_metric("mine.py:known", tmp_path, isolate=isolate), "yes")
        assert (score.metric, score.value) == ("known", 1.0)


def test_what_the_user_set_for_the_check_wins_over_what_the_scores_say() -> None:
    spec = CheckSpec(
        type="python",
        id="style",
        tag="bad_style",
        weight=2.0,
        severity="hard",
        options={"function": "scorers.py:findings"},
    )
    (metric,) = build_metrics([spec], MetricContext(folder=TABLES))
    tone, style = _score(metric)
    assert (tone.metric, tone.tags, tone.weight, tone.severity) == ("tone", (), 2.0, "hard")
    assert (style.metric, style.tags, style.dimension) == ("style", ("bad_style",), "judge")


def test_a_metric_goes_by_its_id_or_by_the_name_of_its_function() -> None:
    named = CheckSpec(type="python", id="manners", options={"function": "scorers.py:polite"})
    (metric,) = build_metrics([named], MetricContext(folder=TABLES))
    assert (metric.name, _score(metric)[0].metric) == ("manners", "manners")
    assert _metric("scorers.py:Grader.never").name == "never"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"function": "nope.py:f"}, "option 'function' names no file: "),
        ({"function": "scorers.py"}, "must be module:function or file.py:function"),
        ({"function": "scorers.py:a b"}, "must be module:function or file.py:function"),
        ({"function": "scorers.py:polit"}, "names a file that has no 'polit'; did you mean 'polit"),
        ({"function": "scorers.py:Grader.no", "isolate": False}, "cannot load"),
        ({"function": "nope:f", "isolate": False}, "No module named 'nope'"),
    ],
)
def test_a_function_that_cannot_be_found_is_an_error_of_one_line(
    options: Mapping[str, Json], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        build_metrics([CheckSpec(type="python", options=options)], MetricContext(folder=TABLES))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_python_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def grade(case, output):\n    return (\n")
    with pytest.raises(ConfigError, match="names a file that cannot be read: SyntaxError"):
        _metric("broken.py:grade", tmp_path)
    (tmp_path / "star.py").write_text("from math import *\n")
    assert _metric("star.py:sqrt", tmp_path).name == "sqrt"


def test_a_child_that_ended_between_two_calls_is_replaced() -> None:
    async def grade() -> float:
        (score,) = await children.grade(
            f"{SCORERS}:polite", CASE.model_dump(), "please", timeout_s=9
        )
        return float(score["value"])

    children = PythonChildren(1)
    try:
        assert asyncio.run(grade()) == 1.0
        (killed,) = children.child_pids
        os.kill(killed, signal.SIGKILL)
        assert asyncio.run(grade()) == 1.0
        assert killed not in children.child_pids
    finally:
        children.close()


def test_a_child_that_cannot_live_leaves_the_case_unscored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(python_process, "_WORKER", Path("no_such_worker.py"))
    children = PythonChildren(1)
    with pytest.raises(FunctionFailed, match="its process ended with code 2"):
        asyncio.run(children.grade("m:f", {}, "x", timeout_s=9))
    children.close()


def test_processes_that_a_function_started_end_with_it(tmp_path: Path) -> None:
    (tmp_path / "spawns.py").write_text(
        "import pathlib, subprocess, time\n"
        "def spawn(case, output):\n"
        "    child = subprocess.Popen(['sleep', '3600'])\n"
        "    pathlib.Path(output).write_text(str(child.pid))\n"
        "    time.sleep(3600)\n"
    )
    noted = tmp_path / "pid"
    with pytest.raises(MetricError, match="took more than"):
        _score(_metric("spawns.py:spawn", tmp_path, timeout_s=1.0), str(noted))
    pid = int(noted.read_text())
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_child_outlives_the_program() -> None:
    program = (
        "import asyncio\n"
        "from promptyard.metrics import python_process as p\n"
        f"call = p.grade_within({SCORERS + ':polite'!r}, {{'id': 'c', 'input': {{}}}}, 'x', "
        "timeout_s=9)\n"
        "assert asyncio.run(call)[0]['value'] == 0.0\n"
        "print(*p._shared.child_pids)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stderr == ""
    with pytest.raises(ProcessLookupError):
        os.kill(int(ran.stdout), 0)
