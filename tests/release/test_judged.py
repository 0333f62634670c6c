"""A gate says of every judge whether people were asked, and compares no two instruments."""

from __future__ import annotations

from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import (
    GradedCase,
    JudgeStamp,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.records.verdicts import GateSettings, PairedReport, Verdict
from promptyard.release.holdout_gate import HoldoutGate
from promptyard.runner.summarize import summarize

CASES = [Case(id=f"c{number}", input={}, split="holdout") for number in range(200)]


def report(
    program_id: str, n_passed: int, *, prompt_hash: str = "h", judged: bool = True
) -> Report:
    graded: list[GradedCase] = []
    for number, case in enumerate(CASES):
        value = float(number < n_passed)
        score = Score(
            metric="tone",
            value=value,
            tags=() if value else ("rubric",),
            severity="soft",
            dimension="judge",
            judge=JudgeStamp(model="m", prompt_hash=prompt_hash, verdict="pass")
            if judged
            else None,
        )
        trial = Trial(
            program_id=program_id,
            case_id=case.id,
            split="holdout",
            status="scored",
            score=value,
            passed=value == 1.0,
            visits=(StepVisit(step="main", completion=Completion(text="x")),),
            scores=(score,),
        )
        graded.append(GradedCase(case=case, trial=trial))
    return summarize(program_id, "v", "holdout", graded, {})


def certified(found: Report, **judge: object) -> Report:
    (check,) = found.checks
    assert check.judge is not None
    summary = check.judge.model_copy(update=judge)
    return found.model_copy(update={"checks": (check.model_copy(update={"judge": summary}),)})


def verdict(baseline: Report, candidate: Report) -> Verdict:
    pair = PairedReport(baseline=baseline, candidate=candidate)
    return HoldoutGate().judge(pair, CASES, GateSettings())


def test_an_uncalibrated_judge_is_marked_and_noted_and_decides_as_before() -> None:
    found = verdict(report("a", 100), report("b", 150))
    assert found.status == "pass"
    assert {item.dimension for item in found.comparisons if item.uncalibrated} == {"judge"}
    assert len(found.notes) == 1
    assert "'tone' is graded by an uncalibrated judge (m)" in found.notes[0]


def test_a_calibrated_one_is_named_with_what_the_means_become() -> None:
    before = certified(report("a", 100), certificate="abc", corrected_mean=0.45, method="ppi++")
    after = certified(report("b", 150), certificate="abc", corrected_mean=0.8, method="ppi++")
    found = verdict(before, after)
    assert not any(item.uncalibrated for item in found.comparisons)
    assert found.notes == (
        "the judge of 'tone' is calibrated (certificate abc); by people's labels 45.0 % become "
        "80.0 % (ppi++)",
    )
    uncorrected = certified(report("b", 150), certificate="abc", why_uncorrected="graded")
    assert "its mean is not corrected: graded" in verdict(before, uncorrected).notes[0]


def test_another_judge_is_another_scale_and_nothing_is_decided() -> None:
    found = verdict(report("a", 100), report("b", 150, prompt_hash="other"))
    assert found.status == "inconclusive"
    assert "the judge of 'tone' is not the one that graded the baseline" in found.sentence
    assert verdict(report("a", 150), report("b", 100, prompt_hash="other")).status == "fail"


def test_without_judges_there_is_nothing_to_say() -> None:
    found = verdict(report("a", 100, judged=False), report("b", 150, judged=False))
    assert found.status == "pass"
    assert found.notes == ()
