"""What a search policy works with: every move goes through here and is journaled and counted."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from promptyard.candidates.admit import admit, fingerprint, readmit
from promptyard.candidates.combine import combine
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import EvalSetError
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.measured import require_answers, require_measured
from promptyard.line.wiring import build_stage
from promptyard.protocols import Generator, ProgressSink, Store
from promptyard.records.base import Json
from promptyard.records.cases import Case, EvalSet, SplitName
from promptyard.records.edits import Candidate, Rejection
from promptyard.records.evidence import Evidence, ScoredPrompt
from promptyard.records.messages import Completion, Message, Request
from promptyard.records.prompts import Program
from promptyard.records.runs import HistoryEntry, Progress, StageOutcome, StageSummary
from promptyard.records.scores import GradedCase, Report, Trial
from promptyard.runner.execute import Executor
from promptyard.signals.evidence import gather


@dataclass
class Trail:
    """What the run has done so far, in order; the result is written from it."""

    stages: list[StageSummary] = field(default_factory=list[StageSummary])
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    rejections: list[Rejection] = field(default_factory=list[Rejection])
    evaluated: dict[str, Candidate] = field(default_factory=dict[str, Candidate])
    evidence: Evidence = field(default_factory=Evidence)
    outcomes: dict[str, StageOutcome] = field(default_factory=dict[str, StageOutcome])
    best_score: float | None = None


class TrainBench:
    """The Bench of generators: the optimizer model, and runs on train cases by id."""

    def __init__(self, executor: Executor, train: Mapping[str, Case]) -> None:
        self._executor = executor
        self._train = train

    async def complete(
        self, role: Literal["optimizer", "judge"], messages: Sequence[Message]
    ) -> Completion:
        """Ask the optimizer or judge model once."""
        return await self._executor.caller.complete(role, Request(messages=tuple(messages)))

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Run a program on train cases. Raises EvalSetError for any other case."""
        strangers = [name for name in train_case_ids if name not in self._train]
        if strangers:
            raise EvalSetError(f"'{strangers[0]}' is not a train case; generators see only train")
        cases = [self._train[name] for name in train_case_ids]
        return await self._executor.run(program, cases, "train", replicate=replicate)


