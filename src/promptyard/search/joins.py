"""Joining sentences of a line into one edit: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptyard.records.origins import Origin
from promptyard.records.sentences import folded, says

MAX_JOINS = 3


def merged(origins: Sequence[Origin]) -> tuple[Origin, ...]:
    """Join the sentences that rewrite or delete what others put in with these others.

    Left out alone, the first of two would leave the second without its place.
    """
    found: list[Origin] = []
    for origin in origins:
        atom = origin.atom
        first = next(
            (
                item
                for item in found
                if atom.kind in ("replace", "delete")
                and item.atom.text
                and folded(item.atom.text) == folded(atom.anchor)
            ),
            None,
        )
        if first is None:
            found.append(origin)
            continue
        at = found.index(first)
        if atom.kind == "delete" and first.atom.kind != "replace":
            del found[at]
            continue
        kind = "delete" if atom.kind == "delete" else first.atom.kind
        joined = first.atom.model_copy(update={"kind": kind, "text": atom.text})
        buckets = tuple(dict.fromkeys((*first.buckets, *origin.buckets)))
        found[at] = origin.model_copy(update={"atom": joined, "buckets": buckets})
    return tuple(found)


def in_place(origins: Sequence[Origin], texts: Sequence[str]) -> Iterator[tuple[Origin, ...]]:
    """Yield what becomes of a line when one deletion and one addition become a replacement.

    At most `MAX_JOINS`, later additions first; both answer a failure of the same kind. A
    replacement of what is not said in `texts`, the baseline's, is an addition, too.
    """
    pairs = [
        (gone, new)
        for gone in origins
        if gone.atom.kind == "delete"
        for new in reversed(origins)
        if new.atom.text and set(new.buckets) & set(gone.buckets)
        if new.atom.kind != "replace" or not says(texts, new.atom.anchor)
    ]
    for gone, new in pairs[:MAX_JOINS]:
        atom = gone.atom.model_copy(update={"kind": "replace", "text": new.atom.text})
        buckets = tuple(dict.fromkeys((*gone.buckets, *new.buckets)))
        joined = new.model_copy(update={"atom": atom, "buckets": buckets})
        yield tuple(joined if item is gone else item for item in origins if item is not new)
