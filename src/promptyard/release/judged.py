"""What a gate says of the judges behind the scores that it compares. Pure."""

from __future__ import annotations

from promptyard.records.scores import CheckSummary, JudgeSummary, Report
from promptyard.records.verdicts import PairedReport


def changed_judges(pair: PairedReport) -> tuple[str, ...]:
    """Name the checks that were not judged by one and the same instrument on both sides."""
    before = {check.metric: check.judge for check in pair.baseline.checks}
    return tuple(
        f"the judge of '{check.metric}' is not the one that graded the baseline "
        f"({_instrument(known)}, now {_instrument(check.judge)}), so their scores do not compare"
        for check in pair.candidate.checks
        if check.judge is not None
        and (known := before.get(check.metric)) is not None
        and (known.model, known.prompt_hash) != (check.judge.model, check.judge.prompt_hash)
    )


def judge_notes(pair: PairedReport) -> tuple[str, ...]:
    """Say of every judged check whether its judge is calibrated, and what the means come to."""
    return tuple(
        _note(check, check.judge, _corrected(pair.baseline, check.metric))
        for check in pair.candidate.checks
        if check.judge is not None
    )


def _note(check: CheckSummary, judge: JudgeSummary, baseline: float | None) -> str:
    if judge.certificate is None:
        return (
            f"'{check.metric}' is graded by an uncalibrated judge ({judge.model}): how far people "
            "agree with it is unknown; `promptyard judge calibrate` measures it"
        )
    said = f"the judge of '{check.metric}' is calibrated (certificate {judge.certificate})"
    if judge.corrected_mean is None:
        return f"{said}; its mean is not corrected: {judge.why_uncorrected}"
    before = "unknown" if baseline is None else f"{100 * baseline:.1f} %"
    after = f"{100 * judge.corrected_mean:.1f} %"
    return f"{said}; by people's labels {before} become {after} ({judge.method})"


def _corrected(report: Report, metric: str) -> float | None:
    judges = (check.judge for check in report.checks if check.metric == metric)
    return next((judge.corrected_mean for judge in judges if judge is not None), None)


def _instrument(judge: JudgeSummary | None) -> str:
    return "none" if judge is None else f"{judge.model}, prompt {judge.prompt_hash[:8]}"
