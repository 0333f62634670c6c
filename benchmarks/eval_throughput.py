"""What an eval costs beside its calls: Promptyard, a bare aiohttp loop, DSPy, lm-eval in one run.

    .venv/bin/python benchmarks/eval_throughput.py [--rounds 3] [--large 20000]
        [--dspy-python /tmp/dspy/bin/python] [--lm-eval-python /tmp/lm-eval/bin/python]

The peers live in environments of their own; a tool without one is left out:

    python3 -m venv /tmp/dspy    && /tmp/dspy/bin/pip install dspy==3.4.1
    python3 -m venv /tmp/lm-eval && /tmp/lm-eval/bin/pip install 'lm-eval[api]==0.4.13'

A model server in a process of its own answers each call after 50 ms, a tenth of them wrong, and
counts calls and how many were in flight. Each tool is a process: 20 and 2,000 cases on an empty
store, then both again on the stores they left; all tools take turns in each round. CPU is user and
system time of the process and its children (wait4). Marginal CPU is (CPU at 2,000 cases - CPU at
20) / 1,980; its ratio is to the bare loop's of the same run. The clock of cases/s runs from the
first request to the exit of the process, so that storing and reporting count. Medians of the
rounds. Prints figures and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from eval_throughput_server import code, question

HERE = Path(__file__).parent
FEW, MANY = 20, 2000
CONCURRENCY = 256
LATENCY_S = 0.05


@dataclass(frozen=True)
class Cell:
    """What one process cost; times in seconds, `start_s` to the first request."""

    cpu_s: float
    rss_mb: float
    total_s: float
    start_s: float | None
    calls: int
    most_in_flight: int
    server_cpu_s: float


@dataclass(frozen=True)
class Tool:
    """How a tool is started: (folder, number of cases, URL) -> command and environment.

    The folder is its own for a number of cases and is kept between a run and its repeat. `score` is
    how the tool prints that 90 % of the answers are right.
    """

    name: str
    command: Callable[[Path, int, str], tuple[Sequence[str], Mapping[str, str]]]
    score: str = "0.9"
    repeats: bool = True


@dataclass
class Figures:
    """The cells of one tool, one entry a round."""

    few: list[Cell] = field(default_factory=list[Cell])
    many: list[Cell] = field(default_factory=list[Cell])
    few_again: list[Cell] = field(default_factory=list[Cell])
    many_again: list[Cell] = field(default_factory=list[Cell])
    large: list[Cell] = field(default_factory=list[Cell])


def questions(folder: Path, n_cases: int) -> Path:
    path = folder / "questions.jsonl"
    rows = ({"text": question(n), "code": code(n)} for n in range(1, n_cases + 1))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def client(python: str, tool: str, *flags: str, out: str) -> Callable[..., Any]:
    def command(folder: Path, n_cases: int, url: str) -> tuple[list[str], dict[str, str]]:
        script = str(HERE / "eval_throughput_clients.py")
        cases = str(questions(folder, n_cases))
        environment = {"DSPY_CACHEDIR": str(folder / "cache")}
        return [python, script, tool, url, cases, str(folder / out), *flags], environment

    return command


def promptyard(folder: Path, n_cases: int, url: str) -> tuple[list[str], dict[str, str]]:
    """The command as a user types it, with a task folder and a store file."""
    rows = [
        {"id": f"c{n}", "input": {"text": question(n)}, "expected": code(n), "split": "dev"}
        for n in range(1, n_cases + 1)
    ]
    others = ("train", "holdout")  # no split may be empty
    rows += [{"input": {"text": name}, "expected": "", "split": name} for name in others]
    (folder / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "prompt.md").write_text("user:\n{{text}}\n")
    (folder / "task.yaml").write_text(
        "prompt: prompt.md\ncases: cases.jsonl\nmodels: {task: openai_compatible/bench}\n"
        "checks:\n  - {type: equals}\n"
    )
    (folder / "promptyard.yaml").write_text(f"limits: {{concurrency: {CONCURRENCY}}}\n")
    script = str(Path(sys.executable).with_name("promptyard"))
    store = str(folder / "store.db")
    return [script, "eval", str(folder), "--base-url", url, "--store", store], {}


def lm_eval(python: str, *, cache: bool) -> Callable[..., Any]:
    def command(folder: Path, n_cases: int, url: str) -> tuple[list[str], dict[str, str]]:
        (folder / "bench.yaml").write_text(
            "task: bench\ndataset_path: json\n"
            f"dataset_kwargs: {{data_files: {{test: {questions(folder, n_cases)}}}}}\n"
            "test_split: test\noutput_type: generate_until\n"
            "doc_to_text: '{{text}}'\ndoc_to_target: '{{code}}'\n"
            "generation_kwargs: {until: ['</s>'], do_sample: false}\n"
            "metric_list:\n  - {metric: exact_match, aggregation: mean, higher_is_better: true}\n"
        )
        model = f"model=bench,base_url={url}/chat/completions,num_concurrent={CONCURRENCY}"
        words = [python, "-m", "lm_eval", "run", "--model", "local-chat-completions"]
        words += ["--model_args", f"{model},tokenizer_backend=None", "--apply_chat_template"]
        words += ["--tasks", "bench", "--include_path", str(folder), "--log_samples"]
        words += ["--output_path", str(folder / "out")]
        if cache:
            words += ["--use_cache", str(folder / "lm_cache")]
        return words, {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "-"}

    return command


@contextmanager
def model_server() -> Generator[str]:
    words = [sys.executable, str(HERE / "eval_throughput_server.py"), str(LATENCY_S)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def fetched(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.loads(response.read())


def measured(tool: Tool, folder: Path, n_cases: int, server: str, *, repeat: bool) -> Cell:
    """Run one process to its end. Raises SystemExit when the tool fails or got the score wrong."""
    words, environment = tool.command(folder, n_cases, f"{server}/v1")
    fetched(f"{server}/reset")
    said = folder / "said.txt"
    with said.open("w") as output:
        started_s, started_monotonic_s = time.time(), time.monotonic()
        process = subprocess.Popen(
            words, stdout=output, stderr=subprocess.STDOUT, env=os.environ | environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        total_s = time.monotonic() - started_monotonic_s
        process.returncode = os.waitstatus_to_exitcode(status)
    stats = fetched(f"{server}/stats")
    text = said.read_text()
    if process.returncode or tool.score not in text:
        raise SystemExit(f"{tool.name} ended with {process.returncode}:\n{text[-2000:]}")
    if not repeat and stats["calls"] < n_cases:
        raise SystemExit(f"{tool.name} made {stats['calls']} calls for {n_cases} cases")
    first_s = stats["first_s"]
    return Cell(
        cpu_s=usage.ru_utime + usage.ru_stime,
        rss_mb=usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
        total_s=total_s,
        start_s=None if first_s is None else first_s - started_s,
        calls=stats["calls"],
        most_in_flight=stats["most_in_flight"],
        server_cpu_s=stats["cpu_s"],
    )


def run_round(tools: Sequence[Tool], figures: dict[str, Figures], server: str, large: int) -> None:
    for tool in tools:
        with tempfile.TemporaryDirectory() as name:
            own = figures[tool.name]
            for n_cases, first, again in (
                (FEW, own.few, own.few_again),
                (MANY, own.many, own.many_again),
            ):
                folder = Path(name) / str(n_cases)
                folder.mkdir()
                first.append(measured(tool, folder, n_cases, server, repeat=False))
                if tool.repeats:
                    again.append(measured(tool, folder, n_cases, server, repeat=True))
            if large and tool.name in ("bare aiohttp loop", "promptyard eval"):
                folder = Path(name) / "large"
                folder.mkdir()
                own.large.append(measured(tool, folder, large, server, repeat=False))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def marginal_ms(few: Sequence[Cell], many: Sequence[Cell], n_cases: int = MANY) -> float:
    """CPU milliseconds of one more case."""
    more = median([cell.cpu_s for cell in many]) - median([cell.cpu_s for cell in few])
    return 1000 * more / (n_cases - FEW)


def seconds_a_case(cells: Sequence[Cell], n_cases: int) -> float:
    """Seconds from the first request to the exit, shared among the cases."""
    return median([cell.total_s - (cell.start_s or 0.0) for cell in cells]) / n_cases


def table(figures: Mapping[str, Figures], large: int) -> Iterator[str]:
    bare_ms = marginal_ms(figures["bare aiohttp loop"].few, figures["bare aiohttp loop"].many)
    yield (
        "| tool | cases/s | total s | marginal CPU ms a case | ratio | CPU s at 20 | start-up s "
        "| peak RSS MB | most in flight | repeat: calls, s, CPU ms a case |"
    )
    yield "|---" * 10 + "|"
    for name, own in figures.items():
        cost_ms = marginal_ms(own.few, own.many)
        total_s = median([cell.total_s for cell in own.many])
        fixed_s = median([cell.cpu_s for cell in own.few])
        start_s = median([cell.start_s or 0.0 for cell in (*own.few, *own.many)])
        again = "not asked for"
        if own.many_again:
            again_s = median([cell.total_s for cell in own.many_again])
            again_ms = marginal_ms(own.few_again, own.many_again)
            again = f"{max(c.calls for c in own.many_again)}, {again_s:.2f}, {again_ms:.3f}"
        yield (
            f"| {name} | {1 / seconds_a_case(own.many, MANY):,.0f} | {total_s:.2f} "
            f"| {cost_ms:.3f} | {cost_ms / bare_ms:.1f} | {fixed_s:.2f} | {start_s:.2f} "
            f"| {max(cell.rss_mb for cell in own.many):.0f} "
            f"| {max(cell.most_in_flight for cell in own.many)} | {again} |"
        )
    for name, own in figures.items():
        if not own.large:
            continue
        many_ms = marginal_ms(own.few, own.many)
        large_ms = marginal_ms(own.few, own.large, large)
        slower = seconds_a_case(own.large, large) / seconds_a_case(own.many, MANY)
        yield (
            f"{name}: {large:,} cases cost {large_ms:.3f} ms CPU a case, {large_ms / many_ms:.2f}x "
            f"of {MANY:,}'s; {slower:.2f}x the seconds a case; "
            f"peak RSS {max(cell.rss_mb for cell in own.large):.0f} MB"
        )
    calls = [cell for own in figures.values() for cell in own.many]
    served_ms = 1000 * sum(c.server_cpu_s for c in calls) / sum(c.calls for c in calls)
    yield f"The server took {served_ms:.3f} ms CPU a call."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=20_000, help="cases of the long run; 0: none")
    parser.add_argument("--dspy-python", help="interpreter of an environment with DSPy")
    parser.add_argument("--lm-eval-python", help="interpreter of an environment with lm-eval[api]")
    chosen = parser.parse_args()
    tools = [
        Tool("bare aiohttp loop", client(sys.executable, "bare", "--cache", out="answers.jsonl")),
        Tool("promptyard eval", promptyard, score=" 90.0 % "),
    ]
    if chosen.dspy_python:
        script = client(chosen.dspy_python, "dspy", out="report.json")
        cached = client(chosen.dspy_python, "dspy", "--cache", out="report.json")
        tools.append(Tool("DSPy Evaluate, no cache", script, repeats=False))
        tools.append(Tool("DSPy Evaluate, disk cache", cached))
    if chosen.lm_eval_python:
        tools.append(Tool("lm-eval", lm_eval(chosen.lm_eval_python, cache=False), repeats=False))
        tools.append(Tool("lm-eval --use_cache", lm_eval(chosen.lm_eval_python, cache=True)))
    figures = {tool.name: Figures() for tool in tools}
    load = [os.getloadavg()[0]]
    with model_server() as server:
        for number in range(chosen.rounds):
            run_round(tools, figures, server, chosen.large)
            load.append(os.getloadavg()[0])
            print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr)
    print(
        f"{MANY:,} cases, {1000 * LATENCY_S:.0f} ms a call, {CONCURRENCY} at once; medians of "
        f"{chosen.rounds} rounds; {os.cpu_count()} cores, load {min(load):.1f} to {max(load):.1f}\n"
    )
    for line in table(figures, chosen.large):
        print(line)
    for name, given in (("DSPy", chosen.dspy_python), ("lm-eval", chosen.lm_eval_python)):
        if not given:
            print(f"{name} was left out: no interpreter was given.")


if __name__ == "__main__":
    main()
