"""What a search policy works with: every move goes through here and is journaled and counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from promptyard.candidates.admit import admit, fingerprint, readmit
from promptyard.candidates.combine import combine
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import EditError, EvalSetError, PromptError
from promptyard.funnel.paired import stratified
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.bench import TrainBench
from promptyard.line.listener import Listener
from promptyard.line.measured import require_answers, require_measured
from promptyard.line.observations import Observations, RowsInOrder
from promptyard.line.trail import Trail, about, label_set, sentence
from promptyard.line.wiring import build_stage
from promptyard.protocols import EventSink, Generator, ProgressSink, Store
from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case, EvalSet
from promptyard.records.edits import Candidate, Proposal, Rejection
from promptyard.records.events import (
    Composed,
    Eliminated,
    Event,
    Noted,
    Proposed,
    Rejected,
    Screened,
    Spending,
    Staged,
)
from promptyard.records.evidence import Attempt, Evidence, ScoredPrompt, TrainTrial
from promptyard.records.origins import Origin, ServedPoint
from promptyard.records.prompts import Demo, Program
from promptyard.records.runs import HistoryEntry, Progress
from promptyard.records.scores import GradedCase, Report, Trial
from promptyard.records.turns import in_turn
from promptyard.runner.execute import Executor
from promptyard.signals.evidence import gather

MIN_FULL_CASES = 8
"""On fewer dev cases nothing could be told apart."""


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
        on_event: EventSink | None = None,
        primary: str = "score",
        targets: Mapping[str, str] | None = None,
        past_origins: Sequence[Origin] = (),
    ) -> None:
        self.seed = seed
        self.baseline = baseline
        self.generators = tuple(generators)
        self.train: Sequence[Case] = tuple(stratified(eval_set.split("train"), seed))
        self.stochastic = funnel.stochastic
        self.confirms = bool(eval_set.split("holdout"))
        self.labels: Sequence[str] = label_set(eval_set.cases)
        self.past_origins = past_origins
        self.trail = Trail()
        self._primary = primary
        self._targets = dict(targets or {})
        self._run_id = run_id
        self._eval_set = eval_set
        self._executor = executor
        self._store = store
        self._generators = generators
        self._funnel = funnel
        self._on_progress = on_progress
        self._listener = Listener(on_event)
        self._by_id = {case.id: case for case in self.train}
        self._observations = Observations(self.train)
        self._bench = TrainBench(executor, self._by_id)
        texts = [step.prompt.text for step in baseline.program.steps]
        self._leakage = LeakageIndex(eval_set.cases, allowed=texts)
        self._seen = {fingerprint(baseline.program)}

    @property
    def task_calls_left(self) -> int | None:
        """Task calls that the search may still make, the reserve for the decision not counted."""
        return self._executor.caller.ledger.free_task_calls_left

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
        """Run a candidate on train cases; rows that are there already are not run again."""
        found = RowsInOrder(cases, self._observations.rows(candidate.id, replicate), settled)
        missing = found.missing
        strangers = [case.id for case in missing if case.id not in self._by_id]
        if strangers:
            raise EvalSetError(f"a search may not open case '{strangers[0]}'; it sees only train")
        self.trail.evaluated.setdefault(candidate.id, candidate)
        ledger = self._executor.caller.ledger
        before = ledger.task_calls_so_far
        done = 0

        def observe(trial: Trial) -> bool:
            row = TrainTrial(case=self._by_id[trial.case_id], trial=trial)
            self._observations.add(candidate.id, row, replicate)
            return found.add(row)

        def note(trial: Trial) -> None:
            nonlocal done
            done += 1
            self._progress(purpose, done, len(missing))
            if settled is None:
                observe(trial)

        await self._executor.trials(
            candidate.program,
            missing,
            "train",
            replicate=replicate,
            priority=priority,
            on_trial=note,
            until=None if settled is None else observe,
        )
        rows = found.rows()
        if candidate is self.baseline and purpose == "baseline":
            self._require_measured(rows)
        self.trail.count_train(purpose, candidate, ledger.task_calls_so_far - before)
        await self._screened(candidate, purpose, rows)
        return rows

    def scores(self, candidate: Candidate) -> Mapping[str, float]:
        """Return every score of a candidate on train so far, by case id."""
        return self._observations.scores(candidate.id)

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        """Sort rows into evidence; the first time it is what the report shows of the baseline."""
        graded = [GradedCase(case=row.case, trial=row.trial) for row in rows]
        found = gather(
            graded,
            base.program,
            trajectory=self._trajectory(),
            rejected=self.trail.rejections[-8:],
            attempts=attempts,
            targets=self._targets,
        )
        if base is self.baseline and not self.trail.evidence.buckets:
            self.trail.evidence = found
        return found

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        """Ask one generator; splice, validate and journal what it proposes.

        Of a proposal that is refused as a whole, the edits that stand alone are kept.
        """
        names = ",".join(bucket.name for bucket in evidence.buckets)
        rng = random.Random(f"{self.seed}:{generator}:{base.id}:{names}:{attempt}")
        proposals = await self._generators[generator].propose(base, evidence, self._bench, rng)
        admitted: list[Candidate] = []
        for proposal in proposals:
            # A repeat is handed out again: which of two came first is a matter of arrival.
            result = admit(proposal, base, frozenset(), self._leakage)
            if isinstance(result, Rejection):
                await self._reject(result)
                admitted += await self._salvage(proposal, base)
            else:
                await self._accept(result)
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
        """Apply atoms and demonstrations to the baseline; None where the validators refuse."""
        program = self.baseline.program
        chosen = (program.steps[-1].name, tuple(demos)) if demos else None
        try:
            made = compose(program, atoms, chosen)
        except (EditError, PromptError) as error:
            await self._reject(Rejection(generator=generator, code="splice", reason=str(error)))
            return None
        if not made.edits:
            return self.baseline
        candidate = Candidate(
            program=made.program,
            parents=(self.baseline.id,),
            edits=made.edits,
            generator=generator,
            hypothesis=about(buckets),
            evidence=tuple(buckets),
        )
        if candidate.id in self.trail.evaluated:
            return self.trail.evaluated[candidate.id]
        result = readmit(candidate, self.baseline, frozenset(), self._leakage)
        if isinstance(result, Rejection):
            await self._reject(result)
            return None
        await self.emit(
            Composed(candidate_id=result.id, buckets=tuple(buckets), n_atoms=len(made.placed))
        )
        return result

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
        ledger.release(name)
        if name == "full":
            n_dev, cases = len(cases), self._affordable(cases, len(candidates))
            if len(cases) < min(n_dev, MIN_FULL_CASES):
                await self.emit(Noted(text="the budget pays no look at dev; it was not measured"))
                return tuple(candidates)
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
            await self._remember(
                self._entry(row.candidate_id, row.generator, name, row.n_cases, row.score)
            )
            if row.status == "dropped":
                await self.emit(
                    Eliminated(candidate_id=row.candidate_id, reason=f"{name}: {row.reason}")
                )
        for report in outcome.reports.values():
            await self._store.save_report(self._run_id, name, report)
        await self._store.append_journal(self._run_id, "stage", summary.model_dump(mode="json"))
        await self._publish(
            Staged(stage=name, n_tried=summary.n_tried, n_kept=summary.n_kept, calls=summary.calls)
        )
        await self.emit(Spending(spent=after))
        return outcome.kept

    def _affordable(self, cases: Sequence[Case], n_candidates: int) -> Sequence[Case]:
        """Return the cases that the baseline and all candidates can still be run on."""
        left = self.task_calls_left
        if left is None:
            return cases
        n_programs = (n_candidates + 1) * len(self.baseline.program.steps)
        return stratified(cases, self.seed)[: left // n_programs]

    async def emit(self, event: Event) -> None:
        """Journal an event, and show it to whoever listens; from work side by side in its turn."""
        await in_turn(partial(self._tell, event))

    async def _tell(self, event: Event) -> None:
        await self._store.append_journal(
            self._run_id, event.kind, event.model_dump(mode="json", exclude={"kind"})
        )
        await self._publish(event)
        self.trail.keep(event)

    def serve(
        self, candidate: Candidate, origins: Sequence[Origin], *, n_cases: int, difference: float
    ) -> None:
        """Note a candidate that beats the baseline on unseen cases."""
        self.blame(candidate, origins)
        self.trail.served.append(
            ServedPoint(
                calls_so_far=self._executor.caller.ledger.task_calls_so_far,
                program=candidate.program,
                n_cases=n_cases,
                difference=difference,
            )
        )

    def blame(self, candidate: Candidate, origins: Sequence[Origin]) -> None:
        """Keep where the sentences of a candidate come from."""
        stamped = [item.model_copy(update={"run_id": self._run_id}) for item in origins]
        self.trail.origins[candidate.id] = tuple(stamped)

    async def _salvage(self, proposal: Proposal, base: Candidate) -> list[Candidate]:
        kept: list[Candidate] = []
        if len(proposal.edits) < 2:
            return kept
        for edit in proposal.edits:
            alone = proposal.model_copy(update={"edits": (edit,)})
            result = admit(alone, base, frozenset(), self._leakage)
            if not isinstance(result, Rejection):
                await self._accept(result)
                kept.append(result)
        return kept

    def _require_measured(self, rows: Sequence[TrainTrial]) -> None:
        graded = [row.trial for row in rows]
        report = self._executor.report(
            self.baseline.program, [row.case for row in rows], "train", graded
        )
        require_answers(report)
        require_measured(report, self._primary)

    async def _screened(
        self, candidate: Candidate, purpose: str, rows: Sequence[TrainTrial]
    ) -> None:
        values = [row.trial.score for row in rows if row.trial.score is not None]
        score = sum(values) / len(values) if values else None
        event = Screened(
            candidate_id=candidate.id, purpose=purpose, n_cases=len(values), score=score
        )
        entry = self._entry(candidate.id, candidate.generator, purpose, len(values), score)
        await in_turn(partial(self._remember, entry))
        await self.emit(event)

    def _trajectory(self) -> list[ScoredPrompt]:
        points: list[ScoredPrompt] = []
        for candidate in self.trail.evaluated.values():
            scores = self._observations.scores(candidate.id)
            if scores:
                text = "\n\n".join(step.prompt.text for step in candidate.program.steps)
                pct = round(100 * sum(scores.values()) / len(scores))
                points.append(ScoredPrompt(program_id=candidate.id, text=text, score_pct=pct))
        return points

    def _entry(
        self, candidate_id: str, generator: str, stage: str, n_cases: int, score: float | None
    ) -> HistoryEntry:
        known = self.trail.evaluated.get(candidate_id)
        return HistoryEntry(
            candidate_id=candidate_id,
            generator=generator,
            hypothesis=known.hypothesis if known else "",
            stage=stage,
            n_cases=n_cases,
            score=score,
            calls_so_far=self._executor.caller.ledger.task_calls_so_far,
        )

    async def _remember(self, entry: HistoryEntry) -> None:
        self.trail.history.append(entry)
        if entry.score is not None and entry.stage in ("baseline", "fresh", "regress", "full"):
            best = self.trail.best_score
            self.trail.best_score = entry.score if best is None else max(best, entry.score)

    async def _accept(self, candidate: Candidate) -> None:
        self._seen.add(fingerprint(candidate.program))
        await self.emit(
            Proposed(
                candidate_id=candidate.id,
                generator=candidate.generator,
                hypothesis=candidate.hypothesis,
                evidence=candidate.evidence,
                edits=tuple(edit.model_dump(mode="json") for edit in candidate.edits),
            )
        )

    async def _reject(self, rejection: Rejection) -> None:
        async def keep() -> None:
            self.trail.rejections.append(rejection)

        await in_turn(keep)
        await self.emit(Rejected(**rejection.model_dump()))

    async def _publish(self, event: Event) -> None:
        fault = self._listener.tell(event)
        said = sentence(event)
        if said:
            self._progress(event.kind, 0, 0, said)
        if fault is not None:
            await self.emit(Noted(text=fault))

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
