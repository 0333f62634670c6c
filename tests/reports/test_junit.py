from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import (
    Failure,
    Interval,
    Report,
    Score,
    StepVisit,
    Summary,
    Trial,
    Unmeasured,
)
from promptyard.reports.junit import report_junit

VISIT = StepVisit(step="main", completion=Completion(text="x", latency_s=0.25))
SKIPPED = Unmeasured(
    metric="skip", status="skip", kind="unsupported", reason="unsupported: promptfoo javascript"
)
BROKEN = Unmeasured(metric="python", status="error", kind="scorer_error", reason="ValueError: no")


def trial(case_id: str, **values: object) -> Trial:
    base = {
        "program_id": "p",
        "case_id": case_id,
        "split": "dev",
        "status": "scored",
        "score": 1.0,
        "passed": True,
        "visits": (VISIT,),
    }
    return Trial.model_validate(base | values)


def failing(reason: str = "got 'x'") -> Trial:
    wrong = Score(
        metric="json_schema",
        value=0.0,
        tags=("missing_required_field",),
        field="status",
        path="/status",
        reason=reason,
        critical=True,
    )
    soft = Score(metric="f1", value=0.5, tags=("low_overlap",), severity="soft")
    return trial("bad", score=0.0, passed=False, scores=(wrong, soft))


TRIALS = (
    trial("good", unmeasured=(SKIPPED,)),
    trial("good", replicate=1),
    failing(),
    trial(
        "down",
        status="error",
        score=None,
        passed=False,
        failure=Failure(at="model", kind="timeout", message="no answer in 30 s"),
    ),
    trial("open", status="unscored", score=None, passed=False, unmeasured=(SKIPPED,)),
    trial("broke", status="unscored", score=None, passed=False, unmeasured=(BROKEN,)),
)
REPORT = Report(
    program_id="p",
    eval_set_version="v123",
    split="dev",
    trials=TRIALS,
    n_scored=3,
    n_errors=1,
    n_unscored=2,
    coverage=0.5,
    score=2 / 3,
    summaries=(
        Summary(
            name="score",
            mean=2 / 3,
            n_cases=3,
            interval=Interval(low=0.2, high=0.9, method="bootstrap"),
        ),
        Summary(name="latency_s", mean=0.25, n_cases=3),
    ),
)
CASES = [Case(id="bad", input={"q": "x"}, critical=True, tags=("a:b",), source="t.csv:2")]


def suite_of(text: str) -> ElementTree.Element:
    root = ElementTree.fromstring(text)
    suite = root.find("testsuite")
    assert suite is not None
    return suite


def test_each_trial_is_one_test_case_with_what_came_of_it() -> None:
    suite = suite_of(report_junit(REPORT, CASES, name="support"))
    found = [
        (case.get("name"), [child.tag for child in case if child.tag != "system-out"])
        for case in suite.iter("testcase")
    ]
    assert found == [
        ("good", []),
        ("good #2", []),
        ("bad", ["failure"]),
        ("down", ["error"]),
        ("open", ["skipped"]),
        ("broke", ["error"]),
    ]
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "support.dev",
        "tests": "6",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
    }
    assert suite.get("time") == "1.500"


def test_a_failure_says_tag_field_and_reason() -> None:
    failure = suite_of(report_junit(REPORT, CASES)).find("testcase/failure")
    assert failure is not None
    assert failure.get("type") == "missing_required_field"
    assert failure.get("message") == (
        "critical hard json_schema: missing_required_field at /status: got 'x'"
    )
    assert failure.text == (
        "score 0\na critical case\nrepresentative, a:b\nsource: t.csv:2\n"
        "critical hard json_schema: missing_required_field at /status: got 'x'\n"
        "soft f1: low_overlap"
    )


def test_what_was_not_run_is_said_also_where_the_case_passed() -> None:
    suite = suite_of(report_junit(REPORT, CASES))
    said = suite.find("testcase/system-out")
    assert said is not None
    assert said.text is not None
    assert "skip skip: unsupported: promptfoo javascript" in said.text
    skipped = suite.find("testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "skip: unsupported: promptfoo javascript"
    error = suite.find("testcase/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("timeout", "model: no answer in 30 s")


def test_the_properties_hold_score_coverage_interval_and_version() -> None:
    suite = suite_of(report_junit(REPORT, CASES))
    found = {item.get("name"): item.get("value") for item in suite.iter("property")}
    assert found["score"] == "0.666667"
    assert found["coverage"] == "0.5"
    assert (found["score_low"], found["score_high"]) == ("0.2", "0.9")
    assert found["score_interval"] == "0.95 bootstrap"
    assert found["eval_set_version"] == "v123"
    assert found["mean_latency_s"] == "0.25"
    assert found["n_checks_skipped"] == "2"


def test_a_report_without_a_score_has_no_property_for_it() -> None:
    empty = REPORT.model_copy(update={"trials": (), "score": None, "summaries": ()})
    suite = suite_of(report_junit(empty, []))
    names = {item.get("name") for item in suite.iter("property")}
    assert "score" not in names
    assert suite.get("tests") == "0"


# What the schema junit-10 of Jenkins' xunit plugin allows: attributes (required ones marked), and
# children. Its time is a number with at most three digits between commas and any decimals.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "group", "file"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": (
        {"name"},
        {"time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "skipped": (set(), {"type", "message"}, set()),
    "error": (set(), {"type", "message"}, set()),
    "failure": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def assert_valid(element: ElementTree.Element) -> None:
    required, optional, children = SCHEMA[element.tag]
    assert required <= set(element.attrib) <= required | optional
    assert {child.tag for child in element} <= children
    if "time" in element.attrib:
        assert TIME.fullmatch(element.attrib["time"])
    for child in element:
        assert_valid(child)


@given(st.text(), st.text())
def test_any_text_gives_a_document_of_the_schema(reason: str, name: str) -> None:
    report = REPORT.model_copy(update={"trials": (*TRIALS, failing(reason))})
    text = report_junit(report, CASES, name=name)
    root = ElementTree.fromstring(text.encode("utf-8"))
    assert root.tag == "testsuites"
    assert_valid(root)


def test_hidden_characters_are_shown() -> None:
    text = report_junit(REPORT.model_copy(update={"trials": (failing("\x1b[2J\ufffe\x00"),)}), [])
    assert "&lt;U+001B&gt;[2J&lt;U+FFFE&gt;&lt;U+0000&gt;" in text
