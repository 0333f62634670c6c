"""One race: who goes and when, and that cancelled calls change nothing."""

from __future__ import annotations

import asyncio

from promptyard.records.edits import Candidate
from promptyard.records.events import Eliminated
from promptyard.records.evidence import Evidence
from promptyard.search.race import Raced, race
from support.toy_search import ToyContext, ToyGenerator, ToyWorld

TEXTS = (
    "Rule 0. Rule 1. Rule 2. Rule 3.",
    "Rule 0. Rule 1. Rule 2.",
    "Note 1.",
    "Note 2.",
    "Rule 0.",
)


def run(world: ToyWorld, jitter: int, n_kept: int = 2) -> tuple[Raced, ToyContext, list[Candidate]]:
    context = ToyContext(
        world, [ToyGenerator("given", lambda base, evidence, rng: TEXTS)], jitter=jitter
    )

    async def work() -> tuple[Raced, list[Candidate]]:
        runners = list(await context.propose("given", context.baseline, Evidence()))
        blocks = [context.train[:end] for end in (12, 24, 36, 48, 60)]
        return await race(context, runners, blocks, n_kept=n_kept, alpha=0.2), runners

    ended, runners = asyncio.run(work())
    return ended, context, runners


def test_the_clearly_beaten_go_early_and_the_best_are_kept_in_order() -> None:
    ended, context, runners = run(ToyWorld(n_rules=4), 0)
    assert [item.id for item in ended.kept] == [runners[0].id, runners[1].id]
    looks = [ended.n_looks[item.id] for item in runners]
    assert looks[2] < 5
    assert looks[0] == max(looks)
    gone = {event.candidate_id for event in context.events if isinstance(event, Eliminated)}
    assert gone == {item.id for item in runners[2:]}
    assert len(context.calls) < 5 * 60


def test_cancelling_loses_nothing_and_the_order_of_answers_is_no_matter() -> None:
    for noise in (0.0, 0.1, 0.2):
        world = ToyWorld(n_rules=4, noise=noise)
        ends = [run(world, jitter) for jitter in range(6)]
        assert len({tuple(item.id for item in ended.kept) for ended, _, _ in ends}) == 1
        assert len({tuple(context.story()) for _, context, _ in ends}) == 1
        assert len({tuple(ended.n_looks.items()) for ended, _, _ in ends}) == 1


def test_in_the_last_block_calls_of_one_that_is_sure_to_go_are_cancelled() -> None:
    n_cancelled = sum(
        run(ToyWorld(n_rules=4, noise=0.2), jitter)[1].cancelled for jitter in range(9)
    )
    assert n_cancelled > 0


def test_survivors_of_several_races_keep_their_scores() -> None:
    ended, context, _ = run(ToyWorld(n_rules=4), 0)
    before = len(context.calls)
    blocks = [context.train[:end] for end in (12, 24)]
    again = asyncio.run(race(context, ended.kept, blocks, n_kept=2, alpha=0.2))
    assert len(context.calls) == before  # nothing is run again
    assert {item.id for item in again.kept} == {item.id for item in ended.kept}
