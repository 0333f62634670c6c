from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptyard.stats.fronts import front_counts, fronts, undominated

VALUES = {
    "a": {"c1": 1.0, "c2": 0.0, "c3": 0.0},
    "b": {"c1": 1.0, "c2": 1.0, "c3": 0.0},
    "c": {"c1": 0.0, "c2": 0.0, "c3": 0.5},
    "d": {"c1": 1.0},
}
STRENGTH = {"a": 1 / 3, "b": 2 / 3, "c": 0.5 / 3, "d": 1.0}


def test_everyone_who_ties_at_the_best_value_is_on_the_front() -> None:
    assert fronts(VALUES) == {
        "c1": frozenset("abd"),
        "c2": frozenset("b"),
        "c3": frozenset("c"),
    }


def test_a_tolerance_widens_the_tie_on_its_axis_alone() -> None:
    values = {"a": {"cost": -1.0, "x": 1.0}, "b": {"cost": -1.04, "x": 0.97}}
    assert fronts(values, tolerance={"cost": 0.05}) == {
        "cost": frozenset("ab"),
        "x": frozenset("a"),
    }


def test_who_is_on_no_front_alone_goes_weakest_first() -> None:
    # a shares c1 with b and d; d then shares it with b, who is needed for c2.
    assert undominated(fronts(VALUES), STRENGTH) == ("b", "c")
    assert front_counts(fronts(VALUES), STRENGTH) == {"b": 2, "c": 1}


def test_of_two_that_are_the_same_the_first_stays() -> None:
    twins = {"x": {"c": 1.0}, "y": {"c": 1.0}}
    assert undominated(fronts(twins), {"x": 1.0, "y": 1.0}) == ("x",)


TABLES = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.dictionaries(st.sampled_from(["1", "2", "3", "4", "5"]), st.sampled_from([0.0, 0.5, 1.0])),
    max_size=8,
)


@given(TABLES)
def test_each_front_keeps_someone_and_nobody_left_is_dominated(
    values: dict[str, dict[str, float]],
) -> None:
    found = fronts(values)
    strength = {name: sum(axes.values()) for name, axes in values.items()}
    left = set(undominated(found, strength))
    assert all(names & left for names in found.values())
    for name in left:
        assert any(names & left == {name} for names in found.values())
