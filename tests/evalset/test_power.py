from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.power import (
    CHANGED_SHARES,
    GateOutlook,
    MeasuredSplit,
    SplitPower,
    gate_outlook,
    split_power,
)
from promptyard.stats.power import cases_for_margin, certifiable_margin


def power(split: MeasuredSplit, n_cases: int, n_clusters: int | None = None) -> SplitPower:
    return split_power(
        split,
        n_cases=n_cases,
        n_clusters=n_cases if n_clusters is None else n_clusters,
        alpha=0.05,
    )


def outlook(
    holdout: int, *, clusters: int | None = None, dev: int = 1000, noninferiority: float = 0.03
) -> GateOutlook:
    return gate_outlook(
        power("dev", dev),
        power("holdout", holdout, clusters),
        alpha=0.05,
        noninferiority=noninferiority,
    )


def codes(result: GateOutlook) -> list[str]:
    return [finding.code for finding in result.findings]


def test_the_table_of_the_literature_is_reproduced() -> None:
    rows = power("holdout", 200).differences
    assert tuple(row.changed_share for row in rows) == CHANGED_SHARES
    assert [round(100 * (row.difference or 0), 1) for row in rows] == [4.4, 6.2, 8.8, 10.8]
    at_50 = power("dev", 50)
    assert [row.difference is None for row in at_50.differences] == [True, True, False, False]
    assert at_50.assumed is not None
    assert round(at_50.assumed.margin, 3) == 0.111


def test_a_split_without_cases_has_no_rows() -> None:
    empty = power("dev", 0)
    assert empty.differences == ()
    assert empty.assumed is None


def test_a_large_holdout_can_certify_the_margin() -> None:
    result = outlook(687)
    assert result.gates_can_pass
    assert result.margin_certifiable
    assert codes(result) == []
    assert result.sentence == (
        "A better candidate can pass the gate: 687 holdout cases show a gain of 3.4 points and "
        "rule out drops above 3.0 points if 10 % of them change."
    )


def test_a_margin_out_of_reach_says_what_is_in_reach_and_how_many_cases_it_takes() -> None:
    result = outlook(120)
    assert result.gates_can_pass
    assert not result.margin_certifiable
    assert codes(result) == ["margin"]
    message = result.findings[0].message
    assert message == (
        "with 120 holdout cases, only drops above 7.2 points can be ruled out (if 10 % of the "
        "cases change); to rule out drops above 3.0 points (gates.noninferiority) takes 687 "
        "holdout cases, 567 more"
    )


@given(n=st.integers(5, 2000), margin=st.floats(0.005, 0.5))
def test_as_many_cases_as_are_asked_for_certify_the_margin(n: int, margin: float) -> None:
    result = outlook(n, noninferiority=margin)
    if result.margin_certifiable:
        assert "margin" not in codes(result)
        return
    advice = next(item.message for item in result.findings if item.code == "margin")
    needed = cases_for_margin(margin, 0.10)
    assert f"takes {needed} holdout cases, {needed - n} more" in advice
    assert outlook(needed, noninferiority=margin).margin_certifiable


def test_a_holdout_that_cannot_certify_even_unchanged_scores_says_so() -> None:
    assert certifiable_margin(87, 0.0) > 0.03
    assert "even where it is unchanged, the verdict stays inconclusive" in outlook(87).sentence
    assert "changes without improving, the verdict mostly stays inconc" in outlook(90).sentence


@pytest.mark.parametrize("n", [1, 4])
def test_a_tiny_holdout_cannot_pass_and_says_what_to_change(n: int) -> None:
    result = outlook(n)
    assert not result.gates_can_pass
    assert not result.margin_certifiable
    assert "no_power" in codes(result)
    assert result.sentence == (
        "No candidate can pass the gate: the holdout is too small to show any difference."
    )
    message = result.findings[0].message
    assert message.startswith(f"{n} holdout case{'' if n == 1 else 's'} cannot show any difference")
    assert f"add at least {5 - n} (5 in all) or raise splits.holdout" in message


def test_of_an_empty_holdout_only_the_conclusion_is_said() -> None:
    result = outlook(0)
    assert (result.gates_can_pass, result.margin_certifiable) == (False, False)
    assert result.findings == ()
    assert result.sentence == "No candidate can pass the gate: the holdout has no cases."


@given(n=st.integers(0, 800), n_dev=st.integers(0, 20), clusters=st.integers(1, 800))
def test_no_finding_is_said_twice_and_none_in_jargon(n: int, n_dev: int, clusters: int) -> None:
    result = outlook(n, clusters=min(n, clusters), dev=n_dev)
    said = [finding.message for finding in result.findings]
    assert len(set(said)) == len(said)
    for message in said:
        assert message not in result.sentence
        assert "set gates.noninferiority" not in message
    for text in (*said, result.sentence):
        assert "certif" not in text
        assert "protected" not in text


def test_five_cases_can_pass() -> None:
    assert outlook(5).gates_can_pass


def test_a_stricter_level_needs_more_cases() -> None:
    splits = [split_power(name, n_cases=6, n_clusters=6, alpha=0.01) for name in ("dev", "holdout")]
    result = gate_outlook(splits[0], splits[1], alpha=0.01, noninferiority=0.03)
    assert not result.gates_can_pass
    assert "(gates.alpha 0.01)" in result.findings[0].message


def test_clusters_count_as_what_is_independent() -> None:
    result = outlook(120, clusters=4)
    assert not result.gates_can_pass
    assert "4 holdout clusters cannot show any difference" in result.findings[0].message
    result = outlook(900, clusters=300)
    assert result.gates_can_pass
    (clustered,) = (item for item in result.findings if item.code == "clustered")
    assert "900 holdout cases form 300 clusters" in clustered.message
    assert "at worst, only drops above 4.5 points can be ruled out" in clustered.message


def test_a_tiny_dev_is_a_warning_and_does_not_stop_the_gates() -> None:
    result = outlook(700, dev=3)
    assert result.gates_can_pass
    (finding,) = result.findings
    assert (finding.code, finding.level) == ("no_power", "warning")
    assert "3 dev cases" in finding.message


def test_a_margin_of_nothing_is_certified_by_no_number_of_cases() -> None:
    result = outlook(1000, noninferiority=0.0)
    assert not result.margin_certifiable
    assert result.findings[0].message == (
        "with 1000 holdout cases, only drops above 2.5 points can be ruled out (if 10 % of the "
        "cases change)"
    )
