from __future__ import annotations

import pytest

from promptyard.reports.holdout import holdout_figures, primary_dimension
from reports.sample_run import failed_run, passed_run, undecided_run


def test_means_and_difference_are_those_of_the_paired_comparison() -> None:
    figures = holdout_figures(passed_run())
    assert (figures.baseline, figures.finalist, figures.winner) == (0.5525, 0.665, 0.665)
    assert figures.difference == 0.1125
    assert figures.interval is not None
    assert (figures.interval.low, figures.interval.high) == (0.0725, 0.1525)
    assert (figures.n_cases, figures.fixed, figures.broken) == (400, 74, 29)


def test_the_winner_of_a_failed_gate_is_the_baseline() -> None:
    figures = holdout_figures(failed_run())
    assert figures.winner == figures.baseline == 0.5525
    assert figures.finalist == 0.665


def test_without_a_decision_nothing_is_known() -> None:
    figures = holdout_figures(undecided_run())
    assert figures.baseline is None
    assert figures.winner is None
    assert figures.difference is None
    assert primary_dimension(undecided_run()) == "score"


def test_a_dimension_that_was_not_compared_comes_from_the_reports_without_interval() -> None:
    run = passed_run()
    judged = tuple(item for item in run.verdict.comparisons if item.dimension == "accuracy")
    primary = (judged[0].model_copy(update={"rule": "superiority"}),)
    run = run.model_copy(
        update={"verdict": run.verdict.model_copy(update={"comparisons": primary})}
    )
    assert primary_dimension(run) == "accuracy"
    figures = holdout_figures(run, "score")
    assert (figures.baseline, figures.finalist, figures.interval) == (0.5525, 0.665, None)
    assert figures.difference == pytest.approx(0.1125)
    assert holdout_figures(run, "safety").baseline is None
    assert holdout_figures(run, "latency_s").baseline == 0.412
