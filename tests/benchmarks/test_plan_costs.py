"""The benchmark of what a plan expects: every call is counted once, in a phase that has a name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan_costs import N_TRAIN, PHASES, Cost, cost_of, searched, table


def test_the_phases_of_a_run_hold_all_its_calls() -> None:
    run = searched("freight-bills", 1, task_calls=220)
    cost = cost_of(run)
    assert sum(cost.phases.values()) == run.spent.task_calls == 220
    assert 0 <= cost.phases["inside generators"] < 30
    assert cost.phases["baseline"] + cost.n_left == N_TRAIN
    assert cost.phases["fresh checks"] > 0
    assert cost.optimizer_calls == run.spent.optimizer_calls
    unknown = run.stages[0].model_copy(update={"stage": "elsewhere"})
    with pytest.raises(ValueError, match="elsewhere"):
        cost_of(run.model_copy(update={"stages": (*run.stages, unknown)}))


def test_the_table_gives_means_extremes_and_the_ratios_of_the_plan() -> None:
    phases = {**dict.fromkeys(PHASES, 0), "baseline": 30, "slices and traps": 60}
    one = Cost(phases, optimizer_calls=45, first_served=None, n_left=70)
    other = replace(one, phases={**phases, "fresh checks": 70}, first_served=90)
    lines = table([one, other]).splitlines()
    assert "| fresh checks | 35 | 0 | 70 | 1 |" in lines
    assert "SLICE_RUNS_A_CASE = 2.00" in lines
    assert "FRESH_RUNS_A_CASE = 0.50" in lines
    assert "OPTIMIZER_CALLS_A_CASE = 1.50" in lines
    assert "first served in 1 runs, after 90 calls (90 to 90)" in lines
    assert "nothing was served" in table([one])
