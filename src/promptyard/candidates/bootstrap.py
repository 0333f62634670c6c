"""Bootstrapping: run a program that shows demonstrations until enough of its answers pass.

Source: DSPy's BootstrapFewShot (arXiv 2310.03714), without its quirks (anchors on algorithms, A7).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from promptyard.candidates.demo_pool import (
    DemoSettings,
    Example,
    Pool,
    example_of,
    passes,
    with_examples,
)
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Bench
from promptyard.records.cases import Case
from promptyard.records.edits import SetDemos, SetParam, apply_edits
from promptyard.records.evidence import TrainTrial
from promptyard.records.prompts import Program

LATER_TEMPERATURE = 1.0
"""With which a program is run again on what it failed before: it has to answer otherwise."""


class Teacher:
    """The program with demonstrations, which never hold the example that is being made.

    It shows the program's own demonstrations, else up to `max_labelled` gold ones.
    """

    def __init__(
        self, program: Program, pool: Pool, settings: DemoSettings, rng: random.Random
    ) -> None:
        self._program = program
        own = any(step.prompt.demos for step in program.steps)
        gold = [] if own else pool.fill(())
        self._shown = rng.sample(gold, min(settings.max_labelled, settings.max_demos, len(gold)))

    def program_for(self, case: Case, round_: int) -> Program:
        """Return the program to run on a case; later rounds sample."""
        shown = [example for example in self._shown if example.may_teach(case)]
        edits: list[SetDemos | SetParam] = list(with_examples(self._program, shown))
        for step in self._program.steps:
            left = tuple(demo for demo in step.prompt.demos if demo.case_id != case.id)
            if left != step.prompt.demos:
                edits.append(SetDemos(step=step.name, demos=left))
            if round_ > 0:
                edits.append(SetParam(step=step.name, name="temperature", value=LATER_TEMPERATURE))
        return apply_edits(self._program, edits) if edits else self._program


@dataclass
class Bootstrap:
    """Adds passing runs to those of a pool until there are `max_bootstrapped`."""

    program: Program
    pool: Pool
    settings: DemoSettings
    bench: Bench
    rng: random.Random
    found: list[Example] = field(default_factory=list[Example])
    n_runs: int = 0
    n_errors: int = 0
    ended: bool = False

    async def run(self, rows: Sequence[TrainTrial]) -> tuple[Example, ...]:
        """Try the rows in their order, those that fail again in later rounds, and sample there.

        Returns the passing examples, those of the pool first. Cases run side by side, never more
        of them than successes are missing: no more runs are made than one after the other. Costs
        at most `max_runs` runs; it ends early with the budget or after `max_errors` errors.
        """
        self.found = list(self.pool.passing)
        have = {example.case.id for example in self.found}
        waiting = [row for row in rows if row.case.id not in have]
        teacher = Teacher(self.program, self.pool, self.settings, self.rng)
        for round_ in range(self.settings.max_rounds):
            queue: list[tuple[TrainTrial, Program]] = []
            failed: list[TrainTrial] = []
            for row in waiting:
                program = teacher.program_for(row.case, round_)
                # What the program itself answered is known: asked again it answers the same.
                known = round_ == 0 and program.id == row.trial.program_id
                failed += [row] if known else []
                queue += [] if known else [(row, program)]
            while queue and (n := self._room()):
                failed += await self._wave(queue[:n], round_)
                queue = queue[n:]
            waiting = failed
        return tuple(self.found)

    def _room(self) -> int:
        """Return how many runs may be made at once: as many as successes are missing."""
        if self.ended or self.n_errors >= self.settings.max_errors:
            return 0
        missing = self.settings.max_bootstrapped - len(self.found)
        return max(0, min(missing, self.settings.max_runs - self.n_runs))

    async def _wave(
        self, wave: Sequence[tuple[TrainTrial, Program]], round_: int
    ) -> list[TrainTrial]:
        """Run some cases; return the rows that did not pass."""
        self.n_runs += len(wave)
        reports = await asyncio.gather(
            *(self.bench.run(program, [row.case.id], round_) for row, program in wave),
            return_exceptions=True,  # answers in flight are paid for: wait for them in any case
        )
        failed: list[TrainTrial] = []
        for (row, _), report in zip(wave, reports, strict=True):
            if isinstance(report, BudgetExceeded):
                self.ended = True
                continue
            if isinstance(report, BaseException):
                raise report
            trial = report.trials[0]
            self.n_errors += trial.status != "scored"
            example = example_of(self.program, row.case, trial, self.rng)
            if passes(trial, self.settings.threshold) and example.demos:
                self.found.append(example)
            else:
                failed.append(row)
        return failed
