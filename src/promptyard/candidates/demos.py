"""Bootstrapped demonstrations: answers of the program that passed become examples in its prompt.

Sets that cost nothing come first: a few a label, no or only gold ones, the nearest to failing
inputs, one a cluster, fewer of those that are there. Then the program is run until enough answers
pass, and sets are drawn out of them at random; last, orders race. Source: DSPy's BootstrapFewShot
with random search (arXiv 2310.03714), without its quirks (anchors on algorithms, A7 and A9).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from promptyard.candidates.bootstrap import Bootstrap
from promptyard.candidates.demo_order import OrderSearch
from promptyard.candidates.demo_pool import DemoSettings, Pool, pool_of, with_examples
from promptyard.candidates.demo_sets import (
    DemoSet,
    bank_sets,
    diverse_set,
    nearest_sets,
    plain_sets,
    random_sets,
    smaller_sets,
)
from promptyard.protocols import Bench
from promptyard.records.demonstrations import can_show
from promptyard.records.edits import Candidate, Proposal, SetDemos, demo_case_ids
from promptyard.records.evidence import Evidence, TrainTrial
from promptyard.records.prompts import Program

DEFAULT_MAX_DEMOS = 160


class Demos:
    """Proposes sets of demonstrations, cheap ones first, at most `max_demos` at a step.

    Costs nothing where enough answers pass or a gold answer is all that an answer could show. Else
    at most `DemoSettings.max_runs` runs of the program; where it shows two demonstrations or more,
    at most `max_order_runs` for their order. Proposes at most 14 sets by default.
    """

    name = "demos"

    def __init__(self, max_demos: int | None = None, settings: DemoSettings | None = None) -> None:
        chosen = settings or DemoSettings()
        cap = DEFAULT_MAX_DEMOS if max_demos is None else max_demos
        self._settings = chosen.model_copy(update={"max_demos": min(cap, chosen.max_demos)})

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Choose demonstrations; nothing without rows, or where no step can show any."""
        program, settings = base.program, self._settings
        rows = (*evidence.successes, *evidence.failures)
        if not rows or not any(can_show(step.prompt) for step in program.steps):
            return ()
        seed = rng.getrandbits(32)
        pool = pool_of(program, evidence, settings, rng)
        free = self._free_sets(program, evidence, pool, rng, seed)
        proposals = [self._proposal(program, item) for item in free] + self._smaller(program)
        if teaches_more(program, evidence, pool):
            bootstrap = Bootstrap(program, pool, settings, bench, rng)
            found = await bootstrap.run(evidence.failures)
            pool = Pool(found, pool.gold, pool.gold_is_an_answer)
        proposals += [self._proposal(program, item) for item in random_sets(pool, settings, seed)]
        proposals += await self._order(program, rows, bench, seed)
        return _without_repeats(proposals)

    def _free_sets(
        self, program: Program, evidence: Evidence, pool: Pool, rng: random.Random, seed: int
    ) -> list[DemoSet]:
        settings = self._settings
        last = program.steps[-1]
        sets: list[DemoSet] = []
        if len(program.steps) == 1 and can_show(last.prompt):
            sets += bank_sets(evidence.demos, evidence, last.name, settings.max_demos, rng)
        has_demos = any(step.prompt.demos for step in program.steps)
        sets += nearest_sets(pool, evidence, settings)
        sets += diverse_set(pool, settings)
        return [*sets, *plain_sets(pool, settings, seed, has_demos=has_demos)]

    def _proposal(self, program: Program, item: DemoSet) -> Proposal:
        edits = with_examples(program, item.examples)
        if not item.examples:
            shown = [step for step in program.steps if step.prompt.demos]
            edits = tuple(SetDemos(step=step.name, demos=()) for step in shown)
        demos = [demo for edit in edits for demo in edit.demos]
        n_own = sum(demo.source == "bootstrap" for demo in demos)
        counts = f"{item.what}; {n_own} bootstrapped, {len(demos) - n_own} gold"
        said = (
            f"Showing {len(demos)} demonstrations ({counts}) teaches what instructions leave open."
        )
        if not demos:
            said = f"The prompt does as well without demonstrations ({item.what})."
        return Proposal(generator=self.name, edits=edits, hypothesis=said, evidence=item.answers)

    def _smaller(self, program: Program) -> list[Proposal]:
        """Propose fewer of the demonstrations that are there, at the step that has most of them."""
        step = max(program.steps, key=lambda step: len(step.prompt.demos))
        n_now = len(step.prompt.demos)
        return [
            Proposal(
                generator=self.name,
                edits=(SetDemos(step=step.name, demos=demos),),
                hypothesis=f"{len(demos)} of the {n_now} demonstrations do as well as all.",
                evidence=("example_bank",),
            )
            for demos in smaller_sets(step.prompt.demos)
        ]

    async def _order(
        self, program: Program, rows: Sequence[TrainTrial], bench: Bench, seed: int
    ) -> list[Proposal]:
        step = max(program.steps, key=lambda step: len(step.prompt.demos))
        shown = demo_case_ids(program)
        rng = random.Random(f"{seed}:order")
        # All rows there are, in a random order: choosing failures would favour any change.
        free = sorted(row.case.id for row in rows if row.case.id not in shown)
        rng.shuffle(free)
        search = OrderSearch(program, step, bench, self._settings)
        found = await search.run(free, rng)
        if found is None:
            return []
        said = (
            f"In another order the same demonstrations score {100 * found.difference:+.0f} points"
        )
        return [
            Proposal(
                generator=self.name,
                edits=(found.edit,),
                hypothesis=f"{said} on {found.n_cases} train cases that did not choose it.",
                evidence=("demo_order",),
            )
        ]


def teaches_more(program: Program, evidence: Evidence, pool: Pool) -> bool:
    """Say whether runs of the program could show more than gold answers do.

    They do between steps, where answers hold reasons, and where there is no gold answer. A bare
    label says the same whoever gave it.
    """
    is_label = program.steps[-1].prompt.output.format == "label"
    if len(program.steps) > 1 or not pool.gold:
        return True
    seen_bare = bool(evidence.successes) and pool.gold_is_an_answer
    return not (is_label or seen_bare)


def _without_repeats(proposals: Iterable[Proposal]) -> list[Proposal]:
    """Keep the first of proposals with the same edits; those that change nothing go."""
    kept: dict[str, Proposal] = {}
    for proposal in proposals:
        if proposal.edits:
            kept.setdefault(repr(proposal.edits), proposal)
    return list(kept.values())
