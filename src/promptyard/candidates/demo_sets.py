"""Which examples are shown together: sets for the policy to compare. Pure, no calls.

Source: random search as DSPy does it (arXiv 2310.03714); nearest neighbours after KATE (arXiv
2101.06804); one example a cluster after Auto-CoT (arXiv 2210.03493). Anchors on algorithms, A7-A9.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptyard.candidates.demo_pool import DemoSettings, Example, Pool
from promptyard.candidates.similarity import Vector, clusters, input_text, nearest, vectors_of
from promptyard.records.cases import Case
from promptyard.records.evidence import Bucket, Evidence
from promptyard.records.prompts import Demo

PER_LABEL = (1, 2, 4)
TOTALS = (4, 8, 16)
MAX_QUERIES = 8


@dataclass(frozen=True)
class DemoSet:
    """Examples to show in this order, and in a few words what set it is.

    `answers` names the buckets it was chosen for.
    """

    what: str
    examples: tuple[Example, ...]
    answers: tuple[str, ...] = ("example_bank",)


def bank_sets(
    bank: Sequence[Demo], evidence: Evidence, step: str, max_demos: int, rng: random.Random
) -> list[DemoSet]:
    """Choose sets of growing size out of the example bank: a few a label, else a few in all.

    Passing answers come first; gold ones fill up only where answers are labels.
    """
    cases = {row.case.id: row.case for row in (*evidence.successes, *evidence.failures)}
    shuffled = list(bank)
    rng.shuffle(shuffled)
    shuffled.sort(key=lambda demo: demo.source != "bootstrap")  # stable: passing ones first
    groups = by_answer(shuffled)
    sets: list[DemoSet] = []
    n_before = 0
    for size in PER_LABEL if groups else TOTALS:
        if groups:
            chosen = [demo for group in groups for demo in group[:size]]
        else:
            chosen = [demo for demo in shuffled if demo.source == "bootstrap"][:size]
        if len(chosen) <= n_before or len(chosen) > max_demos:
            continue  # the bank has no more, or more than the prompt may show
        n_before = len(chosen)
        rng.shuffle(chosen)
        examples = [Example(_case_of(demo, cases), {step: demo}) for demo in chosen]
        sets.append(DemoSet(f"{size} a label" if groups else f"{size}", tuple(examples)))
    return sets


def _case_of(demo: Demo, cases: Mapping[str, Case]) -> Case:
    """Return the train case of a demonstration; the bank may hold cases that nothing ran on."""
    known = cases.get(demo.case_id or "")
    if known is not None:
        return known
    return Case(
        id=demo.case_id or demo.line(), input=demo.input, expected=demo.output, split="train"
    )


def by_answer(bank: Sequence[Demo]) -> list[list[Demo]]:
    """Group demonstrations by answer where answers are few (labels); empty otherwise."""
    groups: dict[str, list[Demo]] = {}
    for demo in bank:
        groups.setdefault(demo.output, []).append(demo)
    return [groups[key] for key in sorted(groups)] if len(groups) <= len(bank) / 2 else []


def plain_sets(pool: Pool, settings: DemoSettings, seed: int, *, has_demos: bool) -> list[DemoSet]:
    """Return the sets of seeds -3 and -2: no demonstrations (where there are any), gold ones."""
    sets = [DemoSet("random search, seed -3: none", ())] if has_demos else []
    rng = random.Random(f"{seed}:-2")
    n_gold = min(settings.max_labelled, settings.max_demos, len(pool.gold))
    if n_gold:
        gold = tuple(rng.sample(pool.gold, n_gold))
        sets.append(DemoSet("random search, seed -2: gold answers only", gold))
    return sets


def random_sets(pool: Pool, settings: DemoSettings, seed: int) -> list[DemoSet]:
    """Return the sets of seed -1 (in order) and 0, 1 ... (shuffled, with a random size).

    At most `max_bootstrapped` passing examples stand first, gold ones of other cases fill up to
    `max_labelled`. The same pool and seed give the same sets.
    """
    if not pool.passing:
        return []
    sets: list[DemoSet] = []
    for number in range(-1, settings.n_shuffled):
        rng = random.Random(f"{seed}:{number}")
        passing = list(pool.passing)
        size = min(settings.max_bootstrapped, settings.max_demos)
        if number >= 0:
            rng.shuffle(passing)
            size = rng.randint(1, max(1, size))
        shown = passing[: min(size, settings.max_demos)]
        gold = pool.fill(shown)
        room = min(settings.max_labelled, settings.max_demos) - len(shown)
        shown += rng.sample(gold, max(0, min(room, len(gold))))
        order = "in order" if number < 0 else "shuffled"
        sets.append(DemoSet(f"random search, seed {number}: {order}", tuple(shown)))
    return sets


def diverse_set(pool: Pool, settings: DemoSettings) -> list[DemoSet]:
    """Return one example a cluster of inputs, never two of one cluster of the eval set."""
    examples = [*pool.passing, *pool.fill(pool.passing)]
    n = min(settings.n_diverse, settings.max_demos)
    if len(examples) <= n:
        return []  # nothing to choose from
    vectors = vectors_of([input_text(example.case.input) for example in examples])
    chosen: list[Example] = []
    for group in clusters(vectors, n):
        free = [examples[index] for index in group if _is_free(examples[index], chosen)]
        chosen += free[:1]
    return [DemoSet("one a cluster of inputs", tuple(chosen))]


def nearest_sets(pool: Pool, evidence: Evidence, settings: DemoSettings) -> list[DemoSet]:
    """Return, for the largest failing buckets, the examples most like their inputs."""
    examples = [*pool.passing, *pool.fill(pool.passing)]
    buckets = sorted(evidence.buckets, key=lambda bucket: -len(bucket.case_ids))
    asked = [
        (bucket, evidence.failures_of(bucket)[:MAX_QUERIES])
        for bucket in buckets[: settings.n_nearest_buckets]
    ]
    cases = [row.case for _, rows in asked for row in rows]
    cases += [example.case for example in examples]
    vectors = vectors_of([input_text(case.input) for case in cases])
    known = {case.id: vector for case, vector in zip(cases, vectors, strict=True)}
    sets: list[DemoSet] = []
    for bucket, rows in asked:
        ranks = [_ranked(row.case, examples, known) for row in rows]
        chosen = _in_turn(bucket, ranks, min(settings.n_nearest, settings.max_demos))
        if chosen:
            what = "the most similar to a bucket's inputs"
            sets.append(DemoSet(what, tuple(chosen), answers=(bucket.name,)))
    return sets


def _ranked(query: Case, examples: Sequence[Example], known: Mapping[str, Vector]) -> list[Example]:
    """Return the examples a query may be taught by, the most similar first; never itself."""
    pool = [known[example.case.id] for example in examples]
    order = nearest(known[query.id], pool, len(pool))
    return [examples[index] for index in order if examples[index].may_teach(query)]


def _in_turn(bucket: Bucket, ranks: Sequence[Sequence[Example]], k: int) -> list[Example]:
    """Choose k examples: each query's most similar one in turn, then each one's second, and so on.

    With a single query these are its exact top k. At most half of the bucket's own cases are
    shown: it is measured on the others.
    """
    members, room = frozenset(bucket.case_ids), len(bucket.case_ids) // 2
    chosen: dict[str, Example] = {}
    for place in range(max(map(len, ranks), default=0)):
        for rank in ranks:
            if place >= len(rank) or len(chosen) >= k or rank[place].case.id in chosen:
                continue
            is_member = rank[place].case.id in members
            if is_member and room < 1:
                continue
            room -= is_member
            chosen[rank[place].case.id] = rank[place]
    return list(chosen.values())


def smaller_sets(demos: Sequence[Demo]) -> list[tuple[Demo, ...]]:
    """Return a half and a quarter of demonstrations, as unlike each other as can be, in order.

    How many help is a matter of the model: fewer cost less and may do as well.
    """
    sets: list[tuple[Demo, ...]] = []
    vectors = vectors_of([input_text(demo.input) for demo in demos])
    for n in (len(demos) // 2, len(demos) // 4):
        if n >= 1:
            kept = sorted(group[0] for group in clusters(vectors, n))
            sets.append(tuple(demos[index] for index in kept))
    return sets


def _is_free(example: Example, chosen: Sequence[Example]) -> bool:
    return all(example.may_teach(other.case) for other in chosen)
