"""The pool: descent, and what put each sentence there."""

from __future__ import annotations

from promptyard.records.edits import Candidate, Replace, SetSection, apply_edits
from promptyard.search.pool import Pool
from support.toy_search import ToyWorld

SEED = ToyWorld().seed_prompt


def child(
    base: Candidate, text: str, *others: Candidate, generator: str = "reflective"
) -> Candidate:
    edit = Replace(section="rules", start=0, end=0, old="", text=f"{text}\n")
    return Candidate(
        program=apply_edits(base.program, (edit,)),
        parents=(base.id, *(other.id for other in others)),
        edits=(edit,),
        generator=generator,
        hypothesis=f"{text} is missing.",
        evidence=("bucket",),
    )


def test_ancestors_are_everyone_that_a_candidate_comes_of() -> None:
    pool = Pool(SEED)
    one, two = child(SEED, "One."), child(SEED, "Two.")
    both = child(one, "Two.", two)
    for item in (one, two, both, both):
        pool.add(item)
    assert pool.ancestors(both.id) == {SEED.id, one.id, two.id}
    assert pool.ancestors(SEED.id) == frozenset()
    assert [item.id for item in pool] == [SEED.id, one.id, two.id, both.id]
    assert both.id in pool
    assert pool[one.id] is one


def test_origins_name_who_brought_a_sentence_as_long_as_it_stands() -> None:
    pool = Pool(SEED)
    one = child(SEED, "One.")
    two = child(one, "Two.")
    new = SetSection(section="rules", text="Two.\nThree.\n\n")
    three = Candidate(
        program=apply_edits(two.program, (new,)), parents=(two.id,), edits=(new,), generator="late"
    )
    for item in (one, two, three):
        pool.add(item)
    assert {o.atom.text: o.generator for o in pool.origins(two)} == {
        "One.": "reflective",
        "Two.": "reflective",
    }
    standing = {o.atom.text: o.generator for o in pool.origins(three) if o.atom.text}
    assert standing == {"Two.": "reflective", "Three.": "late"}


def test_a_merge_keeps_the_origins_of_both_sides() -> None:
    pool = Pool(SEED)
    one, two = child(SEED, "One."), child(SEED, "Two.")
    merged = child(one, "Two.", two, generator="merge")
    for item in (one, two, merged):
        pool.add(item)
    assert {o.atom.text: o.generator for o in pool.origins(merged)} == {
        "One.": "reflective",
        "Two.": "reflective",
    }
