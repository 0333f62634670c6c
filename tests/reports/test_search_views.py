"""Views of a search: the served curve, credits by bucket, origins behind changed lines."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.atoms import Atom
from promptyard.records.origins import Effect, Origin
from promptyard.reports.credits import credit_table
from promptyard.reports.diff import DiffLine
from promptyard.reports.origins import effect_text, with_origins
from promptyard.reports.plain import run_summary
from promptyard.reports.served_curve import served_curve, served_text
from reports.sample_run import credited, dev_run, empty_run, passed_run, served


def test_a_search_that_served_nothing_has_no_curve() -> None:
    assert served_curve(empty_run(), width=1000, height=260) is None
    assert served_text(empty_run()) == ""


def test_a_curve_stays_where_it_is_until_something_else_is_served() -> None:
    curve = served_curve(passed_run(), width=1000, height=260)
    assert curve is not None
    corners = re.findall(r"[MHV]", curve.path)
    assert corners == ["M", "H", "V", "H", "V", "H", "V", "H"]
    assert [mark.text for mark in curve.marks] == ["+8.0", "+15.0", "+12.0"]
    heights = [mark.y for mark in curve.marks]
    assert heights[1] < heights[2] < heights[0] < curve.zero, "up is less of y"
    assert curve.description == served_text(passed_run())
    assert served_text(passed_run()) == (
        "+8.0 points after 60 and +12.0 points after 860 task calls, over the baseline on unseen "
        "train cases, 1 step between"
    )


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=30),
    st.integers(0, 5000),
    st.sampled_from([370, 1000]),
)
def test_every_point_lies_within_the_drawing(leads: list[float], calls: int, width: int) -> None:
    run = passed_run().model_copy(update={"served": served(*leads), "search_task_calls": calls})
    curve = served_curve(run, width=width, height=260)
    assert curve is not None
    for mark in curve.marks:
        assert curve.left <= mark.x <= curve.right
        assert curve.top - 0.1 <= mark.y <= curve.bottom + 0.1
    assert curve.top - 0.1 <= curve.zero <= curve.bottom + 0.1
    assert len(curve.rows) <= 9
    assert len({tick.text for tick in curve.rows}) == len(curve.rows)


def test_a_bucket_is_one_row_with_its_best_attempt() -> None:
    rows = credit_table(
        [credited("b", 2, 2), credited("a", 1, 0), credited("b", 4, 1), credited("c", 5, 5)]
    )
    assert [(row.bucket, row.moved, row.n_attempts) for row in rows] == [
        ("b", True, 2),
        ("a", True, 1),
        ("c", False, 1),
    ]
    (once,) = credit_table([credited("d", 2, 0), credited("d", 2, 2)])
    assert once.moved, "it was mended, whatever came of the failures that are left"
    assert (rows[0].n_failing_before, rows[0].n_failing_after, rows[0].n_cases) == (4, 1, 4)


def test_an_effect_that_was_not_measured_is_not_zero() -> None:
    assert effect_text(None) == "not measured alone"
    assert effect_text(Effect(n_cases=2, n_failing_before=2, n_failing_after=0)) == (
        "2 → 0 on 2 cases"
    )


def test_a_line_of_two_sentences_names_both_origins_and_others_none() -> None:
    origins = [
        Origin(atom=Atom(kind="append", region="r", text=text), buckets=(name,), generator="g")
        for text, name in (("Be brief.", "a"), ("Be kind.", "b"))
    ]
    gone = Origin(
        atom=Atom(kind="delete", region="r", anchor="Be loud."), buckets=("c",), generator="g"
    )
    lines = [
        DiffLine("added", "- be brief. Be kind."),
        DiffLine("same", "Be brief."),
        DiffLine("added", "Be proud."),
        DiffLine("removed", "Be loud."),
        DiffLine("added", "Be brief.", demo=True),
    ]
    whys = [line.why for line in with_origins(lines, [*origins, gone])]
    assert whys == [
        "g: a (not measured alone); g: b (not measured alone)",
        "",
        "",
        "g: c (not measured alone)",
        "",
    ]


def test_plain_data_has_the_search_too() -> None:
    data = run_summary(dev_run(), n_cases=900, n_holdout=0, report_path=None)
    assert [point["difference"] for point in data["served"]] == [0.08, 0.15, 0.12]
    assert data["credits"][0]["bucket"] == "label:card_payment_fee_charged"
    assert data["traps"] == ["Always answer with the longest topic."]
    assert (data["verdict_split"], data["buckets_split"]) == ("dev", "dev")
