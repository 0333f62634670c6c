"""What the search engine costs beside its calls: memory by candidates, CPU a task call.

    .venv/bin/python benchmarks/engine_cost.py memory [--candidates 1000] [--cases 500]
    .venv/bin/python benchmarks/engine_cost.py cpu [--rounds 3] [--profile]

Everything runs in one process with models that answer at once, 64 in flight, and a store in a file.

`memory`: a search runs every candidate on every train case (1,000 x 500 are 500,000 calls); after
each tenth it prints the resident memory after a garbage collection. A last line says what the
first half and the second half of the candidates added.

`cpu`: the whole of `promptyard.optimize(strategy="auto")` on a simulated task with 1,000 train, 300
dev and 600 holdout cases, once to learn all answers, then timed with answers and scores looked up.
The same calls are then made by a bare loop through the Caller, on a store of its own. CPU is
`process_time`, the thread of the database included; the engine's is the difference over the
number of task calls. With `--profile` it also prints where samples of the CPU time (every 2 ms)
fall: by the innermost module of Promptyard.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import promptyard as py
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.context import LineContext
from promptyard.line.session import Session, open_session
from promptyard.providers.chat_wire import chat_body
from promptyard.records.atoms import Atom, compose
from promptyard.records.base import Json
from promptyard.records.cases import SplitName
from promptyard.records.edits import Candidate
from promptyard.records.messages import CallRole, Completion, Request, Usage
from promptyard.records.regions import regions
from promptyard.runner.caller import Caller
from promptyard.runner.retry import CallLimits
from search_worlds import PLANS, WORLD_NAMES
from search_worlds import cases as world_cases
from search_worlds.cases import WorldCase
from search_worlds.grading import Graded
from search_worlds.models import WorldModel
from search_worlds.plan import Plan
from search_worlds.service import Role, Service
from search_worlds.tasks import task_of
from search_worlds.world import World

IN_FLIGHT = 64
SIZES = {
    "small": dict(world_cases.SIZES),
    "large": {"train": 1000, "val": 300, "test": 600},
    "long": dict(world_cases.SIZES),
}
N_SECTIONS, WORDS_A_SECTION = 12, 500
"""What `long` adds to the seed prompt: about 8,000 tokens."""
SAMPLE_S = 0.002

Call = tuple[CallRole, Request]


class Instant:
    """Says yes to everything, at once."""

    base_url = "instant:"
    name = "instant/yes"

    def body(self, request: Request) -> Mapping[str, Json]:
        """The chat-completions body."""
        return chat_body(self.name, request)

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Answer."""
        del body, timeout_s
        return Completion(text="yes", usage=Usage(input_tokens=100, output_tokens=1))

    def cost_usd(self, usage: Usage) -> float | None:
        """None: nothing here has a price."""
        del usage

    async def close(self) -> None:
        """Nothing to give back."""


class Learnt:
    """A model of a world; what it has answered once it looks up from then on."""

    base_url = "world:"

    def __init__(self, service: Service, role: Role) -> None:
        self.name = f"world/{role}"
        self.calls: list[Call] = []
        self._role: Role = role
        self._model = WorldModel(service, role)
        self._answers: dict[str, Completion] = {}
        self._asked: dict[int, Request] = {}

    def body(self, request: Request) -> Mapping[str, Json]:
        """The chat-completions body."""
        body = self._model.body(request)
        self._asked[id(body)] = request
        return body

    async def send(self, body: Mapping[str, Any], *, timeout_s: float) -> Completion:
        """Answer at once."""
        self.calls.append((self._role, self._asked.pop(id(body))))
        asked = "\n".join(turn["content"] for turn in body["messages"])
        if asked not in self._answers:
            self._answers[asked] = await self._model.send(body, timeout_s=timeout_s)
        return self._answers[asked]

    def cost_usd(self, usage: Usage) -> float | None:
        """None: nothing here has a price."""
        del usage

    async def close(self) -> None:
        """Forget what was asked and never sent."""
        self._asked.clear()


