"""Every metric does what its table says; the reference pages show these tables."""

from __future__ import annotations

import pytest

from promptyard.metrics import METRICS

from .case_table import FEWEST_ROWS, TABLES, Row, case_table, outcome_of, table_names

WITH_TABLES = sorted(path.stem for path in TABLES.glob("*.yaml"))
ROWS = [
    pytest.param(name, row, id=f"{name}: {row.note}")
    for name in WITH_TABLES
    for row in case_table(name).rows
]


def test_every_metric_class_has_a_table() -> None:
    missing = sorted(set(table_names().values()) - set(WITH_TABLES))
    assert not missing, f"write tests/metrics/tables/{missing[0]}.yaml: {FEWEST_ROWS} rows or more"


@pytest.mark.parametrize("name", WITH_TABLES)
def test_a_table_is_of_a_metric_and_shows_it_from_every_side(name: str) -> None:
    table = case_table(name)
    assert table.metric == name
    assert name in METRICS
    assert len(table.rows) >= FEWEST_ROWS
    assert len({row.note for row in table.rows}) == len(table.rows)
    outcomes = {row.outcome for row in table.rows}
    assert outcomes & {"error", "refused"}
    assert name == "skip" or outcomes >= {"pass", "fail"}


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_a_row_comes_out_as_it_says(name: str, row: Row) -> None:
    outcome, scores = outcome_of(case_table(name), row)
    assert outcome == row.outcome, [score.reason for score in scores]
    findings = [score for score in scores if score.value < 1.0]
    if row.tags is not None:
        assert findings[0].tags == row.tags if findings else row.tags == ()
    if row.field is not None:
        assert (*findings, *scores)[0].field == row.field
    if row.path is not None:
        assert findings[0].path == row.path
    if row.value is not None:
        assert min(score.value for score in scores) == pytest.approx(row.value, abs=5e-4)
    for finding in findings:
        assert finding.tags
        assert finding.reason
