"""The gate: better and proven, not worse elsewhere, nothing critical broken, nothing missing."""

from __future__ import annotations

import random

import pytest

from promptyard.protocols import Gate
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import (
    Failure,
    GradedCase,
    Report,
    Score,
    StepVisit,
    Trial,
    breaks_critical,
)
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict
from promptyard.release import GATES
from promptyard.runner.summarize import summarize
from promptyard.testing.gate_contract import SuperiorityGateContract
from support.stations import label_case, label_trial, report_of

SETTINGS = GateSettings()
GATE = GATES["holdout"]()


class TestHoldoutGate(SuperiorityGateContract):
    def gate(self) -> Gate:
        return GATE


def test_what_was_not_measured_does_not_pass() -> None:
    half = [n % 2 == 0 for n in range(200)]
    cases = holdout(200)
    before = report_of(cases, ["a" if x else "b" for x in half], "base", "holdout")
    after = report_of(cases, ["a"] * 200, "cand", "holdout")
    lost = tuple(
        trial.model_copy(update={"status": "error", "score": None, "scores": ()})
        if number < 20
        else trial
        for number, trial in enumerate(after.trials)
    )
    pair = PairedReport(
        baseline=before,
        candidate=after.model_copy(update={"trials": lost, "coverage": 0.9, "n_scored": 180}),
    )
    verdict = GATE.judge(pair, cases, SETTINGS)
    assert verdict.status == "inconclusive"
    assert "90.0 %" in verdict.sentence


def holdout(n_cases: int) -> list[Case]:
    return [label_case(f"h{n}", f"t{n}", "a", "holdout") for n in range(n_cases)]


def judge(before: list[bool], after: list[bool], cases: list[Case] | None = None) -> Verdict:
    chosen = cases or holdout(len(before))
    pair = PairedReport(
        baseline=report_of(chosen, ["a" if x else "b" for x in before], "base", "holdout"),
        candidate=report_of(chosen, ["a" if x else "b" for x in after], "cand", "holdout"),
    )
    return GATE.judge(pair, chosen, SETTINGS)


def test_a_clear_gain_passes_with_its_interval() -> None:
    verdict = judge([True] * 100 + [False] * 100, [True] * 150 + [False] * 50)
    assert verdict.status == "pass"
    primary = verdict.comparisons[0]
    assert (primary.fixed, primary.broken, primary.n_cases) == (50, 0, 200)
    assert primary.difference == pytest.approx(0.25)
    assert primary.interval is not None
    assert 0 < primary.interval.low < 0.25 < primary.interval.high
    assert "passes" in verdict.sentence


def test_the_same_program_is_inconclusive_and_never_better() -> None:
    verdict = judge([True, False] * 100, [True, False] * 100)
    assert verdict.status == "inconclusive"
    assert "baseline stays" in verdict.sentence


def test_a_clear_loss_fails() -> None:
    assert judge([True] * 150 + [False] * 50, [True] * 100 + [False] * 100).status == "fail"


def test_a_broken_critical_case_fails_whatever_was_gained() -> None:
    cases = holdout(200)
    cases[0] = cases[0].model_copy(update={"critical": True})
    verdict = judge([True] + [False] * 199, [False] + [True] * 199, cases)
    assert verdict.status == "fail"
    assert verdict.critical_regressions == ("h0",)


def test_a_critical_break_counts_once_two_of_three_runs_confirm_it() -> None:
    cases = [label_case("h0", "t", "a", "holdout", critical=True)]
    right, wrong = label_trial(cases[0], "a"), label_trial(cases[0], "b")

    def broken(*reruns: Trial) -> tuple[str, ...]:
        pair = PairedReport(
            baseline=report_of(cases, ["a"], "base", "holdout"),
            candidate=report_of(cases, ["b"], "cand", "holdout"),
            reruns=reruns,
        )
        return GATE.judge(pair, cases, SETTINGS).critical_regressions

    assert broken() == ("h0",)
    assert broken(right, right) == ()
    assert broken(right, wrong) == ("h0",)


