"""Joining sentences of a line: what rewrites another, and what takes a deleted one's place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptyard.records.atoms import Atom, compose
from promptyard.records.origins import Origin
from promptyard.search.joins import MAX_JOINS, in_place, merged
from promptyard.testing.search_world import WorldContext


def origin(text: str, *, kind: str = "append", anchor: str = "", bucket: str = "format") -> Origin:
    atom = Atom.model_validate({"kind": kind, "region": "system", "anchor": anchor, "text": text})
    return Origin(atom=atom, buckets=(bucket,), generator="reflect")


@pytest.mark.parametrize(
    ("origins", "left"),
    [
        ([("replace", "a.", "b."), ("replace", "b.", "c.")], [("replace", "a.", "c.")]),
        ([("append", "", "b."), ("replace", "b.", "c.")], [("append", "", "c.")]),
        ([("replace", "a.", "b."), ("delete", "b.", "")], [("delete", "a.", "")]),
        ([("append", "", "b."), ("delete", "b.", "")], []),
        (
            [("append", "", "b."), ("delete", "z.", "")],
            [("append", "", "b."), ("delete", "z.", "")],
        ),
        ([("append", "", "b."), ("insert_after", "b.", "c.")],) * 2,
    ],
)
def test_what_rewrites_a_sentence_of_the_search_is_joined_with_it(
    origins: Sequence[tuple[str, str, str]], left: Sequence[tuple[str, str, str]]
) -> None:
    given = [origin(text, kind=kind, anchor=anchor) for kind, anchor, text in origins]
    joined = merged(given)
    assert [(o.atom.kind, o.atom.anchor, o.atom.text) for o in joined] == list(left)
    seed = WorldContext().baseline.program
    seed = compose(seed, [origin("a.").atom, origin("z.").atom]).program
    assert (
        compose(seed, [o.atom for o in joined]).program
        == compose(seed, [o.atom for o in given]).program
    )


GONE = origin("", kind="delete", anchor="a.")
TEXTS = ("a.\nz.",)


def joined(*others: Origin) -> list[list[tuple[str, str, str]]]:
    return [
        [(item.atom.kind, item.atom.anchor, item.atom.text) for item in found]
        for found in in_place((others[0], GONE, *others[1:]), TEXTS)
    ]


def test_what_answers_the_same_failure_takes_the_place_of_what_was_deleted() -> None:
    assert joined(origin("b.")) == [[("replace", "a.", "b.")]]
    below = origin("b.", kind="insert_after", anchor="z.")
    assert joined(below) == [[("replace", "a.", "b.")]]
    assert joined(origin("b.", bucket="units")) == []


def test_later_additions_come_first_and_there_is_an_end_of_it() -> None:
    found = joined(*(origin(f"{n}.") for n in range(5)))
    assert len(found) == MAX_JOINS
    assert [("replace", "a.", "4.") in line for line in found] == [True, False, False]
    assert all(len(line) == 5 for line in found)


def test_a_replacement_of_the_seed_stays_where_it_is() -> None:
    assert joined(origin("b.", kind="replace", anchor="z.")) == []
    # Nobody says "c." any more: the replacement would be appended.
    assert joined(origin("b.", kind="replace", anchor="c.")) == [[("replace", "a.", "b.")]]
