"""The policy `auto`: a fixed schedule of diagnose, generate, screen, combine, regress, full.

Every generator is asked once. What passes its screen is joined: all text patches together, and
these with each demonstration set. The joined candidates and the best single ones meet the
regression subset; at most three finalists see all of dev; the best of them is the finalist.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.protocols import SearchContext
from promptyard.records.edits import Candidate

MAX_REGRESSED = 6
MAX_FINALISTS = 3


class Auto:
    """The fixed schedule. Deterministic: the same context gives the same finalist."""

    name = "auto"

    async def search(self, context: SearchContext) -> Candidate | None:
        """Run the schedule; None when nothing survives it."""
        evidence = await context.diagnose()
        proposed: list[Candidate] = []
        for generator in context.generators:
            proposed += await context.propose(generator, context.baseline, evidence)
        if not proposed:
            return None
        screened = await context.stage("screen", proposed)
        joined = join(context, screened)
        entrants = [*joined, *(item for item in screened if item not in joined)][:MAX_REGRESSED]
        if not entrants:
            return None
        regressed = await context.stage("regress", entrants)
        if not regressed:
            return None
        finalists = await context.stage("full", regressed[:MAX_FINALISTS])
        return finalists[0] if finalists else None


def join(context: SearchContext, screened: Sequence[Candidate]) -> list[Candidate]:
    """Join the survivors of the screen: the patches, and the patches with each demonstration set.

    Larger demonstration sets first: they were the ones that a screen of few cases favours least.
    """
    patches = [item for item in screened if item.generator != "demos"]
    demos = [item for item in screened if item.generator == "demos"]
    together = context.combine(patches)
    head = together or (patches[0] if patches else None)
    joined = [together] if together is not None else []
    if head is not None:
        by_size = sorted(demos, key=lambda item: -len(item.program.prompt.demos))
        for item in by_size:
            both = context.combine([item, *patches])
            if both is not None:
                joined.append(both)
    return joined