def test_of_two_critical_checks_with_one_name_the_second_may_not_break_either() -> None:
    case = label_case("h0", "t", "a", "holdout")

    def trial(*values: float) -> Trial:
        scores = tuple(
            Score(metric="contains", value=value, severity="soft", critical=True)
            for value in values
        )
        return label_trial(case, "a").model_copy(update={"scores": scores})

    assert breaks_critical(case, trial(0.0, 1.0), trial(0.0, 0.0))
    assert not breaks_critical(case, trial(0.0, 1.0), trial(0.0, 1.0))
    assert not breaks_critical(case, trial(0.0, 1.0), trial(0.0))  # the other was not run
    assert not breaks_critical(case, trial(0.0, 0.0), trial(0.0, 1.0))


def test_replicates_of_a_critical_case_count_all_alike() -> None:
    cases = [label_case("h0", "t", "a", "holdout", critical=True)]
    right, wrong = label_trial(cases[0], "a"), label_trial(cases[0], "b")

    def repeated(*trials: Trial) -> Report:
        graded = [GradedCase(case=cases[0], trial=trial) for trial in trials]
        return summarize("p", "v", "holdout", graded, {})

    def broken(before: Report, after: Report) -> tuple[str, ...]:
        pair = PairedReport(baseline=before, candidate=after)
        return GATE.judge(pair, cases, SETTINGS).critical_regressions

    steady = repeated(right, right, right)
    assert broken(steady, repeated(right, wrong, wrong)) == ("h0",)  # whichever comes first
    assert broken(steady, repeated(wrong, right, right)) == ()
    assert broken(repeated(wrong, right, wrong), repeated(wrong, wrong, wrong)) == ()


def test_a_dimension_that_the_candidate_does_not_have_is_not_taken_as_unharmed() -> None:
    cases = holdout(200)
    before = two_dimensions(cases, [True] * 100 + [False] * 100, [True] * 200)
    after = two_dimensions(cases, [True] * 200, [True] * 200)
    graded = [
        GradedCase(case=case, trial=trial.model_copy(update={"scores": trial.scores[:1]}))
        for case, trial in zip(cases, after.trials, strict=True)
    ]
    pair = PairedReport(baseline=before, candidate=summarize("p", "v", "holdout", graded, {}))
    verdict = GATE.judge(pair, cases, SETTINGS)
    assert verdict.status == "inconclusive"
    assert "validity: no case was measured for both" in verdict.sentence


def test_low_coverage_promotes_nothing_and_errors_are_not_zero() -> None:
    cases = holdout(200)
    rows = [GradedCase(case=c, trial=label_trial(c, "b", "base")) for c in cases]
    good = [GradedCase(case=c, trial=label_trial(c, "a", "cand")) for c in cases]
    for index in range(5):
        error = Trial(
            program_id="cand",
            case_id=cases[index].id,
            split="holdout",
            status="error",
            failure=Failure(at="model", kind="timeout", message="m"),
        )
        good[index] = GradedCase(case=cases[index], trial=error)
    pair = PairedReport(
        baseline=summarize("base", "v", "holdout", rows, {}),
        candidate=summarize("cand", "v", "holdout", good, {}),
    )
    verdict = GATE.judge(pair, cases, SETTINGS)
    assert verdict.status == "inconclusive"
    assert "97.5 %" in verdict.sentence
    assert verdict.comparisons[0].candidate_mean == 1.0
    assert verdict.comparisons[0].n_cases == 195


@pytest.mark.parametrize("absent", ["base", "cand"])
def test_cases_that_a_report_does_not_have_are_not_covered(absent: str) -> None:
    """A report on the easy cases alone is complete in itself, and shows nothing of the others."""
    cases = holdout(200)
    few = cases[:100]
    base, cand = (few, cases) if absent == "base" else (cases, few)
    pair = PairedReport(
        baseline=report_of(base, ["b"] * len(base), "base", "holdout"),
        candidate=report_of(cand, ["a"] * len(cand), "cand", "holdout"),
    )
    verdict = GATE.judge(pair, cases, SETTINGS)
    assert verdict.status == "inconclusive"
    assert verdict.coverage == 0.5
    assert "50.0 %" in verdict.sentence


