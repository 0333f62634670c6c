"""The self-test plants regressions: ours are blocked, and a gate that blocks nothing is found."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptyard.protocols import Gate
from promptyard.records.cases import Case
from promptyard.records.verdicts import (
    GateSettings,
    PairedReport,
    PrimaryDimension,
    SelfTest,
    Verdict,
)
from promptyard.release import GATES
from promptyard.release.self_test import run_self_test


class Decoration:
    """A gate that has never blocked anything."""

    name = "decoration"

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Pass."""
        del pair, cases, settings
        return Verdict(status="pass", sentence="Fine.")


def self_test(n: int, settings: GateSettings | None = None, **others: Gate) -> SelfTest:
    cases = [Case(id=f"c{k}", input={"x": str(k)}, split="holdout") for k in range(n)]
    gates = {name: make() for name, make in GATES.items()} | others
    return run_self_test(gates, cases, settings or GateSettings())


@pytest.mark.parametrize("primary", ["score", "accuracy", "safety", "judge"])
def test_every_gate_blocks_its_regressions_and_a_sound_candidate_passes(
    primary: PrimaryDimension,
) -> None:
    found = self_test(200, GateSettings(primary=primary))
    assert found.status == "pass", [item for item in found.planted if not item.is_blocked]
    assert {item.gate for item in found.planted} == set(GATES)
    assert len(found.planted) == 12


def test_where_a_change_need_not_be_better_no_gain_is_no_regression() -> None:
    found = self_test(200, GateSettings(claim="not_worse"))
    assert found.status == "pass"
    assert len(found.planted) == 11


def test_a_gate_that_blocks_nothing_is_decoration() -> None:
    found = self_test(200, decoration=Decoration())
    assert found.status == "fail"
    assert [item.gate for item in found.planted if not item.is_blocked] == ["decoration"]


def test_settings_that_let_a_regression_through_are_found() -> None:
    loose = self_test(200, GateSettings(min_coverage=0.5))
    assert [item.plant for item in loose.planted if not item.is_blocked] == [
        "a tenth of the answers lost"
    ]
    assert self_test(200, GateSettings(critical_regressions=3)).status == "fail"
    assert self_test(200, GateSettings(noninferiority=0.9)).status == "fail"


def test_too_few_cases_let_nothing_pass_and_the_test_says_so() -> None:
    found = self_test(12)
    assert found.status == "inconclusive"
    assert all(item.is_blocked for item in found.planted)
    assert "with 12 cases" in found.sound_sentence


def test_one_case_is_no_crash() -> None:
    assert self_test(1).sound == "inconclusive"
