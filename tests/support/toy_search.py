"""A SearchContext in memory over a toy world: cases need rules, prompts that have them pass.

Policies are tested on it without models and stores, with real generators, validators and evidence.
Calls are in flight together, and come back in an order that `jitter` shuffles, so that a search can
be shown to depend on answers and not on who is first. `promptyard.testing.search_world` has the
other one: it ships with the package and so imports no station, and scripts what these would say.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from promptyard.candidates.admit import admit, readmit
from promptyard.candidates.combine import combine
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Bench, Generator
from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case, Dimension, SplitName
from promptyard.records.edits import Candidate, Proposal, Rejection, Replace
from promptyard.records.events import Event
from promptyard.records.evidence import Attempt, Evidence, ScoredPrompt, TrainTrial
from promptyard.records.messages import Completion
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo, Program, Prompt
from promptyard.records.scores import GradedCase, Score, StepVisit, Trial
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench

PROMPT = """system:
Answer the question.

## Rules {#rules}
Be exact.

## Style {#style}
Write one line.

user:
{{text}}
"""


class World(Protocol):
    """What a `ToyContext` searches in: the seed prompt, train cases, and what programs score."""

    seed_prompt: Candidate
    train: Sequence[Case]

    def trial(self, program: Program, case: Case) -> Trial:
        """Run a program on a case."""
        ...

    def quality(self, program: Program) -> float:
        """Return what dev says of a program, in [0, 1]."""
        ...


class ToyWorld:
    """Cases each need some of `n_rules` rules; a prompt has rule 3 when it says "Rule 3."

    Of what the prompt has, a case passes when all of its rules are there, save for noise: a share
    `noise` of (prompt, case) pairs comes out the other way, fixed by a hash. A prompt that says
    "Trap 5." has rule 5 and fails every case that does not need it and whose number is even.
    """

    def __init__(
        self,
        *,
        n_cases: int = 60,
        n_rules: int = 5,
        needs: int = 1,
        noise: float = 0.0,
        seed: int = 0,
        prompt: str = PROMPT,
        dimension: Dimension = "accuracy",
    ) -> None:
        rng = random.Random(f"toy:{seed}")
        self.noise = noise
        self.n_rules = n_rules
        self.dimension: Dimension = dimension
        self.seed_prompt = Candidate(program=Program.single(Prompt.from_text(prompt)))
        self.needs: dict[str, frozenset[int]] = {}
        self.train: Sequence[Case] = [
            self._case(f"t{n}", rng.sample(range(n_rules), needs)) for n in range(n_cases)
        ]
        self.dev = [
            self._case(f"d{n}", rng.sample(range(n_rules), needs), "dev") for n in range(n_cases)
        ]
        self.holdout = [
            self._case(f"h{n}", rng.sample(range(n_rules), needs), "holdout")
            for n in range(n_cases)
        ]

    def _case(self, name: str, rules: Sequence[int], split: SplitName = "train") -> Case:
        self.needs[name] = frozenset(rules)
        return Case(id=name, input={"text": f"question {name}"}, expected="yes", split=split)

    def passes(self, program: Program, case: Case) -> bool:
        """Say whether a program answers a case rightly."""
        text = "\n".join(step.prompt.text for step in program.steps)
        has = {int(n) for n in re.findall(r"(?:Rule|Trap) (\d+)\.", text)}
        traps = {int(n) for n in re.findall(r"Trap (\d+)\.", text)}
        right = self.needs[case.id] <= has
        if traps - self.needs[case.id] and int(case.id[1:]) % 2 == 0:
            right = False
        draw = hashlib.sha256(f"{program.id}:{case.id}".encode()).digest()
        return right != (int.from_bytes(draw[:4], "big") / 2**32 < self.noise)

    def trial(self, program: Program, case: Case) -> Trial:
        """Run a program on a case; the finding's tag names the first rule that is missing."""
        right = self.passes(program, case)
        tag = f"rule_{min(self.needs[case.id])}"
        score = Score(
            metric="toy",
            value=float(right),
            tags=() if right else (tag,),
            reason="" if right else f"needs {tag}",
            dimension=self.dimension,
        )
        completion = Completion(text="yes" if right else "no", cost_usd=0.001)
        return Trial(
            program_id=program.id,
            case_id=case.id,
            split=case.split or "train",
            status="scored",
            score=float(right),
            passed=right,
            output=completion.text,
            visits=(StepVisit(step="main", completion=completion),),
            scores=(score,),
        )

    def quality(self, program: Program) -> float:
        """Return the share of dev cases that a program answers rightly."""
        return sum(self.passes(program, case) for case in self.dev) / len(self.dev)


