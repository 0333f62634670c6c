"""Says of a judge what a reader of its scores should know: its calibration, its contradictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from promptyard.records.base import Json
from promptyard.records.judging import Calibration, JudgeCertificate, SentinelReport
from promptyard.records.scores import CheckSummary, Interval
from promptyard.reports.figures import MISSING, counted, percent
from promptyard.reports.plain import sayable

UNCALIBRATED = "uncalibrated judge"


def marked(name: str, *, uncalibrated: bool) -> str:
    """Write the name of a dimension so that nobody takes an uncalibrated judge for a measure."""
    return f"{name} ({UNCALIBRATED})" if uncalibrated else name


def judge_notes(check: CheckSummary) -> list[str]:
    """Say in a few words each what is known of the judge behind a check; none without a judge."""
    judge = check.judge
    if judge is None:
        return []
    if judge.certificate is None:
        notes = [UNCALIBRATED]
    else:
        notes = [f"judge calibrated by certificate {judge.certificate}"]
        if judge.corrected_mean is not None:
            notes.append(
                f"corrected {percent(judge.corrected_mean)} "
                f"({_range(judge.corrected_interval)}, {judge.method})"
            )
        elif judge.why_uncorrected:
            notes.append(f"not corrected: {judge.why_uncorrected}")
    if judge.n_repeated:
        n_twice = counted(judge.n_repeated, "verdict")
        notes.append(f"contradicted itself in {judge.n_flipped} of {n_twice} asked twice")
    return notes


def _range(interval: Interval | None) -> str:
    return MISSING if interval is None else f"{percent(interval.low)} to {percent(interval.high)}"


def rate_rows(certificate: JudgeCertificate) -> list[tuple[str, str, str, str, str]]:
    """Write the rates of a certificate: name, value, interval, number of labels, what it is."""
    rows = (
        ("TPR", certificate.tpr, "of what people pass, the judge passes"),
        ("TNR", certificate.tnr, "of what people fail, the judge fails"),
        ("agreement", certificate.agreement, "both say the same"),
        ("kappa", certificate.kappa, "agreement beyond chance: 1 perfect, 0 none"),
    )
    return [
        (name, _number(rate.value), _numbers(rate.interval), str(rate.n), meaning)
        for name, rate, meaning in rows
    ]


def calibration_data(calibration: Calibration) -> dict[str, Json]:
    """Write a calibration as plain JSON data; rates that could not be measured are None."""
    data = calibration.model_dump(mode="json")
    certificate = data.pop("certificate")
    warnings = list(calibration.certificate.warnings)
    return cast("dict[str, Json]", sayable({**certificate, **data, "warnings": warnings}))


def sentinel_data(report: SentinelReport) -> dict[str, Json]:
    """Write what was tried on a judge as plain JSON data."""
    return cast("dict[str, Json]", sayable(report.model_dump(mode="json")))


def certificate_data(certificates: Sequence[JudgeCertificate]) -> list[Json]:
    """Write certificates as plain JSON data, their labels counted and not repeated."""
    return [
        {
            **item.model_dump(mode="json", exclude={"labels"}),
            "n_labels": len(item.labels),
            "warnings": list(item.warnings),
        }
        for item in certificates
    ]


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _numbers(interval: Interval | None) -> str:
    return MISSING if interval is None else f"{interval.low:.2f} to {interval.high:.2f}"
