"""The benchmark of long prompts: three seeds of it, and what it counts."""

from __future__ import annotations

import pytest

from long_prompt import (
    MAX_SHARE,
    changed,
    global_rewrite,
    holds,
    local_edit,
    outcome_of,
    program_of,
)
from search_worlds import world_of


@pytest.mark.no_cover  # whole runs: other tests reach these lines, and tracing doubles the time
@pytest.mark.parametrize("seed", [0, 6, 9])
def test_one_local_edit_mends_a_long_prompt_where_a_rewrite_loses_rules(seed: int) -> None:
    world = world_of("crew-handbook", seed)
    local, run = local_edit(world, seed)
    assert run.verdict.status == "pass"
    assert holds(local)
    assert local.edits == 1
    assert local.share <= MAX_SHARE
    assert local.expected_after >= local.expected_before + 0.08
    # What breaks on dev is what any change breaks: no more than luck and its spread.
    assert local.broken <= local.lucky + 2
    rewrite = global_rewrite(world)
    assert rewrite.share > 10 * MAX_SHARE
    assert rewrite.broken > local.broken
    assert rewrite.expected_after < local.expected_after


def test_what_is_changed_is_counted_in_sentences_and_characters() -> None:
    before = "system:\nOne. Two. Three.\n"
    assert changed(before, before) == (0, 0.0)
    edits, share = changed(before, before.replace("Two.", "Twenty."))
    assert (edits, share) == (1, len("Twenty.") / len(before))
    assert changed(before, before.replace(" Two.", ""))[0] == 1


def test_an_idle_sentence_is_no_mending_and_the_right_one_is() -> None:
    world = world_of("crew-handbook", 0)
    seed = program_of(world.seed_prompt)
    assert not outcome_of(world, seed, seed).repaired
    (wrong,) = [s for s in world.plan.skills if any(c in world.seed_prompt for c in s.contrary)]
    mended = world.seed_prompt.replace(wrong.contrary[0], world.effects.best_wording(wrong))
    outcome = outcome_of(world, seed, program_of(mended))
    assert holds(outcome)
    assert outcome.edits == 1
