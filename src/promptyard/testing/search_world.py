"""A small world to search in, without a model: what a prompt says decides which cases pass.

`WorldContext` fits `SearchContext`. Each case needs one sentence of the prompt; the scripted
generators propose sentences. Nothing waits, everything repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from promptyard.errors import BudgetExceeded, EditError, PromptError
from promptyard.records.atoms import Atom, compose
from promptyard.records.base import content_hash
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Replace, apply_edits
from promptyard.records.events import Event
from promptyard.records.evidence import Attempt, Bucket, Evidence, ScoredPrompt, TrainTrial
from promptyard.records.origins import Origin
from promptyard.records.prompts import Demo, Program, Prompt
from promptyard.records.scores import Score, Trial

SEED = "system:\nAnswer the question.\n\nuser:\n{{x}}\n"
RULES: Mapping[str, str] = {
    "format": "Answer in one word.",
    "units": "Give every length in metres.",
    "dates": "Write dates as year, month, day.",
    "names": "Keep names as they are spelt.",
}
"""What the cases need: the tag of the failure, and the sentence that cures it."""


class WorldContext:
    """A SearchContext over `RULES`.

    Attributes:
        asked: every question in order, as text: `run <purpose> <n>`, `propose <generator>`,
            `stage <name> <n>`.
        events: what was emitted.
    """

    confirms = True
    labels: Sequence[str] = ()
    past_origins: Sequence[Origin] = ()

    def __init__(
        self,
        *,
        n_cases: int = 60,
        sentences: Mapping[str, str] | None = None,
        generators: Sequence[str] = ("reflect",),
        task_calls: int | None = None,
        keeps: Callable[[str, Candidate], bool] | None = None,
        stochastic: bool = False,
    ) -> None:
        """Set up the world; `sentences` is what the generators propose by tag (default: the cure).

        `task_calls` is a budget; `keeps` decides in stages (default: ahead of the baseline).
        """
        self.seed = 0
        self.baseline = Candidate(program=Program.single(Prompt.from_text(SEED)))
        tags = list(RULES)
        self.train: Sequence[Case] = tuple(
            Case(
                id=f"t{number:03d}",
                input={"x": f"question {number}"},
                expected="yes",
                tags=(tags[number % len(tags)],),
                split="train",
            )
            for number in range(n_cases)
        )
        self.stochastic = stochastic
        self.generators: Sequence[str] = tuple(generators)
        self.asked: list[str] = []
        self.events: list[Event] = []
        self.served: list[Candidate] = []
        self.n_calls = 0
        self._sentences = dict(RULES if sentences is None else sentences)
        self._task_calls = task_calls
        self._keeps = keeps
        self._scores: dict[str, dict[str, float | None]] = {}
        self._programs: dict[str, Candidate] = {}

    @property
    def task_calls_left(self) -> int | None:
        """What is left of the budget."""
        return None if self._task_calls is None else self._task_calls - self.n_calls

    def passes(self, candidate: Candidate, case: Case) -> bool:
        """Say whether a prompt has the sentence that a case needs."""
        return RULES[case.tags[0]] in candidate.program.prompt.text

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
        """Answer by the rules; a row that was run before costs nothing."""
        del priority
        self.asked.append(f"run {purpose} {len(cases)}")
        known = self._scores.setdefault(candidate.id, {})
        self._programs[candidate.id] = candidate
        rows: list[TrainTrial] = []
        for case in cases:
            if case.id not in known or replicate:
                if self.task_calls_left == 0:
                    raise BudgetExceeded("the scripted budget is used up")
                self.n_calls += 1
            row = self._row(candidate, case, replicate)
            known[case.id] = row.trial.score
            rows.append(row)
            if settled is not None and settled(row):
                break
        return rows

    def _row(self, candidate: Candidate, case: Case, replicate: int) -> TrainTrial:
        right = self.passes(candidate, case)
        tag = case.tags[0]
        score = Score(
            metric="rule",
            value=float(right),
            tags=() if right else (tag,),
            reason="" if right else f"{tag} is wrong",
        )
        trial = Trial(
            program_id=candidate.id,
            case_id=case.id,
            split="train",
            replicate=replicate,
            status="scored",
            score=float(right),
            passed=right,
            output="yes" if right else "no",
            scores=(score,),
        )
        return TrainTrial(case=case, trial=trial)

    def scores(self, candidate: Candidate) -> Mapping[str, float]:
        """Return what was run of a candidate and has a score."""
        known = self._scores.get(candidate.id, {})
        return {name: score for name, score in known.items() if score is not None}

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        """Sort rows into one bucket a tag. What has no score is neither failure nor success."""
        del base
        failures = tuple(
            row for row in rows if row.trial.score is not None and not row.trial.passed
        )
        members: dict[str, list[str]] = {}
        for row in failures:
            members.setdefault(row.case.tags[0], []).append(row.case.id)
        trajectory = [
            ScoredPrompt(
                program_id=name,
                text=candidate.program.prompt.text,
                score_pct=round(100 * sum(scores.values()) / len(scores)),
            )
            for name, candidate in self._programs.items()
            if (scores := self.scores(candidate))
        ]
        return Evidence(
            failures=failures,
            successes=tuple(row for row in rows if row.trial.passed),
            buckets=tuple(
                Bucket(tag=tag, case_ids=tuple(ids), primary_ids=tuple(ids))
                for tag, ids in members.items()
            ),
            trajectory=tuple(sorted(trajectory, key=lambda point: point.score_pct)),
            attempts=tuple(attempts),
        )

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        """Append the scripted sentence of each bucket asked about."""
        self.asked.append(f"propose {generator}")
        found: list[Candidate] = []
        for bucket in evidence.buckets:
            sentence = self._sentences.get(bucket.tag)
            if sentence is None or sentence in base.program.prompt.text:
                continue
            found.append(self._with_sentence(base, generator, bucket, sentence))
        return found

    def _with_sentence(
        self, base: Candidate, generator: str, bucket: Bucket, sentence: str
    ) -> Candidate:
        section = base.program.prompt.sections[0]
        at = len(section.text.rstrip())
        edit = Replace(section=section.id, start=at, end=at, old="", text=f"\n{sentence}")
        return Candidate(
            program=apply_edits(base.program, [edit]),
            parents=(base.id,),
            edits=(edit,),
            generator=generator,
            hypothesis=f"{bucket.name} wants a sentence.",
            evidence=(bucket.name,),
        )

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        """Apply atoms to the seed."""
        chosen = ("main", tuple(demos)) if demos else None
        try:
            made = compose(self.baseline.program, atoms, chosen)
        except (EditError, PromptError):
            return None
        if not made.edits:
            return self.baseline
        return Candidate(
            program=made.program,
            parents=(self.baseline.id,),
            edits=made.edits,
            generator=generator,
            evidence=tuple(buckets),
        )

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join nothing."""
        del parts
        return None

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Keep those ahead of the baseline, best first."""
        self.asked.append(f"stage {name} {len(candidates)}")
        kept = [
            item
            for item in candidates
            if (self._keeps(name, item) if self._keeps else self._quality(item) > 0)
        ]
        return sorted(kept, key=lambda item: -self._quality(item))

    def _quality(self, candidate: Candidate) -> int:
        return sum(sentence in candidate.program.prompt.text for sentence in RULES.values())

    async def emit(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    def serve(
        self, candidate: Candidate, origins: Sequence[Origin], *, n_cases: int, difference: float
    ) -> None:
        """Keep the candidate."""
        del origins, n_cases, difference
        self.served.append(candidate)

    def blame(self, candidate: Candidate, origins: Sequence[Origin]) -> None:
        """Keep nothing."""

    @property
    def journal(self) -> str:
        """A hash of everything that was asked and emitted: equal for equal searches."""
        return content_hash([self.asked, [event.model_dump(mode="json") for event in self.events]])
