"""A SearchContext in memory: real generators, real validators, a task model that is a function."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from promptyard.candidates.admit import admit, fingerprint
from promptyard.candidates.combine import combine
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Generator
from promptyard.records.atoms import Atom
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.events import Event
from promptyard.records.evidence import Attempt, Evidence, ScoredPrompt, TrainTrial
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo
from promptyard.records.scores import GradedCase
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from support.stations import label_trial

Answer = Callable[[str, Case], str]
"""What the task model answers to a prompt text and a case."""


class MemoryContext:
    """Runs label tasks in memory and counts the calls.

    Attributes:
        bench: what the generators ask.
        calls: task calls so far; each case of a candidate is paid once.
        runs: (candidate, case ids, purpose) of every run.
        staged: (stage, candidates) of every stage.
        events: the events in order.
        blamed: the origins that were kept, by candidate.
    """

    seed = 0
    stochastic = False
    confirms = True
    labels: Sequence[str] = ()
    past_origins: Sequence[Origin] = ()

    def __init__(
        self,
        *,
        baseline: Candidate,
        train: Sequence[Case],
        answer: Answer,
        generators: Mapping[str, Generator],
        bench: ReplyingBench,
        max_calls: int | None = None,
        keeps: bool = True,
    ) -> None:
        self.baseline = baseline
        self.train = train
        self.calls = 0
        self.runs: list[tuple[Candidate, list[str], str]] = []
        self.staged: list[tuple[str, list[Candidate]]] = []
        self.events: list[Event] = []
        self.blamed: dict[str, list[Origin]] = {}
        self.rejections: list[Rejection] = []
        self._answer = answer
        self._generators = generators
        self.bench = bench
        self._max_calls = max_calls
        self._keeps = keeps
        self._rows: dict[str, dict[str, TrainTrial]] = {}
        self._evaluated: dict[str, Candidate] = {}
        self._leakage = LeakageIndex(train)
        self._seen = {fingerprint(baseline.program)}

    @property
    def generators(self) -> Sequence[str]:
        return tuple(self._generators)

    @property
    def task_calls_left(self) -> int | None:
        return None if self._max_calls is None else self._max_calls - self.calls

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
        del replicate, priority, settled
        self.runs.append((candidate, [case.id for case in cases], purpose))
        self._evaluated.setdefault(candidate.id, candidate)
        known = self._rows.setdefault(candidate.id, {})
        for case in cases:
            if case.id not in known:
                if self._max_calls is not None and self.calls >= self._max_calls:
                    raise BudgetExceeded("no task call is left")
                self.calls += 1
                got = self._answer(candidate.program.prompt.text, case)
                trial = label_trial(case, got, candidate.id)
                known[case.id] = TrainTrial(case=case, trial=trial)
        return [known[case.id] for case in cases]

    def scores(self, candidate: Candidate) -> Mapping[str, float]:
        rows = self._rows.get(candidate.id, {})
        return {name: row.trial.score or 0.0 for name, row in rows.items()}

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        points: list[ScoredPrompt] = []
        for candidate in self._evaluated.values():
            values = list(self.scores(candidate).values())
            points.append(
                ScoredPrompt(
                    program_id=candidate.id,
                    text=candidate.program.prompt.text,
                    score_pct=round(100 * sum(values) / len(values)),
                )
            )
        graded = [GradedCase(case=row.case, trial=row.trial) for row in rows]
        return gather(graded, base.program, trajectory=points, attempts=attempts)

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        rng = random.Random(f"{self.seed}:{generator}:{base.id}:{attempt}")
        made = await self._generators[generator].propose(base, evidence, self.bench, rng)
        admitted: list[Candidate] = []
        for proposal in made:
            result = admit(proposal, base, frozenset(self._seen), self._leakage)
            if isinstance(result, Rejection):
                self.rejections.append(result)
            else:
                self._seen.add(fingerprint(result.program))
                admitted.append(result)
        return admitted

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        raise AssertionError(f"{generator} composes {len(atoms)} atoms, {demos}, {buckets}")

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        return combine(self.baseline, parts)

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        self.staged.append((name, list(candidates)))
        return list(candidates) if self._keeps else []

    async def emit(self, event: Event) -> None:
        self.events.append(event)

    def serve(
        self, candidate: Candidate, origins: Sequence[Origin], *, n_cases: int, difference: float
    ) -> None:
        raise AssertionError(f"{candidate.id} {origins} {n_cases} {difference}")

    def blame(self, candidate: Candidate, origins: Sequence[Origin]) -> None:
        self.blamed[candidate.id] = list(origins)