class LineContext:
    """Implements `SearchContext` on one run: executor, store, generators, funnel."""

    def __init__(
        self,
        *,
        run_id: str,
        seed: int,
        baseline: Candidate,
        eval_set: EvalSet,
        executor: Executor,
        store: Store,
        generators: Mapping[str, Generator],
        funnel: FunnelSettings,
        on_progress: ProgressSink,
        primary: str = "score",
    ) -> None:
        self._primary = primary
        self.seed = seed
        self.baseline = baseline
        self.generators = tuple(generators)
        self.trail = Trail()
        self._run_id = run_id
        self._eval_set = eval_set
        self._executor = executor
        self._store = store
        self._generators = generators
        self._funnel = funnel
        self._on_progress = on_progress
        train = eval_set.split("train")
        self._bench = TrainBench(executor, {case.id: case for case in train})
        texts = [step.prompt.text for step in baseline.program.steps]
        self._leakage = LeakageIndex(eval_set.cases, allowed=texts)
        self._seen = {fingerprint(baseline.program)}

    async def diagnose(self) -> Evidence:
        """Run the baseline on train and gather the evidence."""
        train = self._eval_set.split("train")
        report = await self._run(self.baseline.program, train, "train", "diagnose", len(train))
        require_answers(report)
        require_measured(report, self._primary)
        self._measured(self.baseline, "diagnose", report)
        graded = [
            GradedCase(case=case, trial=trial)
            for case, trial in zip(train, report.trials, strict=True)
        ]
        trajectory: list[ScoredPrompt] = []
        if report.score is not None:
            texts = "\n\n".join(step.prompt.text for step in self.baseline.program.steps)
            pct = round(100 * report.score)
            point = ScoredPrompt(program_id=self.baseline.id, text=texts, score_pct=pct)
            trajectory.append(point)
        self.trail.evidence = gather(graded, self.baseline.program, trajectory=trajectory)
        n_buckets = len(self.trail.evidence.buckets)
        await self._journal("diagnosed", {"score": report.score, "n_buckets": n_buckets})
        if report.score is not None:
            self._say(
                "diagnose",
                f"baseline {100 * report.score:.1f} % on {len(train)} train cases, "
                f"{n_buckets} failure buckets",
            )
        return self.trail.evidence

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence
    ) -> Sequence[Candidate]:
        """Ask one generator; splice, validate and journal what it proposes."""
        rng = random.Random(f"{self.seed}:{generator}:{base.id}")
        proposals = await self._generators[generator].propose(base, evidence, self._bench, rng)
        admitted: list[Candidate] = []
        for proposal in proposals:
            result = admit(proposal, base, frozenset(self._seen), self._leakage)
            if isinstance(result, Rejection):
                await self._reject(result)
            else:
                await self._accept(result)
                admitted.append(result)
        n_refused = len(proposals) - len(admitted)
        if proposals:
            self._say("propose", f"{generator}: {len(admitted)} candidates, {n_refused} refused")
        return admitted

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join candidates; None when nothing new or nothing valid comes of it."""
        joined = combine(self.baseline, parts)
        if joined is None:
            return None
        result = readmit(joined, self.baseline, frozenset(self._seen), self._leakage)
        if isinstance(result, Rejection):
            self.trail.rejections.append(result)
            return None
        self._seen.add(fingerprint(result.program))
        return result

    async def stage(self, name: str, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """Run one stage of the funnel; survivors best first."""
        stage = build_stage(name, self._funnel)
        cases = self._eval_set.split(stage.split)
        allowed = {case.id for case in cases}
        ledger = self._executor.caller.ledger
        before = ledger.spent
        total = stage.max_trials(len(candidates), len(cases))
        done = 0

        def count(trial: Trial) -> None:
            nonlocal done
            done += 1
            self._progress(name, done, max(total, done))

        async def run_cases(program: Program, chosen: Sequence[Case], replicate: int) -> Report:
            strangers = [case.id for case in chosen if case.id not in allowed]
            if strangers:
                raise EvalSetError(f"stage '{name}' may not open case '{strangers[0]}'")
            return await self._executor.run(
                program, chosen, stage.split, replicate=replicate, on_trial=count
            )

        for candidate in candidates:
            if candidate.id not in self.trail.evaluated and candidate.generator == "combine":
                await self._journal_candidate(candidate)
            self.trail.evaluated[candidate.id] = candidate
        outcome = await stage.run(candidates, self.baseline, self.trail.evidence, cases, run_cases)
        after = ledger.spent
        summary = outcome.summary.model_copy(
            update={
                "calls": after.task_calls - before.task_calls,
                "cached_calls": after.cached_calls - before.cached_calls,
            }
        )
        self.trail.stages.append(summary)
        self.trail.outcomes[name] = outcome
        for row in summary.rows:
            self._remember(row.candidate_id, row.generator, name, row.n_cases, row.score)
        for report in outcome.reports.values():
            await self._store.save_report(self._run_id, name, report)
        await self._journal("stage", summary.model_dump(mode="json"))
        self._say(
            name,
            f"{name}: {summary.n_tried} tried, {summary.n_kept} kept, {summary.calls} calls",
        )
        return outcome.kept

    async def _run(
        self, program: Program, cases: Sequence[Case], split: SplitName, phase: str, total: int
    ) -> Report:
        done = 0

        def count(trial: Trial) -> None:
            nonlocal done
            done += 1
            self._progress(phase, done, total)

        return await self._executor.run(program, cases, split, on_trial=count)

    def _measured(self, candidate: Candidate, stage: str, report: Report) -> None:
        self._remember(candidate.id, candidate.generator, stage, report.n_scored, report.score)

    def _remember(
        self, candidate_id: str, generator: str, stage: str, n_cases: int, score: float | None
    ) -> None:
        known = self.trail.evaluated.get(candidate_id)
        calls = self._executor.caller.ledger.spent.task_calls
        self.trail.history.append(
            HistoryEntry(
                candidate_id=candidate_id,
                generator=generator,
                hypothesis=known.hypothesis if known else "",
                stage=stage,
                n_cases=n_cases,
                score=score,
                calls_so_far=calls,
            )
        )
        if score is not None and stage in ("diagnose", "regress", "full"):
            best = self.trail.best_score
            self.trail.best_score = score if best is None else max(best, score)

    async def _accept(self, candidate: Candidate) -> None:
        self._seen.add(fingerprint(candidate.program))
        await self._journal_candidate(candidate)

    async def _journal_candidate(self, candidate: Candidate) -> None:
        await self._journal(
            "proposed",
            {
                "candidate_id": candidate.id,
                "generator": candidate.generator,
                "hypothesis": candidate.hypothesis,
                "evidence": list(candidate.evidence),
                "edits": [edit.model_dump(mode="json") for edit in candidate.edits],
            },
        )

    async def _reject(self, rejection: Rejection) -> None:
        self.trail.rejections.append(rejection)
        await self._journal("rejected", rejection.model_dump(mode="json"))

    async def _journal(self, kind: str, payload: Mapping[str, Json]) -> None:
        await self._store.append_journal(self._run_id, kind, payload)

    def _progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        ledger = self._executor.caller.ledger
        self._on_progress(
            Progress(
                phase=phase,
                done=done,
                total=total,
                spent=ledger.spent,
                calls_left=ledger.task_calls_left,
                best_score=self.trail.best_score,
                message=message,
            )
        )

    def _say(self, phase: str, message: str) -> None:
        self._progress(phase, 0, 0, message)
