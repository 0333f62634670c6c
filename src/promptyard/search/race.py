"""One race: all run block after block of the same cases, and the clearly beaten go at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.protocols import SearchContext
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.search.allowance import unseen_by
from promptyard.search.rungs import eliminate, ranking, run_prefix
from promptyard.stats.racing import beaten, race_level


@dataclass(frozen=True)
class Raced:
    """Who was kept, best first, and for each runner, in the order given, how many blocks it ran."""

    kept: list[Candidate]
    n_looks: Mapping[str, int]


async def race(
    context: SearchContext,
    runners: Sequence[Candidate],
    blocks: Sequence[Sequence[Case]],
    *,
    n_kept: int,
    alpha: float,
) -> Raced:
    """Race over growing prefixes of the cases until `n_kept` are left or the cases are used up.

    After each but the last of them who is significantly worse than `n_kept` others goes, after the
    last who is not among the best `n_kept` by rank. The chance that a test loses the best of all is
    at most `alpha`. Costs at most a trial for each runner and case, less what is known or, at the
    last prefix, cancelled.
    """
    level = race_level(alpha, n_candidates=len(runners), n_kept=n_kept, n_looks=len(blocks))
    left = list(runners)
    n_looks = {item.id: 0 for item in runners}
    for number, prefix in enumerate(blocks, 1):
        if len(left) <= n_kept and number > 1:
            break
        is_last = number == len(blocks)
        await run_prefix(context, left, prefix, purpose="race", n_kept=n_kept if is_last else None)
        for item in left:
            n_looks[item.id] = number
        if not is_last:
            gone = set(beaten(_table(context, left, prefix), n_kept=n_kept, level=level))
            await eliminate(
                context, left, gone, f"worse than {n_kept} others on {len(prefix)} cases"
            )
            left = [item for item in left if item.id not in gone]
    seen = blocks[max(n_looks.values()) - 1]
    ranked = ranking(context, left, seen)
    gone = {item.id for item in ranked[n_kept:]}
    await eliminate(context, left, gone, f"not among the best {n_kept} on {len(seen)} cases")
    return Raced(ranked[:n_kept], n_looks)


def _table(
    context: SearchContext, left: Sequence[Candidate], prefix: Sequence[Case]
) -> dict[str, list[float | None]]:
    table: dict[str, list[float | None]] = {}
    for item in left:
        scores = context.scores(item)
        own = {case.id for case in unseen_by(prefix, item)}
        table[item.id] = [scores.get(case.id) if case.id in own else None for case in prefix]
    return table
