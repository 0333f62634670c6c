"""Climbs a schedule of rungs: after each prefix of the cases only the best go on.

All candidates of a rung run side by side; calls of one that can no longer stay are cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.events import Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.search.allowance import unseen_by
from promptyard.search.bars import RankBar
from promptyard.search.objectives import n_chars
from promptyard.search.pipeline import side_by_side
from promptyard.stats.halving import Rung

_DIGITS = 6  # scores come back from 32-bit storage


async def climb(
    context: SearchContext,
    candidates: Sequence[Candidate],
    order: Sequence[Case],
    schedule: Sequence[Rung],
    *,
    purpose: str,
) -> list[Candidate]:
    """Return who is left after the last rung, best first.

    A rung keeps exactly so many as it says: by mean score on its prefix of `order`, then the
    shorter prompt, then the earlier one; who scored on fewer than half of it comes last. Costs at
    most one trial for each candidate and case of its rungs, less what is known or cancelled.
    """
    left = list(candidates)
    for rung in schedule:
        prefix = order[: rung.n_cases]
        await run_prefix(context, left, prefix, purpose=purpose, n_kept=rung.n_kept)
        kept = ranking(context, left, prefix)[: rung.n_kept]
        gone = {item.id for item in left} - {item.id for item in kept}
        reason = f"not among the best {rung.n_kept} on {len(prefix)} cases"
        await eliminate(context, left, gone, reason)
        left = kept
    return left


async def run_prefix(
    context: SearchContext,
    candidates: Sequence[Candidate],
    prefix: Sequence[Case],
    *,
    purpose: str,
    n_kept: int | None,
) -> None:
    """Run all on a prefix of the cases, side by side.

    Where `n_kept` is given, calls of one that can no longer be among so many best are cancelled.
    The baseline is always run to the end: leads over it are counted on what it has run.
    """
    cases = {item.id: unseen_by(prefix, item) for item in candidates}
    ids = {name: [case.id for case in own] for name, own in cases.items()}
    bar = RankBar(len(candidates) if n_kept is None else n_kept, ids)
    for item in candidates:
        bar.know(item.id, context.scores(item))

    async def run(item: Candidate) -> None:
        is_exempt = item.id == context.baseline.id
        if bar.is_out(item.id) and not is_exempt:
            return

        def settled(row: TrainTrial) -> bool:
            return bar.add(item.id, row) and not is_exempt

        await context.run(item, cases[item.id], purpose=purpose, settled=settled)

    await side_by_side(run(item) for item in candidates)


async def eliminate(
    context: SearchContext, candidates: Sequence[Candidate], gone: Collection[str], reason: str
) -> None:
    """Say of each candidate that is gone why, in the order given."""
    for item in candidates:
        if item.id in gone:
            await context.emit(Eliminated(candidate_id=item.id, reason=reason))


def ranking(
    context: SearchContext, candidates: Sequence[Candidate], prefix: Sequence[Case]
) -> list[Candidate]:
    """Rank candidates on a prefix of the cases, best first, by what is known of them."""
    means = {item.id: _mean(context, item, prefix) for item in candidates}
    return sorted(candidates, key=lambda item: (-means[item.id], n_chars(item)))


def _mean(context: SearchContext, candidate: Candidate, prefix: Sequence[Case]) -> float:
    cases, scores = unseen_by(prefix, candidate), context.scores(candidate)
    known = [scores[case.id] for case in cases if case.id in scores]
    if not known or 2 * len(known) < len(cases):
        return -math.inf
    return round(sum(known) / len(known), _DIGITS)
