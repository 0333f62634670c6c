from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.cases import Case
from promptyard.records.spreadsheet import FORMULA_SIGNS
from promptyard.reports.results_csv import COLUMNS, report_csv

from .test_junit import CASES, REPORT, TRIALS, failing


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_says_what_came_of_a_trial() -> None:
    found = rows(report_csv(REPORT, CASES))
    assert tuple(found[0]) == COLUMNS
    assert [row["case_id"] for row in found] == [trial.case_id for trial in TRIALS]
    bad = found[2]
    assert (bad["status"], bad["passed"], bad["score"]) == ("scored", "false", "0")
    assert bad["failed_checks"] == "json_schema(status); f1"
    assert bad["tags"] == "missing_required_field; low_overlap"
    assert bad["reasons"] == "got 'x'"
    assert bad["case_tags"] == "a:b"
    assert found[0]["skipped_checks"] == "skip: unsupported: promptfoo javascript"


def test_what_was_not_measured_is_an_empty_cell() -> None:
    down = rows(report_csv(REPORT, CASES))[3]
    assert (down["passed"], down["score"], down["cost_usd"], down["kind"]) == ("", "", "", "")
    assert down["failure"] == "model timeout: no answer in 30 s"


@given(st.sampled_from(FORMULA_SIGNS), st.text(max_size=10))
def test_no_cell_begins_like_a_formula(sign: str, rest: str) -> None:
    trial = failing(sign + rest).model_copy(update={"output": sign + rest, "case_id": sign + rest})
    case = Case(id=sign + rest, input={"q": sign}, expected=sign + rest, tags=(sign + rest,))
    text = report_csv(REPORT.model_copy(update={"trials": (trial,)}), [case])
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not [cell for cell in row if cell.startswith(FORMULA_SIGNS)]


def test_a_check_whose_name_has_its_field_does_not_name_it_twice() -> None:
    bad = failing()
    names = ("json_schema:status", "json_schema:status#case#2", "json_schema:other")
    scores = [bad.scores[0].model_copy(update={"metric": name}) for name in names]
    report = REPORT.model_copy(update={"trials": (bad.model_copy(update={"scores": scores}),)})
    (row,) = rows(report_csv(report, CASES))
    assert row["failed_checks"] == (
        "json_schema:status; json_schema:status#case#2; json_schema:other(status)"
    )
