"""A report as JUnit XML, which CI systems show: one test case for each trial.

A trial that was scored and did not pass is a failure, one that ended with an error (of the model,
the harness or the judge) an error, one that no check could grade is skipped. The structure is that
of the schema junit-10 of Jenkins' xunit plugin, which other CI systems read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree

from promptyard.records.cases import Case
from promptyard.records.scores import Report, Score, Trial
from promptyard.reports.visible import one_line, visible

MAX_MESSAGE = 300
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def report_junit(report: Report, cases: Sequence[Case], *, name: str = "promptyard") -> str:
    """Write a report as JUnit XML. Pure.

    Args:
        report: what was measured.
        cases: the cases of the report; those that are missing are named by their id alone.
        name: the name of the task, which becomes the name of the suite.

    The properties of the suite hold score, coverage, the interval of the score, every other mean,
    the version of the eval set and how many checks were not run. Missing values are left out.
    """
    by_id = {case.id: case for case in cases}
    outcomes = [_outcome(trial) for trial in report.trials]
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _attribute(f"{name}.{report.split}"),
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count("failure")),
            "errors": str(outcomes.count("error")),
            "skipped": str(outcomes.count("skipped")),
            "time": _seconds(sum(trial.latency_s for trial in report.trials)),
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in _properties(report).items():
        ElementTree.SubElement(properties, "property", {"name": key, "value": _attribute(value)})
    for trial, outcome in zip(report.trials, outcomes, strict=True):
        suite.append(_test_case(trial, outcome, by_id.get(trial.case_id), f"{name}.{report.split}"))
    counts = {key: suite.attrib[key] for key in ("tests", "failures", "errors", "time")}
    root = ElementTree.Element("testsuites", {"name": _attribute(name), **counts})
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _outcome(trial: Trial) -> str:
    if trial.status == "scored":
        return "passed" if trial.passed else "failure"
    broken = any(gap.status == "error" for gap in trial.unmeasured)
    return "error" if trial.status == "error" or broken else "skipped"


def _properties(report: Report) -> Mapping[str, str]:
    found: dict[str, str] = {
        "eval_set_version": report.eval_set_version,
        "program": report.program_id,
        "split": report.split,
        "coverage": f"{report.coverage:.6g}",
        "n_scored": str(report.n_scored),
        "n_errors": str(report.n_errors),
        "n_unscored": str(report.n_unscored),
    }
    if report.score is not None:
        found["score"] = f"{report.score:.6g}"
    for item in report.summaries:
        if item.name != "score":
            found[f"mean_{item.name}"] = f"{item.mean:.6g}"
        if item.interval is not None:
            prefix = "score" if item.name == "score" else f"mean_{item.name}"
            found[f"{prefix}_low"] = f"{item.interval.low:.6g}"
            found[f"{prefix}_high"] = f"{item.interval.high:.6g}"
            found[f"{prefix}_interval"] = f"{item.interval.level:g} {item.interval.method}"
    skipped = sum(gap.status == "skip" for trial in report.trials for gap in trial.unmeasured)
    found["n_checks_skipped"] = str(skipped)
    return found


def _test_case(
    trial: Trial, outcome: str, case: Case | None, class_name: str
) -> ElementTree.Element:
    number = f" #{trial.replicate + 1}" if trial.replicate else ""
    element = ElementTree.Element(
        "testcase",
        {
            "classname": _attribute(class_name),
            "name": _attribute(f"{trial.case_id}{number}"),
            "time": _seconds(trial.latency_s),
        },
    )
    if outcome == "failure":
        _add_failure(element, trial, case)
    elif outcome != "passed":
        _add_gap(element, outcome, trial)
    gaps = [f"{gap.status} {gap.metric}: {gap.reason}" for gap in trial.unmeasured]
    if gaps and outcome in ("passed", "failure"):
        said = "\n".join(["Checks that gave no score:", *gaps])
        ElementTree.SubElement(element, "system-out").text = _legal(said)
    return element


def _add_failure(element: ElementTree.Element, trial: Trial, case: Case | None) -> None:
    findings = [score for score in trial.scores if score.value < 1.0]
    score = "" if trial.score is None else f"score {trial.score:.4g}"
    first = _finding(findings[0]) if findings else score
    kind = findings[0].tags[0] if findings and findings[0].tags else "low_score"
    failure = ElementTree.SubElement(
        element, "failure", {"message": _attribute(first), "type": _attribute(kind)}
    )
    failure.text = _legal("\n".join((score, *_context(case), *(_finding(f) for f in findings))))


def _finding(score: Score) -> str:
    """Write one finding: severity, check, tags, where, why."""
    where = f" at {score.path or score.field}" if score.path or score.field else ""
    tags = ", ".join(score.tags) or "low_score"
    critical = "critical " if score.critical else ""
    return f"{critical}{score.severity} {score.metric}: {tags}{where}: {score.reason}".rstrip(": ")


def _context(case: Case | None) -> Iterator[str]:
    if case is None:
        return
    if case.critical:
        yield "a critical case"
    if case.kind != "representative" or case.tags:
        yield ", ".join((case.kind, *case.tags))
    if case.source:
        yield f"source: {case.source}"


def _add_gap(element: ElementTree.Element, outcome: str, trial: Trial) -> None:
    reasons = [f"{gap.metric}: {gap.reason}" for gap in trial.unmeasured]
    kind = trial.unmeasured[0].kind if trial.unmeasured else "unscored"
    if trial.failure is not None:
        kind = trial.failure.kind
        reasons.insert(0, f"{trial.failure.at}: {trial.failure.message}")
    message = reasons[0] if reasons else "no check graded it"
    gap = ElementTree.SubElement(
        element, outcome, {"message": _attribute(message), "type": _attribute(kind)}
    )
    gap.text = _legal("\n".join(reasons)) or None


def _attribute(text: str) -> str:
    return _legal(one_line(text, MAX_MESSAGE))


def _legal(text: str) -> str:
    return _ILLEGAL.sub(lambda match: f"<U+{ord(match[0]):04X}>", visible(text))


def _seconds(value: float) -> str:
    return f"{value:.3f}"
