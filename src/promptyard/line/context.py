"""The doors between a search policy and the line: train cases, stages, and what is kept of them.

Every move of a search goes through here. Who may come in is decided in `admission`; what has
happened is told in `telling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from promptyard.errors import EvalSetError
from promptyard.funnel.paired import stratified
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.admission import Admission
from promptyard.line.bench import TrainBench
from promptyard.line.measured import require_answers, require_measured
from promptyard.line.observations import Observations, RowsInOrder
from promptyard.line.telling import Telling
from promptyard.line.trail import Trail, label_set
from promptyard.line.wiring import build_stage
from promptyard.protocols import EventSink, Generator, ProgressSink, Store
from promptyard.records.atoms import Atom
from promptyard.records.cases import Case, EvalSet
from promptyard.records.edits import Candidate
from promptyard.records.events import Event, Noted
from promptyard.records.evidence import Attempt, Evidence, ScoredPrompt, TrainTrial
from promptyard.records.origins import Origin, ServedPoint
from promptyard.records.prompts import Demo, Program
from promptyard.records.scores import GradedCase, Report, Trial
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
        self._funnel = funnel
        self._by_id = {case.id: case for case in self.train}
        self._observations = Observations(self.train)
        self._telling = Telling(
            run_id=run_id,
            store=store,
            ledger=executor.caller.ledger,
            trail=self.trail,
            on_progress=on_progress,
            on_event=on_event,
        )
        self._admission = Admission(
            seed=seed,
            baseline=baseline,
            cases=eval_set.cases,
            generators=generators,
            bench=TrainBench(executor, self._by_id),
            trail=self.trail,
            telling=self._telling,
        )

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
            self._telling.progress(purpose, done, len(missing))
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
        await self._telling.screened(candidate, purpose, rows)
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
        """Ask one generator; of what it proposes, return what the validators let pass."""
        return await self._admission.propose(generator, base, evidence, attempt=attempt)

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        """Apply atoms and demonstrations to the baseline; None where the validators refuse."""
        return await self._admission.compose(atoms, demos, generator=generator, buckets=buckets)

    def combine(self, parts: Sequence[Candidate]) -> Candidate | None:
        """Join candidates; None when nothing new or nothing valid comes of it."""
        return self._admission.combine(parts)

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
            self._telling.progress(name, done, max(total, done))

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
        await self._telling.staged(outcome.model_copy(update={"summary": summary}), after)
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
        await self._telling.emit(event)

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

    def _require_measured(self, rows: Sequence[TrainTrial]) -> None:
        graded = [row.trial for row in rows]
        report = self._executor.report(
            self.baseline.program, [row.case for row in rows], "train", graded
        )
        require_answers(report)
        require_measured(report, self._primary)

    def _trajectory(self) -> list[ScoredPrompt]:
        points: list[ScoredPrompt] = []
        for candidate in self.trail.evaluated.values():
            scores = self._observations.scores(candidate.id)
            if scores:
                text = "\n\n".join(step.prompt.text for step in candidate.program.steps)
                pct = round(100 * sum(scores.values()) / len(scores))
                points.append(ScoredPrompt(program_id=candidate.id, text=text, score_pct=pct))
        return points
