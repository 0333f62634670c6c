"""The order of demonstrations: some orders race on train cases, the best must beat the present one.

Order alone can move a model from chance to its best, and a good order of one model is none of
another's, so orders are always run. The race halves the orders on one half of the cases; its winner
is compared with the incumbent, in pairs, on the other half, which did not choose it. Source: Lu et
al. 2022 (arXiv 2104.08786); anchors on algorithms, A9.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.candidates.demo_pool import DemoSettings
from promptyard.errors import BudgetExceeded
from promptyard.protocols import Bench
from promptyard.records.edits import PermuteDemos, apply_edits
from promptyard.records.prompts import Program, Step
from promptyard.records.scores import Trial
from promptyard.stats.halving import Rung, halving_schedule, next_halving, schedule_calls
from promptyard.stats.label_entropy import global_entropy
from promptyard.stats.quick_look import paired_z

FIRST_CASES = 3
"""Cases on which an order is seen before half of them go."""


@dataclass(frozen=True)
class OrderFound:
    """An order that won, on how many cases it was compared, and by how much (mean difference)."""

    edit: PermuteDemos
    n_cases: int
    difference: float


def orders_of(n_demos: int, limit: int, rng: random.Random) -> list[tuple[int, ...]]:
    """Return up to min(24, n_demos!, `limit`) different orders, the present one first."""
    present = tuple(range(n_demos))
    wanted = min(24, limit, math.factorial(min(n_demos, 5)))
    orders = {present: None}
    while len(orders) < wanted:
        orders[tuple(rng.sample(present, n_demos))] = None
    return list(orders)


class OrderSearch:
    """Looks for a better order of one step's demonstrations, within `max_order_runs` runs."""

    def __init__(self, program: Program, step: Step, bench: Bench, settings: DemoSettings) -> None:
        self._program = program
        self._step = step
        self._bench = bench
        self._settings = settings
        self._trials: dict[tuple[int, ...], dict[str, Trial]] = {}
        self._n_runs = 0

    async def run(self, case_ids: Sequence[str], rng: random.Random) -> OrderFound | None:
        """Return an order that beats the present one; None keeps it, also at the budget's end.

        `case_ids` are cases that the program does not show, not chosen for how it answered them.
        With fewer than `order_cases` on each side, or no budget for two orders, nothing is run.
        """
        n_cases = self._settings.order_cases
        if len(self._step.prompt.demos) < 2 or len(case_ids) < 2 * n_cases:
            return None
        racing, deciding = case_ids[:n_cases], case_ids[n_cases : 2 * n_cases]
        orders = orders_of(len(self._step.prompt.demos), self._settings.max_orders, rng)
        orders, schedule = self._affordable(orders)
        if schedule is None:
            return None
        try:
            best = await self._race(orders, schedule, racing)
            present = orders[0]
            if best == present:
                return None
            await self._ask([present, best], deciding)
        except BudgetExceeded:
            return None
        return self._ruling(present, best, deciding)

    def _affordable(
        self, orders: list[tuple[int, ...]]
    ) -> tuple[list[tuple[int, ...]], Sequence[Rung] | None]:
        """Return as many orders as the runs pay for, with the plan of their race."""
        n_cases = self._settings.order_cases
        for n in range(len(orders), 1, -1):
            schedule = halving_schedule(n, n_cases, n_first=min(FIRST_CASES, n_cases))
            if schedule_calls(schedule, n) + 2 * n_cases <= self._settings.max_order_runs:
                return orders[:n], schedule
        return orders[:1], None

    async def _race(
        self, orders: Sequence[tuple[int, ...]], schedule: Sequence[Rung], case_ids: Sequence[str]
    ) -> tuple[int, ...]:
        racing = {str(order): order for order in orders}
        while True:
            scores = {name: self._scores(order, case_ids) for name, order in racing.items()}
            step = next_halving(scores, schedule)
            running = [racing[name] for name in step.candidates]
            if step.done:
                return self._surest(running)
            # Halving keeps all that tie, and right or wrong ties often: the runs decide how many.
            n_new = step.n_cases - min(len(scores[name]) for name in step.candidates)
            room = self._settings.max_order_runs - 2 * self._settings.order_cases - self._n_runs
            running = running[: max(0, room) // n_new]
            if len(running) < 2:
                return self._surest(running)
            await self._ask(running, case_ids[: step.n_cases])
            racing = {str(order): order for order in running}

    def _scores(self, order: tuple[int, ...], case_ids: Sequence[str]) -> list[float | None]:
        trials = self._trials.get(order, {})
        return [trials[case].score for case in case_ids if case in trials]

    def _surest(self, tied: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """Return the present order where it is among the tied; else that of most entropy."""

        def entropy(order: tuple[int, ...]) -> float:
            trials = self._trials[order].values()
            return global_entropy([trial.output.strip() for trial in trials]) or 0.0

        present = tuple(range(len(self._step.prompt.demos)))
        if not tied or present in tied:
            return present
        return max(tied, key=entropy)  # the first of equals

    async def _ask(self, orders: Sequence[tuple[int, ...]], case_ids: Sequence[str]) -> None:
        """Run orders on the cases that they have not answered yet, side by side."""
        reports = await asyncio.gather(
            *(self._answers(order, case_ids) for order in orders), return_exceptions=True
        )
        for report in reports:
            if isinstance(report, BaseException):
                raise report

    async def _answers(self, order: tuple[int, ...], case_ids: Sequence[str]) -> None:
        known = self._trials.setdefault(order, {})
        missing = [case for case in case_ids if case not in known]
        if not missing:
            return
        program = self._program
        if order != tuple(range(len(order))):
            program = apply_edits(program, [PermuteDemos(step=self._step.name, order=order)])
        self._n_runs += len(missing)
        report = await self._bench.run(program, missing)
        known.update({trial.case_id: trial for trial in report.trials})

    def _score(self, order: tuple[int, ...], case_id: str) -> float | None:
        trial = self._trials.get(order, {}).get(case_id)
        return None if trial is None else trial.score

    def _ruling(
        self, present: tuple[int, ...], best: tuple[int, ...], case_ids: Sequence[str]
    ) -> OrderFound | None:
        differences = [
            after - before
            for case in case_ids
            if (after := self._score(best, case)) is not None
            and (before := self._score(present, case)) is not None
        ]
        z = paired_z(differences)
        if z is None or z < self._settings.order_z or sum(differences) <= 0:
            return None
        edit = PermuteDemos(step=self._step.name, order=best)
        return OrderFound(edit, len(differences), sum(differences) / len(differences))
