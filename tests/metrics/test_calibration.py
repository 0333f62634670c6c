"""Labels of people measure a judge and correct what it gave, where they can and only there."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from promptyard.metrics.calibration import PPI, ROGAN_GLADEN, certificate_of, certified
from promptyard.records.cases import Case
from promptyard.records.judging import (
    ENOUGH_LABELS,
    JudgeCertificate,
    LabelledVerdict,
)
from promptyard.records.labels import output_hash
from promptyard.records.messages import Completion
from promptyard.records.scores import (
    GradedCase,
    JudgeStamp,
    JudgeSummary,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.runner.summarize import summarize

MODEL, HASH = "scripted/judge", "0123456789abcdef"
VERSION = "v1"


def label(case_id: str, person: bool, judge: bool, output: str | None = None) -> LabelledVerdict:
    hashed = output_hash(output or f"answer to {case_id}")
    return LabelledVerdict(case_id=case_id, person=person, judge=judge, output_hash=hashed)


def labels(both: int, neither: int, only_judge: int, only_person: int) -> list[LabelledVerdict]:
    kinds = [(True, True)] * both + [(False, False)] * neither
    kinds += [(False, True)] * only_judge + [(True, False)] * only_person
    return [label(f"c{n}", person, judge) for n, (person, judge) in enumerate(kinds)]


def certificate(
    found: Sequence[LabelledVerdict],
    *,
    model: str = MODEL,
    prompt_hash: str = HASH,
    version: str = VERSION,
    n_unmeasured: int = 0,
) -> JudgeCertificate:
    return certificate_of(
        found,
        task="t",
        metric="tone",
        model=model,
        prompt_hash=prompt_hash,
        eval_set_version=version,
        n_unmeasured=n_unmeasured,
    )


def test_the_rates_are_those_of_the_table() -> None:
    found = certificate(labels(both=40, neither=30, only_judge=10, only_person=20))
    assert found.tpr.value == pytest.approx(40 / 60)
    assert found.tnr.value == pytest.approx(30 / 40)
    assert found.agreement.value == pytest.approx(0.7)
    # p_e = .6 * .5 + .4 * .5 = .5
    assert found.kappa.value == pytest.approx((0.7 - 0.5) / 0.5)
    assert (found.tpr.n, found.tnr.n, found.agreement.n) == (60, 40, 100)
    for rate in (found.tpr, found.tnr, found.agreement, found.kappa):
        assert rate.interval is not None
        assert rate.value is not None
        assert rate.interval.low < rate.value < rate.interval.high


def test_what_was_not_labelled_is_not_measured() -> None:
    found = certificate([label("a", True, True), label("b", True, True)])
    assert found.tnr.value is None
    assert found.kappa.value is None
    assert any("TNR is unknown" in warning for warning in found.warnings)


def test_the_same_labels_make_the_same_certificate() -> None:
    few = labels(5, 4, 1, 0)
    assert certificate(few).id == certificate(few).id
    others = [certificate(few[1:]), certificate(few, model="m"), certificate(few, prompt_hash="h")]
    assert len({item.id for item in (certificate(few), *others)}) == 4


def test_warnings_name_few_labels_and_low_rates() -> None:
    assert certificate(labels(30, 30, 2, 2)).warnings == ()
    few = certificate(labels(20, 20, 1, 1)).warnings
    assert len(few) == 1
    assert few[0].startswith("42 labels are few")
    lenient = certificate(labels(40, 20, 20, 0)).warnings
    assert len(lenient) == 1
    assert "TNR 0.50 is below 0.8: of what people fail, the judge would fail 50 %" in lenient[0]
    assert "gave no verdict on 3" in certificate(labels(30, 30, 0, 0), n_unmeasured=3).warnings[0]
    assert ENOUGH_LABELS == 50


def report_of(
    values: Sequence[float | Sequence[float]],
    *,
    weights: Sequence[float] = (),
    outputs: str = "answer to {}",
    version: str = VERSION,
) -> tuple[Report, list[Case]]:
    """A report in which the judge of `tone` gave these values, several for replicates."""
    cases = [
        Case(id=f"c{n}", input={}, weight=weights[n] if weights else 1.0)
        for n in range(len(values))
    ]
    graded: list[GradedCase] = []
    for case, given in zip(cases, values, strict=True):
        for replicate, value in enumerate(given if isinstance(given, Sequence) else [given]):
            verdict = "pass" if value == 1.0 else "fail"
            score = Score(
                metric="tone",
                value=value,
                tags=() if value == 1.0 else ("rubric",),
                severity="soft",
                dimension="judge",
                judge=JudgeStamp(model=MODEL, prompt_hash=HASH, verdict=verdict),
            )
            output = outputs.format(case.id)
            trial = Trial(
                program_id="p",
                case_id=case.id,
                split="dev",
                replicate=replicate,
                status="scored",
                score=value,
                output=output,
                visits=(StepVisit(step="main", completion=Completion(text=output)),),
                scores=(score,),
            )
            graded.append(GradedCase(case=case, trial=trial))
    return summarize("p", version, "dev", graded, {}), cases


def judge_of(report: Report) -> JudgeSummary:
    (check,) = report.checks
    assert check.judge is not None
    return check.judge


def corrected(
    values: Sequence[float | Sequence[float]], found: JudgeCertificate, *, outputs: str = "other"
) -> JudgeSummary:
    report, cases = report_of(values, outputs=outputs)
    return judge_of(certified(report, cases, certificates=[found]))


def test_a_judge_without_a_certificate_is_uncalibrated_and_stays_as_it_is() -> None:
    report, cases = report_of([1.0, 0.0])
    assert report.uncalibrated == {"judge"}
    strangers = [
        certificate(labels(30, 30, 0, 0), model="scripted/other"),
        certificate(labels(30, 30, 0, 0), prompt_hash="another"),
    ]
    assert certified(report, cases, certificates=strangers) == report
    assert certified(report, cases, certificates=[]) == report


def test_the_last_certificate_of_the_same_instrument_counts() -> None:
    report, cases = report_of([1.0] * 6 + [0.0] * 4, outputs="other")
    first, last = certificate(labels(30, 30, 9, 9)), certificate(labels(40, 40, 5, 5))
    found = certified(report, cases, certificates=[first, last])
    assert judge_of(found).certificate == last.id
    assert found.uncalibrated == frozenset()
    assert found.score == report.score


def test_a_mean_is_corrected_by_rogan_and_gladen() -> None:
    # TPR = .9, TNR = .8: (.6 + .8 - 1) / .7
    found = corrected([1.0] * 60 + [0.0] * 40, certificate(labels(45, 40, 10, 5)))
    assert found.method == ROGAN_GLADEN
    assert found.corrected_mean == pytest.approx(0.4 / 0.7)
    assert found.corrected_interval is not None
    assert found.corrected_interval.low < 0.4 / 0.7 < found.corrected_interval.high


def test_labels_of_these_very_answers_correct_by_ppi() -> None:
    values = [1.0, 0.0] * 60
    few = [label(f"c{n}", n % 2 == 0 or n % 10 == 1, n % 2 == 0) for n in range(40)]
    found = corrected(values, certificate(few), outputs="answer to {}")
    assert found.method == PPI
    assert found.corrected_mean == pytest.approx(0.5 + 4 / 40, abs=0.02)
    assert corrected(values, certificate(few)).method == ROGAN_GLADEN  # of other answers
    elsewhere = certificate(few, version="v2")
    assert corrected(values, elsewhere, outputs="answer to {}").method == ROGAN_GLADEN
    too_few = certificate(few[:29])
    assert corrected(values, too_few, outputs="answer to {}").method == ROGAN_GLADEN


def test_labels_given_to_the_failures_alone_do_not_make_their_mean_that_of_the_suite() -> None:
    values = [0.0] * 40 + [1.0] * 60
    failures = [label(f"c{n}", False, False) for n in range(40)]
    found = corrected(values, certificate(failures), outputs="answer to {}")
    assert found.corrected_mean is None
    assert "TPR is unknown" in found.why_uncorrected
    balanced = [label(f"c{n}", n % 8 == 0, False) for n in range(40)]
    balanced += [label(f"c{n}", True, True) for n in range(40, 45)]
    found = corrected(values, certificate(balanced), outputs="answer to {}")
    assert found.method != PPI  # 11 % of the labelled answers pass, 100 % of the others


def test_replicates_of_a_case_count_as_shares_of_a_pass() -> None:
    found = corrected([[1.0, 0.0]] * 50 + [[1.0, 1.0]] * 50, certificate(labels(45, 40, 10, 5)))
    assert found.corrected_mean == pytest.approx((0.75 + 0.8 - 1) / 0.7)


def test_grades_and_weighted_means_are_not_corrected_and_it_says_why() -> None:
    found = corrected([1.0, 0.8, 0.0], certificate(labels(45, 40, 10, 5)))
    assert (found.corrected_mean, found.method) == (None, "")
    assert found.why_uncorrected == "only means of passes and fails can be corrected"
    report, cases = report_of([1.0, 0.0], weights=[1.0, 3.0])
    weighted = judge_of(certified(report, cases, certificates=[certificate(labels(45, 40, 10, 5))]))
    assert weighted.certificate is not None
    assert weighted.why_uncorrected == "cases differ in weight"


def test_a_judge_that_is_no_better_than_a_coin_corrects_nothing() -> None:
    found = corrected([1.0, 0.0] * 30, certificate(labels(20, 20, 20, 20)))
    assert found.corrected_mean is None
    assert "says too little to be corrected" in found.why_uncorrected


def test_several_instruments_behind_one_check_fit_no_certificate() -> None:
    report, cases = report_of([1.0] * 4)
    trial = report.trials[0]
    stamp = JudgeStamp(model="scripted/judge@2026-02", prompt_hash=HASH, verdict="pass")
    other = trial.model_copy(
        update={"scores": (trial.scores[0].model_copy(update={"judge": stamp}),)}
    )
    graded = [
        GradedCase(case=case, trial=other if case.id == "c0" else item)
        for case, item in zip(cases, report.trials, strict=True)
    ]
    mixed = summarize("p", VERSION, "dev", graded, {})
    assert judge_of(mixed).model == "scripted/judge@2026-02, scripted/judge"
    found = certified(mixed, cases, certificates=[certificate(labels(45, 40, 10, 5))])
    assert found.uncalibrated == {"judge"}


@pytest.mark.no_cover  # the same lines many times
def test_on_average_the_corrected_mean_is_nearer_to_the_truth_than_the_judge() -> None:
    """A judge with TPR .9 and TNR .7 on answers of which 60 % are good, 40 times."""
    rng = random.Random(7)
    errors: dict[str, list[float]] = {"judge": [], "by others": [], "by these": []}
    n_covered = 0
    for _ in range(40):
        truth = [rng.random() < 0.6 for _ in range(300)]
        judge = [rng.random() < (0.9 if good else 0.3) for good in truth]
        few = [label(f"c{n}", truth[n], judge[n]) for n in range(100)]
        values = [float(said) for said in judge]
        mean = sum(truth) / len(truth)
        errors["judge"].append(sum(values) / len(values) - mean)
        for name, outputs in (("by others", "other"), ("by these", "answer to {}")):
            found = corrected(values, certificate(few), outputs=outputs)
            assert found.corrected_mean is not None
            assert found.corrected_interval is not None
            errors[name].append(found.corrected_mean - mean)
            n_covered += found.corrected_interval.low <= mean <= found.corrected_interval.high
    means = {name: sum(found) / len(found) for name, found in errors.items()}
    assert means["judge"] == pytest.approx(0.6 * 0.9 + 0.4 * 0.3 - 0.6, abs=0.02)
    assert abs(means["by others"]) < 0.02
    assert abs(means["by these"]) < 0.02
    assert n_covered >= 74  # of 80