def two_dimensions(cases: list[Case], accuracy: list[bool], validity: list[bool]) -> Report:
    rows: list[GradedCase] = []
    for case, right, valid in zip(cases, accuracy, validity, strict=True):
        scores = (
            Score(metric="m", value=float(right), tags=() if right else ("x",), severity="soft"),
            Score(
                metric="v",
                value=float(valid),
                tags=() if valid else ("y",),
                severity="soft",
                dimension="validity",
                weight=0.01,
            ),
        )
        trial = Trial(
            program_id="p",
            case_id=case.id,
            split="holdout",
            status="scored",
            score=(right + 0.01 * valid) / 1.01,
            scores=scores,
            visits=(StepVisit(step="main", completion=Completion(text="", cost_usd=0.001)),),
        )
        rows.append(GradedCase(case=case, trial=trial))
    return summarize("p", "v", "holdout", rows, {})


def test_a_gain_that_costs_another_dimension_does_not_pass() -> None:
    cases = holdout(300)
    before = two_dimensions(cases, [False] * 150 + [True] * 150, [True] * 300)
    after = two_dimensions(cases, [True] * 300, [True] * 240 + [False] * 60)
    verdict = GATE.judge(PairedReport(baseline=before, candidate=after), cases, SETTINGS)
    assert verdict.status == "fail"
    validity = verdict.comparison("validity")
    assert validity is not None
    assert (validity.rule, validity.status) == ("non_inferiority", "fail")


def test_a_margin_that_the_cases_cannot_certify_is_said_and_holds() -> None:
    cases = holdout(40)
    before = two_dimensions(cases, [False] * 20 + [True] * 20, [True] * 40)
    after = two_dimensions(cases, [True] * 40, [True] * 39 + [False])
    verdict = GATE.judge(PairedReport(baseline=before, candidate=after), cases, SETTINGS)
    assert verdict.status == "inconclusive"
    assert "cannot rule out a drop above 3 points with 40 cases" in verdict.sentence


def test_weights_count_in_the_verdict_as_they_count_in_the_reports() -> None:
    """Gains on light cases do not outweigh losses on heavy ones."""
    cases = [
        case.model_copy(update={"weight": 100.0 if n % 5 == 0 else 1.0})
        for n, case in enumerate(holdout(100))
    ]
    before = [n % 5 == 0 for n in range(100)]
    after = [n % 10 == 0 or n % 5 != 0 for n in range(100)]  # fixes light, breaks half the heavy
    verdict = judge(before, after, cases)
    primary = verdict.comparisons[0]
    assert verdict.status != "pass"
    assert primary.difference is not None
    assert primary.difference < -0.3
    reports = [
        report_of(cases, ["a" if x else "b" for x in answers], "p", "holdout").score or 0.0
        for answers in (before, after)
    ]
    assert primary.difference == pytest.approx(reports[1] - reports[0])


def test_quantities_are_reported_and_decide_nothing() -> None:
    verdict = judge([True] * 100 + [False] * 100, [True] * 150 + [False] * 50)
    rules = {item.dimension: item.rule for item in verdict.comparisons}
    assert rules["latency_s"] == "report"
    assert all(item.status == "pass" for item in verdict.comparisons if item.rule == "report")


def test_the_same_pair_gives_the_same_verdict() -> None:
    before = [random.Random(1).random() < 0.5 for _ in range(200)]
    after = [random.Random(2).random() < 0.7 for _ in range(200)]
    assert judge(before, after) == judge(before, after)


@pytest.mark.no_cover  # the same lines many times
def test_equal_prompts_pass_at_most_at_the_nominal_rate() -> None:
    """A/A with noise of its own in both arms: 400 seeds, at most 28 promotions."""
    n_passed = 0
    cases = holdout(120)
    for seed in range(400):
        rng = random.Random(seed)
        before = [rng.random() < 0.7 for _ in cases]
        after = [x if rng.random() < 0.7 else rng.random() < 0.7 for x in before]
        n_passed += judge(before, after, cases).status == "pass"
    assert n_passed <= 28


def test_a_change_that_need_not_be_better_must_be_shown_to_be_not_worse() -> None:
    settings = GateSettings(claim="not_worse")

    def judged(n: int, n_broken: int) -> str:
        cases = holdout(n)
        pair = PairedReport(
            baseline=report_of(cases, ["a"] * n, "base", "holdout"),
            candidate=report_of(cases, ["b"] * n_broken + ["a"] * (n - n_broken), "c", "holdout"),
        )
        return GATE.judge(pair, cases, settings).status

    assert judged(400, 0) == "pass"
    assert judged(40, 0) == "inconclusive"
    assert judged(400, 60) == "fail"
