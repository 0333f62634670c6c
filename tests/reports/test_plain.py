from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

from promptyard.records.base import Json
from promptyard.records.budget import Spent
from promptyard.records.evidence import Bucket
from promptyard.records.runs import Run
from promptyard.reports.plain import known_usd, report_summary, run_summary
from reports.sample_run import (
    BASELINE,
    bucket,
    empty_run,
    failed_run,
    failed_trial,
    hostile_run,
    passed_run,
    report,
    undecided_run,
)

KEYS = {
    "run_id",
    "task",
    "task_model",
    "optimizer_model",
    "n_cases",
    "n_holdout",
    "baseline_score",
    "winner_score",
    "score_diff",
    "ci_low",
    "ci_high",
    "verdict",
    "sentence",
    "task_calls",
    "search_task_calls",
    "cached_calls",
    "optimizer_calls",
    "judge_calls",
    "naive_calls",
    "seconds",
    "version",
    "report_path",
    "usd",
    "tokens",
    "n_candidates",
    "n_rejected",
    "stages",
    "dimensions",
    "buckets_before",
    "buckets_after",
    "notes",
}
RUNS = [passed_run, failed_run, undecided_run, empty_run, hostile_run]


def summary_of(run: Run) -> dict[str, Json]:
    """Sum up a run of 1,500 cases."""
    return run_summary(run, n_cases=1500, n_holdout=400, report_path="out/report.html")


@pytest.mark.parametrize("make", RUNS)
def test_every_run_is_json_with_all_keys(make: Callable[[], Run]) -> None:
    summary = summary_of(make())
    text = json.dumps(summary, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == summary
    assert set(summary) >= KEYS


def test_the_figures_are_those_of_the_record() -> None:
    run = passed_run()
    summary = summary_of(run)
    assert (summary["baseline_score"], summary["winner_score"]) == (0.5525, 0.665)
    assert (summary["score_diff"], summary["ci_low"], summary["ci_high"]) == (
        0.1125,
        0.0725,
        0.1525,
    )
    assert (summary["verdict"], summary["version"]) == ("pass", 2)
    assert (summary["task_calls"], summary["search_task_calls"]) == (2774, 1968)
    assert (summary["cached_calls"], summary["naive_calls"]) == (288, 14_000)
    assert (summary["n_candidates"], summary["n_rejected"]) == (18, 4)
    assert (summary["n_cases"], summary["n_holdout"]) == (1500, 400)
    assert summary["report_path"] == "out/report.html"
    assert [item["dimension"] for item in summary["dimensions"]] == [
        item.dimension for item in run.verdict.comparisons
    ]
    assert [stage["n_kept"] for stage in summary["stages"]] == [9, 3, 2, 1]
    first = summary["buckets_before"][0]
    assert first == {"tag": "wrong_value", "field": None, "n_cases": 160, "n_first": 160}
    assert summary["buckets_after"][0]["n_cases"] == 112


def test_a_run_and_a_report_count_the_cases_of_a_bucket_alike() -> None:
    worse = Bucket(tag="invalid_json", case_ids=("c1", "c2"), primary_ids=("c1", "c2"))
    both = Bucket(tag="too_long", case_ids=("c1", "c2", "c3"), primary_ids=("c3",))
    summary = summary_of(passed_run().model_copy(update={"buckets_before": (worse, both)}))
    assert summary["buckets_before"] == [
        {"tag": "too_long", "field": None, "n_cases": 3, "n_first": 1},
        {"tag": "invalid_json", "field": None, "n_cases": 2, "n_first": 2},
    ]
    assert (
        summary["buckets_before"]
        == report_summary(report(BASELINE, 221), buckets=(worse, both))["buckets"]
    )


def test_the_winner_of_a_failed_run_is_the_baseline_and_the_difference_is_the_finalists() -> None:
    summary = summary_of(failed_run())
    assert summary["winner_score"] == summary["baseline_score"] == 0.5525
    assert summary["finalist_score"] == 0.665
    assert summary["score_diff"] == 0.1125


def test_without_a_decision_scores_are_missing_and_not_zero() -> None:
    summary = summary_of(undecided_run())
    for key in ("baseline_score", "winner_score", "score_diff", "ci_low", "ci_high", "coverage"):
        assert summary[key] is None
    assert summary["dimensions"] == []
    assert summary["buckets_split"] == "train"


def test_a_price_that_nobody_knows_is_missing() -> None:
    assert known_usd(Spent(unpriced_calls=3)) is None
    assert known_usd(Spent(usd=0.5, unpriced_calls=3)) == 0.5
    assert known_usd(Spent()) == 0.0


def test_a_report_is_summed_up_with_its_failures_by_kind() -> None:
    full = report(BASELINE, 221)
    broken = (failed_trial(1, "timeout"), failed_trial(2, "timeout"), failed_trial(3, "refused"))
    full = full.model_copy(
        update={
            "trials": (*full.trials, *broken),
            "n_errors": 3,
            "coverage": 400 / 403,
            "suite": {"macro_f1": math.nan, "confusions": [{"n": 1}]},
        }
    )
    never_first = Bucket(tag="too_long", case_ids=("c1", "c2"))
    summary = report_summary(full, buckets=(bucket("a", 3), bucket("b", 2), never_first))
    json.dumps(summary, allow_nan=False)
    assert summary["program_id"] == BASELINE.id
    assert (summary["split"], summary["n_cases"], summary["score"]) == ("holdout", 403, 0.5525)
    assert summary["interval"]["low"] == pytest.approx(0.5125)
    assert (summary["n_scored"], summary["n_errors"], summary["n_unscored"]) == (400, 3, 0)
    assert summary["failures"] == {"refused": 1, "timeout": 2}
    assert summary["dimensions"]["latency_s"]["p95"] == 0.88
    assert summary["suite"] == {"macro_f1": None, "confusions": [{"n": 1}]}
    assert summary["buckets"] == [
        {"tag": "wrong_value", "field": None, "n_cases": 5, "n_first": 5},
        {"tag": "too_long", "field": None, "n_cases": 2, "n_first": 0},
    ]


def test_a_report_without_a_score_says_so() -> None:
    empty = report(BASELINE, 0).model_copy(
        update={"trials": (failed_trial(1, "timeout"),), "score": None, "summaries": ()}
    )
    summary = report_summary(empty)
    assert summary["score"] is None
    assert summary["interval"] is None
    assert summary["buckets"] == []
