"""Bootstrapped demonstrations: answers of the program that passed become examples in its prompt.

Passing train traces come first; where a label has too few of them, gold answers fill up. Proposed
in several sizes, since how many help is a matter of the model and the task. Source: DSPy's
BootstrapFewShot (arXiv 2310.03714), without its quirks (anchors on algorithms, A7).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, SetDemos
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo

PER_LABEL = (1, 2, 4)
TOTALS = (4, 8, 16)
DEFAULT_MAX_DEMOS = 160


class Demos:
    """Proposes demonstration sets of growing size, at most `max_demos`. Costs no call."""

    name = "demos"

    def __init__(self, max_demos: int | None = None) -> None:
        self.max_demos = DEFAULT_MAX_DEMOS if max_demos is None else max_demos

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Choose demonstrations out of the example bank; nothing where the bank is empty."""
        del bench
        bank = list(evidence.demos)
        step = base.program.steps[-1]
        if not bank or len(base.program.steps) != 1:
            return ()
        rng.shuffle(bank)
        bank.sort(key=lambda demo: demo.source != "bootstrap")  # stable: passing ones first
        groups = _by_answer(bank)
        proposals: list[Proposal] = []
        n_before = 0
        for size in PER_LABEL if groups else TOTALS:
            if groups:
                chosen = [demo for group in groups.values() for demo in group[:size]]
            else:
                chosen = [demo for demo in bank if demo.source == "bootstrap"][:size]
            if len(chosen) <= n_before or len(chosen) > self.max_demos:
                continue  # the bank has no more, or more than the prompt may show
            n_before = len(chosen)
            rng.shuffle(chosen)
            n_own = sum(demo.source == "bootstrap" for demo in chosen)
            what = f"{size} a label" if groups else f"{size}"
            proposals.append(
                Proposal(
                    generator=self.name,
                    edits=(SetDemos(step=step.name, demos=tuple(chosen)),),
                    hypothesis=(
                        f"Showing {len(chosen)} demonstrations ({what}; {n_own} bootstrapped, "
                        f"{len(chosen) - n_own} gold) teaches what the instructions leave open."
                    ),
                    evidence=("example_bank",),
                )
            )
        return proposals


def _by_answer(bank: Sequence[Demo]) -> dict[str, list[Demo]]:
    """Group demonstrations by answer where answers are few (labels); empty otherwise."""
    groups: dict[str, list[Demo]] = {}
    for demo in bank:
        groups.setdefault(demo.output, []).append(demo)
    return dict(sorted(groups.items())) if len(groups) <= len(bank) / 2 else {}
