from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.edits import Rejection
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.reports.aggregate import bucket_table, label_table, pair_table, rejection_table
from reports.sample_run import bucket


def test_buckets_of_several_labels_become_one_row() -> None:
    rows = bucket_table([bucket("a", 5), bucket("b", 3)], [bucket("a", 1)])
    assert [(row.tag, row.field, row.before, row.after) for row in rows] == [
        ("wrong_value", None, 8, 1)
    ]


def test_a_case_counts_only_in_its_primary_bucket() -> None:
    shared = Bucket(tag="refusal", case_ids=("c1", "c2"), primary_ids=("c2",))
    never_first = Bucket(tag="too_long", case_ids=("c1",), primary_ids=())
    rows = bucket_table([shared, never_first], [])
    assert [(row.tag, row.before) for row in rows] == [("refusal", 1)]


def test_a_failure_that_is_new_after_gets_a_row_of_its_own() -> None:
    rows = bucket_table([bucket(None, 4, tag="refusal")], [bucket(None, 2, tag="empty_output")])
    assert [(row.tag, row.before, row.after) for row in rows] == [
        ("refusal", 4, 0),
        ("empty_output", 0, 2),
    ]


def test_fields_are_told_apart() -> None:
    rows = bucket_table(
        [bucket(None, 1, field="status"), bucket(None, 2, field="due")],
        [bucket(None, 1, field="status")],
    )
    assert [(row.field, row.before, row.after) for row in rows] == [("due", 2, 0), ("status", 1, 1)]


def test_labels_come_by_how_often_the_baseline_fails_them() -> None:
    before = [bucket("a", 1), bucket("b", 3), bucket(None, 9, tag="refusal")]
    rows = label_table(before, [bucket("c", 7)], limit=2)
    assert [(row.label, row.before, row.after) for row in rows] == [("b", 3, 0), ("a", 1, 0)]
    assert label_table([bucket(None, 9)], []) == ()


def test_pairs_stand_side_by_side_and_a_new_confusion_is_not_missed() -> None:
    before = [
        ConfusionPair(expected="a", got="b", n_cases=4),
        ConfusionPair(expected="b", got="a", n_cases=1),
    ]
    after = [
        ConfusionPair(expected="c", got="a", n_cases=6),
        ConfusionPair(expected="a", got="b", n_cases=2),
    ]
    rows = pair_table(before, after, limit=2)
    assert [(row.expected, row.got, row.before, row.after) for row in rows] == [
        ("c", "a", 0, 6),
        ("a", "b", 4, 2),
    ]


def test_rejections_are_counted_by_code_and_reason() -> None:
    rejections = [
        Rejection(generator="reflect", code="V2", reason="nothing changes"),
        Rejection(generator="demos", code="V2", reason="nothing changes"),
        Rejection(generator="reflect", code="V3", reason="too long"),
    ]
    rows = rejection_table(rejections)
    assert [(row.code, row.n_proposals, row.generators) for row in rows] == [
        ("V2", 2, ("demos", "reflect")),
        ("V3", 1, ("reflect",)),
    ]


@st.composite
def buckets(draw: st.DrawFn) -> list[Bucket]:
    """Draw buckets of a few labels and tags."""
    label, tag = st.sampled_from(["a", "b", None]), st.sampled_from(["wrong_value", "refusal"])
    return [
        bucket(draw(label), draw(st.integers(0, 5)), tag=draw(tag))
        for _ in range(draw(st.integers(0, 6)))
    ]


@given(buckets(), buckets())
def test_no_failing_case_is_lost_or_counted_twice(
    before: list[Bucket], after: list[Bucket]
) -> None:
    rows = bucket_table(before, after)
    assert sum(row.before for row in rows) == sum(len(item.primary_ids) for item in before)
    assert sum(row.after for row in rows) == sum(len(item.primary_ids) for item in after)
    assert all(row.before or row.after for row in rows)