class LearntWorld(World):
    """A world that grades an answer once and looks it up from then on."""

    def __init__(self, plan: Plan, seed: int) -> None:
        super().__init__(plan, seed)
        self._graded: dict[tuple[str, str], Graded] = {}

    def score(self, case: WorldCase, output: str) -> Graded:
        """Grade an answer."""
        key = case.ref, output
        if key not in self._graded:
            self._graded[key] = super().score(case, output)
        return self._graded[key]


def resident_mb() -> float:
    """The memory that the process holds now; where the system does not tell, its peak."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory(n_candidates: int, n_cases: int) -> None:
    """Print the resident memory of a search as it grows."""
    sizes: dict[SplitName, int] = {"train": n_cases, "dev": 4, "holdout": 4}
    task = py.Task(
        name="memory",
        prompt="system:\nAnswer yes or no.\n\n## Rules\n"
        + "Mind the rule. " * 60
        + "\n\nuser:\n{{text}}\n",
        cases=[
            py.Case(
                id=f"{split}{n}", input={"text": f"Is {n} a number?"}, expected="yes", split=split
            )
            for split, n_of_split in sizes.items()
            for n in range(n_of_split)
        ],
        metrics=["exact_match"],
        models=py.Models(task=Instant()),
    )
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_fill(task, Path(folder) / "store.db", n_candidates))


async def _fill(task: py.Task, store: Path, n_candidates: int) -> None:
    async with open_session(task, store=str(store)) as session:
        context = context_of(task, session)
        before = start = resident_mb()
        print(f"{0:>6} candidates, {0:>8} calls: {start:7.1f} MB")
        growth: list[float] = []
        for number in range(1, n_candidates + 1):
            candidate = variant(context.baseline, number)
            await context.run(candidate, context.train, purpose="sweep")
            if number % max(1, n_candidates // 10) == 0:
                now = resident_mb()
                growth.append(now - before)
                before = now
                n_calls = session.ledger.spent.task_calls
                print(f"{number:>6} candidates, {n_calls:>8} calls: {now:7.1f} MB", flush=True)
        half = len(growth) // 2
        print(
            f"grown by {before - start:.1f} MB: {sum(growth[:half]):.1f} in the first half, "
            f"{sum(growth[half:]):.1f} in the second"
        )


def context_of(task: py.Task, session: Session) -> LineContext:
    """What a search policy works with."""
    return LineContext(
        run_id=session.header.id,
        seed=0,
        baseline=Candidate(program=task.program),
        eval_set=task.eval_set,
        executor=session.executor(task),
        store=session.store,
        generators={},
        funnel=FunnelSettings(),
        on_progress=lambda progress: None,
    )


def variant(baseline: Candidate, number: int) -> Candidate:
    """The baseline with one sentence more."""
    step = baseline.program.steps[0]
    atom = Atom(
        kind="append",
        step=step.name,
        region=regions(step.prompt)[0].id,
        text=f"Rule {number} is to be kept as well.",
    )
    made = compose(baseline.program, [atom])
    return Candidate(program=made.program, parents=(baseline.id,), edits=made.edits)


def section(number: int) -> str:
    """A section that changes nothing."""
    words = " ".join(
        f"word{n % 97}" if n % 12 else f"word{n}. Then" for n in range(WORDS_A_SECTION)
    )
    return f"\n\n## Background {number}\n{words}."


def learnt_task(name: str, size: str) -> tuple[py.Task, list[Learnt]]:
    """A simulated task whose models and metric remember what they said."""
    with patch.object(world_cases, "SIZES", SIZES[size]):
        world = LearntWorld(PLANS[name], 5)
        if size == "long":
            world.seed_prompt += "".join(map(section, range(N_SECTIONS)))
        service = Service(world)
        models = [Learnt(service, "task"), Learnt(service, "optimizer")]
        task = task_of(
            world, py.Models(task=models[0], optimizer=models[1]), n_holdout=SIZES[size]["test"]
        )
    return task, models


async def bare(task: py.Task, calls: Sequence[Call], store: Path) -> float:
    """CPU seconds of the same calls through the Caller, with nothing around them."""
    async with open_session(task, store=str(store)) as session:
        caller = Caller(
            run_id=session.header.id,
            models=session.models,
            store=session.store,
            ledger=session.ledger,
            limits=CallLimits(concurrency=IN_FLIGHT),
        )
        left = iter(calls)

        async def work() -> None:
            for role, request in left:
                await caller.complete(role, request)

        started = time.process_time()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        return time.process_time() - started


class Sampler:
    """Counts where the main thread is, each time that the process has used SAMPLE_S of CPU."""

    def __init__(self) -> None:
        self.innermost: Counter[str] = Counter()
        self.within: Counter[str] = Counter()

    def __enter__(self) -> Sampler:
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _sample(self, signum: int, frame: FrameType | None) -> None:
        del signum
        places: list[str] = []
        while frame is not None:
            _, found, inner = frame.f_code.co_filename.rpartition("/promptyard/")
            if found:
                places.append(f"{inner.removesuffix('.py')}:{frame.f_code.co_name}")
            frame = frame.f_back
        self.innermost[places[0].partition(":")[0] if places else "(event loop, database)"] += 1
        self.within.update(set(places))

    def show(self) -> None:
        """Print the shares."""
        total = sum(self.innermost.values())
        print(f"\n{total} samples; innermost module:")
        for place, n in self.innermost.most_common(22):
            print(f"  {n / total:6.1%}  {place}")
        print("within function:")
        for place, n in self.within.most_common(45):
            print(f"  {n / total:6.1%}  {place}")


def cpu(name: str, size: str, n_rounds: int, *, profile: bool) -> None:
    """Print the CPU that a task call costs, and what of it is the engine's."""
    os.environ["PROMPTYARD_CONCURRENCY"] = str(IN_FLIGHT)
    task, models = learnt_task(name, size)
    with tempfile.TemporaryDirectory() as folder:
        run = py.optimize(task, seed=1, store=f"{folder}/learn.db")
        calls = [call for model in models for call in model.calls]
        n_task = len(models[0].calls)
        print(
            f"{name}, {size}: {n_task} task calls, {len(models[1].calls)} optimizer calls, "
            f"{run.verdict.status}"
        )
        engine: list[float] = []
        for number in range(n_rounds):
            started = time.process_time()
            py.optimize(task, seed=1, store=f"{folder}/whole{number}.db")
            whole_s = time.process_time() - started
            bare_s = asyncio.run(bare(task, calls, Path(folder) / f"bare{number}.db"))
            engine.append((whole_s - bare_s) / n_task)
            print(
                f"a task call: whole {1000 * whole_s / n_task:.2f} ms, bare loop "
                f"{1000 * bare_s / n_task:.2f} ms, engine {1000 * engine[-1]:.2f} ms",
                flush=True,
            )
        print(f"median of the engine: {1000 * statistics.median(engine):.2f} ms CPU a task call")
        if profile:
            with Sampler() as sampler:
                py.optimize(task, seed=1, store=f"{folder}/profile.db")
            sampler.show()


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parts = parser.add_subparsers(dest="part", required=True)
    for_memory = parts.add_parser("memory")
    for_memory.add_argument("--candidates", type=int, default=1000)
    for_memory.add_argument("--cases", type=int, default=500)
    for_cpu = parts.add_parser("cpu")
    for_cpu.add_argument("--rounds", type=int, default=3)
    for_cpu.add_argument("--worlds", nargs="*", choices=WORLD_NAMES, default=WORLD_NAMES)
    for_cpu.add_argument("--sizes", nargs="*", choices=SIZES, default=tuple(SIZES))
    for_cpu.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    if given.part == "memory":
        memory(given.candidates, given.cases)
    else:
        for name in given.worlds:
            for size in given.sizes:
                cpu(name, size, given.rounds, profile=given.profile)


if __name__ == "__main__":
    main()
