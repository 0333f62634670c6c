"""Content hashes: one canonical form, whole or piece by piece."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.base import content_hash, content_hash_of_list

TEXTS = st.text(st.characters(codec=None, exclude_categories=()))
MARKS = st.text("e\u0301\u0327a,\ud800\udc00\u1100\u1161")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS | MARKS,
    lambda inner: st.lists(inner) | st.dictionaries(MARKS, inner),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(VALUES))
def test_a_list_hashed_piece_by_piece_has_the_hash_of_the_whole(values: list[object]) -> None:
    assert content_hash_of_list(iter(values)) == content_hash(values)


def test_composed_and_decomposed_text_and_the_order_of_keys_make_no_difference() -> None:
    assert content_hash({"a": "caf\u00e9", "b": 1}) == content_hash({"b": 1, "a": "cafe\u0301"})
    assert content_hash(["a"]) != content_hash(["a", "a"])
