"""What cases can show: the smallest significant difference, as the tests of the gate see it."""

from __future__ import annotations

import pytest

from promptyard.records.cases import Case
from promptyard.reports.can_show import can_show
from promptyard.stats.paired import compare_paired


def some(n: int, *, cluster_size: int = 1) -> list[Case]:
    names = [f"c{i // cluster_size}" if cluster_size > 1 else None for i in range(n)]
    return [Case(id=f"c{i}-{name}", input={}, cluster=name) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("n", "cluster_size", "low", "high"), [(18, 1, 0.0, 1.0), (18, 1, 0.5, 0.7), (36, 2, 0.0, 1.0)]
)
def test_the_smallest_difference_is_significant_and_one_case_less_is_not(
    n: int, cluster_size: int, low: float, high: float
) -> None:
    cases = some(n, cluster_size=cluster_size)
    found = can_show(cases, {case.id: low for case in cases})
    clusters = [case.cluster or case.id for case in cases]
    for n_changed, significant in ((found.n_changed, True), (found.n_changed - 1, False)):
        after = [high if i < n_changed * cluster_size else low for i in range(n)]
        test = compare_paired([low] * n, after, clusters=clusters)
        assert (test.p_value <= 0.05 and test.interval.low > 0) is significant


def test_graded_scores_have_no_smallest_difference_in_points() -> None:
    cases = some(18)
    found = can_show(cases, {case.id: 0.5 for case in cases})
    assert found.smallest is None
    assert "only a difference in at least 6 cases, all the same way, can show" in found.sentence


def test_cases_of_a_cluster_count_as_one() -> None:
    cases = some(36, cluster_size=2)
    found = can_show(cases, {case.id: 1.0 for case in cases})
    assert (found.n_independent, found.smallest) == (18, pytest.approx(6 / 18))
    assert "18 clusters" in found.sentence


def test_without_a_score_nothing_can_show() -> None:
    found = can_show(some(18), {})
    assert found.smallest is None
    assert found.sentence == "No case has a score, so no comparison can show anything."
