"""The slice that shows buckets: few cases, and no fewer than show a small gain."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Attempt, Bucket, Evidence, TrainTrial
from promptyard.search.attribution import cover, filled
from promptyard.search.auto import Auto
from promptyard.testing.search_world import RULES, WorldContext


def failing(n: int) -> Sequence[TrainTrial]:
    context = WorldContext(n_cases=4 * n)
    return asyncio.run(context.run(context.baseline, context.train[::4], purpose="baseline"))


def bucket(name: str, rows: Sequence[TrainTrial]) -> Bucket:
    ids = tuple(row.case.id for row in rows)
    return Bucket(tag=name, case_ids=ids, primary_ids=ids)


def test_a_slice_is_filled_with_failures_of_its_buckets_only() -> None:
    rows = failing(12)
    one, other = bucket("one", rows[:9]), bucket("other", rows[9:])
    chosen = cover(rows, [one], 2, 30)
    assert len(chosen) == 2
    assert filled(chosen, rows, [one], 8) == list(rows[:8])
    assert filled(chosen, rows, [one], 2) == chosen
    assert filled(chosen, rows, [one], 30) == list(rows[:9])
    assert len(filled(chosen, rows, [one, other], 30)) == 12


def test_a_sentence_that_cures_one_failure_in_four_is_seen_where_cases_fail_in_every_way() -> None:
    """On the two cases that show all four buckets it would cure none, and be banned."""

    class Quarter(WorldContext):
        def passes(self, candidate: Candidate, case: Case) -> bool:
            if case.tags != ("format",):
                return True
            number = int(case.id[1:]) // 4
            return number % 4 == 3 and RULES["format"] in candidate.program.prompt.text

        def evidence(
            self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
        ) -> Evidence:
            found = super().evidence(rows, base, attempts)
            names = list(RULES) if found.buckets else []
            ids = tuple(row.case.id for row in found.failures)
            buckets = tuple(Bucket(tag=tag, case_ids=ids, primary_ids=ids) for tag in names)
            return found.model_copy(update={"buckets": buckets})

    context = Quarter(n_cases=160, sentences=dict.fromkeys(RULES, RULES["format"]))
    finalist = asyncio.run(Auto().search(context))
    assert finalist is not None
    assert RULES["format"] in finalist.program.prompt.text
