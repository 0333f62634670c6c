"""The bounded mapping: the oldest goes, reading makes recent."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from promptyard.runner.recent import Recent

MOVES = st.lists(st.tuples(st.sampled_from(["put", "get", "pop"]), st.integers(0, 6)))


@given(MOVES)
def test_it_holds_the_entries_that_were_used_last(moves: list[tuple[str, int]]) -> None:
    recent: Recent[int, str] = Recent(3)
    expected: OrderedDict[int, str] = OrderedDict()
    for number, (move, key) in enumerate(moves):
        if move == "put":
            recent.put(key, str(number))
            expected.pop(key, None)
            expected[key] = str(number)
            while len(expected) > 3:
                expected.popitem(last=False)
        elif move == "get":
            assert recent.get(key) == expected.get(key)
            if key in expected:
                expected.move_to_end(key)
        else:
            assert recent.pop(key) == expected.pop(key, None)
        assert len(recent) == len(expected)
        assert all(item in recent for item in expected)