Suggest = Callable[[Candidate, Evidence, random.Random], Sequence[str]]


class ToyGenerator:
    """Appends sentences to a section; `suggest` says which, one proposal each."""

    def __init__(self, name: str, suggest: Suggest, section: str = "rules") -> None:
        self.name = name
        self.suggest = suggest
        self.section = section
        self.asked: list[tuple[str, Evidence]] = []

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Append each suggested sentence."""
        del bench
        self.asked.append((base.id, evidence))
        step = base.program.steps[0]
        text = next(item.text for item in step.prompt.sections if item.id == self.section)
        at = len(text.rstrip())
        return [
            Proposal(
                generator=self.name,
                edits=(
                    Replace(section=self.section, start=at, end=at, old="", text=f"\n{sentence}"),
                ),
                hypothesis=f"'{sentence}' is missing.",
                evidence=tuple(bucket.name for bucket in evidence.buckets[:1]),
            )
            for sentence in self.suggest(base, evidence, rng)
        ]


def teach(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    """Suggest the rule of the first failure: a helpful generator."""
    del base, rng
    tags = [score.tags[0] for row in evidence.failures for score in row.trial.scores if score.tags]
    return [f"Rule {tags[0].removeprefix('rule_')}."] if tags else []


def chatter(base: Candidate, evidence: Evidence, rng: random.Random) -> list[str]:
    """Suggest a sentence that does nothing: a null generator."""
    del base, evidence
    return [f"Note {rng.randrange(10**9)}."]


class ToyContext:
    """A SearchContext over a toy world.

    Attributes:
        calls: (candidate id, case id) of every call that was made, in the order of the answers.
        ran: (candidate id, purpose, case ids) of every question, in order.
        proposed: (generator, base id, attempt) of every question to a generator.
        staged: (stage, candidate ids) of every stage.
        events: every event, in order.
        served: ids of what was served, in order.
        rejections: what the validators refused, in order.
        cancelled: how many calls were cancelled.
    """

    def __init__(
        self,
        world: World,
        generators: Sequence[Generator],
        *,
        budget: int | None = None,
        jitter: int = 0,
        seed: int = 0,
        bench: Bench | None = None,
    ) -> None:
        self.world = world
        self.seed = seed
        self.baseline = world.seed_prompt
        self.train: Sequence[Case] = tuple(world.train)
        self.stochastic = False
        self.confirms = True
        self.labels: Sequence[str] = ()
        self.past_origins: Sequence[Origin] = ()
        self.calls: list[tuple[str, str]] = []
        self.ran: list[tuple[str, str, tuple[str, ...]]] = []
        self.proposed: list[tuple[str, str, int]] = []
        self.staged: list[tuple[str, tuple[str, ...]]] = []
        self.events: list[Event] = []
        self.served: list[str] = []
        self.origins: dict[str, tuple[Origin, ...]] = {}
        self.rejections: list[Rejection] = []
        self.cancelled = 0
        self.candidates: dict[str, Candidate] = {self.baseline.id: self.baseline}
        self._generators = {item.name: item for item in generators}
        self._budget = budget
        self._jitter = random.Random(f"jitter:{jitter}") if jitter else None
        self._bench = bench or ReplyingBench()
        self._rows: dict[str, dict[str, TrainTrial]] = {}
        self._leakage = LeakageIndex(self.train)
        self._flights: dict[tuple[str, str], asyncio.Task[TrainTrial]] = {}
        self._n_begun = 0

    @property
    def generators(self) -> Sequence[str]:
        """Names of the generators."""
        return tuple(self._generators)

    @property
    def task_calls_left(self) -> int | None:
        """Calls that are left of the budget."""
        return None if self._budget is None else self._budget - self._n_begun

    async def run(
        self,
        candidate: Candidate,
        cases: Sequence[Case],
        *,
        purpose: str,
        replicate: int = 0,
        priority: float = 0.0,
        settled: Callable[[TrainTrial], bool] | None = None,
    ) -> Sequence[TrainTrial]:
        """Run what is not known; all calls are in flight at once, those left over are cancelled."""
        del priority, replicate
        self.ran.append((candidate.id, purpose, tuple(case.id for case in cases)))
        self.candidates.setdefault(candidate.id, candidate)
        known = self._rows.setdefault(candidate.id, {})
        tasks = [self._flight(candidate, case) for case in cases if case.id not in known]
        try:
            for ended in asyncio.as_completed(tasks):
                row = await ended
                if settled is not None and settled(row):
                    break
        finally:
            left = [task for task in tasks if not task.done()]
            for task in left:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.cancelled += len(left)
        return [known[case.id] for case in cases if case.id in known]

    def _flight(self, candidate: Candidate, case: Case) -> asyncio.Task[TrainTrial]:
        """Begin a call, or join the same one that is under way, as the line's scheduler does."""
        key = (candidate.id, case.id)
        task = self._flights.get(key)
        if task is None or task.cancelled():
            task = asyncio.create_task(self._call(candidate, case))
            task.add_done_callback(lambda _: self._flights.pop(key, None))
            self._flights[key] = task
        return task

    async def _call(self, candidate: Candidate, case: Case) -> TrainTrial:
        if self._budget is not None and self._n_begun >= self._budget:
            raise BudgetExceeded("no task calls are left")
        self._n_begun += 1
        await self._wait()
        self.calls.append((candidate.id, case.id))
        row = TrainTrial(case=case, trial=self.world.trial(candidate.program, case))
        self._rows[candidate.id][case.id] = row
        return row

    async def _wait(self) -> None:
        for _ in range(1 if self._jitter is None else self._jitter.randrange(1, 12)):
            await asyncio.sleep(0)

    def scores(self, candidate: Candidate) -> Mapping[str, float]:
        """Return the scores of a candidate so far."""
        rows = self._rows.get(candidate.id, {})
        return {
            case.id: score
            for case in self.train
            if case.id in rows and (score := rows[case.id].trial.score) is not None
        }

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        """Sort rows as the line does."""
        graded = [GradedCase(case=row.case, trial=row.trial) for row in rows]
        scores = {item.id: self.scores(item).values() for item in self.candidates.values()}
        trajectory = [
            ScoredPrompt(
                program_id=item.id,
                text=item.program.prompt.text,
                score_pct=round(100 * sum(scores[item.id]) / len(scores[item.id])),
            )
            for item in self.candidates.values()
            if scores[item.id]
        ]
        return gather(graded, base.program, trajectory=trajectory, attempts=attempts)

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        """Ask a generator; admit what the validators let pass."""
        self.proposed.append((generator, base.id, attempt))
        rng = random.Random(f"{self.seed}:{generator}:{base.id}:{attempt}")
        await self._wait()
        proposals = await self._generators[generator].propose(base, evidence, self._bench, rng)
        admitted: list[Candidate] = []
        for proposal in proposals:
            # A repeat is handed out again: who was first may not decide whose child it is.
            found = admit(proposal, base, frozenset(), self._leakage)
            if isinstance(found, Rejection):
                self.rejections.append(found)
            else:
                self.candidates.setdefault(found.id, found)
                admitted.append(found)
        return admitted

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        """Apply atoms to the baseline."""
        chosen = (self.baseline.program.steps[-1].name, tuple(demos)) if demos else None
        made = compose(self.baseline.program, atoms, chosen)
        candidate = Candidate(
            program=made.program,
            parents=(self.baseline.id,),
            edits=made.edits,
            generator=generator,
            evidence=tuple(buckets),
        )
        found = readmit(candidate, self.baseline, frozenset(), self._leakage)
        return None if isinstance(found, Rejection) else found

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join candidates of the baseline."""
        joined = combine(self.baseline, parts)
        if joined is not None:
            self.candidates.setdefault(joined.id, joined)
        return joined

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Keep who beats the baseline on dev, best first."""
        self.staged.append((name, tuple(item.id for item in candidates)))
        bar = self.world.quality(self.baseline.program)
        quality = {item.id: self.world.quality(item.program) for item in candidates}
        kept = [item for item in candidates if quality[item.id] > bar]
        return sorted(kept, key=lambda item: -quality[item.id])

    async def emit(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def serve(
        self, candidate: Candidate, origins: Sequence[Origin], *, n_cases: int, difference: float
    ) -> None:
        """Keep what is served."""
        assert n_cases > 0
        assert difference > 0
        self.served.append(candidate.id)
        self.blame(candidate, origins)

    def blame(self, candidate: Candidate, origins: Sequence[Origin]) -> None:
        """Keep where sentences come from."""
        self.origins[candidate.id] = tuple(origins)

    def story(self) -> list[str]:
        """Return the decisions of a search in order, to be compared with another's."""
        return [event.model_dump_json() for event in self.events]
