"""Buckets: failures grouped by cause, each with the section that likely explains it."""

from __future__ import annotations

import pytest

from promptyard.errors import EvalSetError
from promptyard.records.evidence import TrainTrial
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import Failure, GradedCase, JudgeStamp, Score, Trial
from promptyard.signals.buckets import bucket_failures
from promptyard.signals.evidence import confusions, gather, target_counts
from promptyard.signals.tags import LAST_TAGS, TAG_PRIORITY
from support.stations import LABEL_PROMPT, graded, label_case, label_trial

PROGRAM = Program.single(Prompt.from_text(LABEL_PROMPT))


def trial(case_id: str, *scores: Score) -> GradedCase:
    case = label_case(case_id, "t", "x").model_copy(update={"expected": {"status": "open"}})
    return GradedCase(
        case=case,
        trial=Trial(
            program_id="p",
            case_id=case_id,
            split="train",
            status="scored",
            score=0.0,
            scores=scores,
        ),
    )


def failed(tag: str, field: str | None = None, severity: str = "hard") -> Score:
    return Score(
        metric="m",
        value=0.0,
        tags=(tag,),
        field=field,
        reason="r",
        severity="hard" if severity == "hard" else "soft",
    )


def test_a_case_lies_in_all_its_buckets_and_has_one_primary() -> None:
    buckets = bucket_failures(
        [
            trial("1", failed("wrong_value", "status"), failed("invalid_json")),
            trial("2", failed("wrong_value", "status")),
        ],
        PROGRAM,
    )
    by_name = {bucket.name: bucket for bucket in buckets}
    assert by_name["wrong_value:status"].case_ids == ("1", "2")
    assert by_name["wrong_value:status"].primary_ids == ("2",)
    assert by_name["invalid_json"].primary_ids == ("1",)
    assert sum(len(bucket.primary_ids) for bucket in buckets) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("truncated_output", "invalid_json"),
        ("refusal", "wrong_value"),
        ("missing_refusal", "rubric:facts"),
        ("secret_leak", "invalid_json"),
        ("pii_leak", "wrong_value"),
        ("prompt_leak", "unsupported_fact"),
        ("invalid_json", "missing_tool_call"),
        ("missing_tool_call", "wrong_tool"),
        ("wrong_tool", "invalid_tool_args"),
        ("invalid_enum", "wrong_citation"),
        ("wrong_citation", "wrong_value"),
        ("wrong_value", "low_overlap"),
        ("low_overlap", "rubric:facts"),
        ("off_topic", "rubric"),
        ("rubric:facts", "a_tag_of_a_user"),
        ("a_tag_of_a_user", "too_long"),
        ("too_long", "too_slow"),
        ("too_costly", "low_score"),
        ("inconsistent_verdict", "low_score"),
    ],
)
def test_the_first_thing_wrong_is_the_primary_bucket(first: str, second: str) -> None:
    for order in ((first, second), (second, first)):
        found = bucket_failures([trial("1", *map(failed, order))], PROGRAM)
        assert {bucket.tag for bucket in found if bucket.primary_ids} == {first}


def test_tags_stand_in_one_place_of_the_order_only() -> None:
    assert len(set(TAG_PRIORITY)) == len(TAG_PRIORITY)
    assert not set(TAG_PRIORITY) & set(LAST_TAGS)


def test_reasons_in_free_text_are_grouped_by_their_shape() -> None:
    def said(case_id: str, tag: str, reason: str) -> GradedCase:
        score = failed(tag, severity="soft").model_copy(update={"reason": reason})
        return trial(case_id, score)

    rows = [
        said("1", "rubric:facts", "The date 2024-05-01 is invented."),
        said("2", "rubric:facts", "the date 2025-01-02 is invented"),
        said("3", "rubric:facts", "No amount is given"),
        said("4", "low_score", "3 of 5 points"),
        said("5", "low_score", ""),
        said("6", "wrong_value", "expected 1, got 2"),
    ]
    shapes = {bucket.name: bucket.shapes for bucket in bucket_failures(rows, PROGRAM)}
    assert shapes == {
        "rubric:facts": (("the date <date> is invented", 2), ("no amount is given", 1)),
        "low_score": (("<number> of <number> points", 1),),
        "wrong_value": (),
    }


def test_the_reason_of_a_judge_is_free_text_whatever_its_tag() -> None:
    stamp = JudgeStamp(model="m", prompt_hash="h", verdict="fail")
    score = failed("unsupported_fact").model_copy(update={"judge": stamp, "reason": "Says 5 days"})
    (bucket,) = bucket_failures([trial("1", score)], PROGRAM)
    assert bucket.shapes == (("says <number> days", 1),)


def test_labels_are_buckets_of_their_own_with_what_they_are_confused_with() -> None:
    rows = [
        graded(label_case("1", "t", "lost_card"), "top_up"),
        graded(label_case("2", "t", "lost_card"), "top_up"),
        graded(label_case("3", "t", "top_up"), "lost_card"),
        graded(label_case("4", "t", "top_up"), "top_up"),
    ]
    buckets = bucket_failures(rows, PROGRAM)
    assert [bucket.name for bucket in buckets] == ["wrong_value=lost_card", "wrong_value=top_up"]
    assert buckets[0].confusions == (("top_up", 2),)
    assert target_counts(buckets) == {"wrong_value=lost_card": 2, "wrong_value=top_up": 1}
    assert [(p.expected, p.got, p.n_cases) for p in confusions(rows)] == [
        ("lost_card", "top_up", 2),
        ("top_up", "lost_card", 1),
    ]


def test_errors_are_in_no_bucket() -> None:
    case = label_case("1", "t", "lost_card")
    error = Trial(
        program_id="p",
        case_id="1",
        split="train",
        status="error",
        failure=Failure(at="model", kind="timeout", message="m"),
    )
    rows = [GradedCase(case=case, trial=error)]
    assert bucket_failures(rows, PROGRAM) == ()
    found = gather(rows, PROGRAM)
    assert found.failures == found.successes == ()


def test_dev_and_holdout_records_do_not_fit_into_evidence() -> None:
    for split in ("dev", "holdout"):
        case = label_case("1", "t", "lost_card", "dev" if split == "dev" else "holdout")
        with pytest.raises(EvalSetError, match="not a train case"):
            TrainTrial(case=case, trial=label_trial(case, "x"))
        with pytest.raises(EvalSetError, match="not a train case"):
            gather([GradedCase(case=case, trial=label_trial(case, "x"))], PROGRAM)


def test_the_example_bank_holds_passing_answers_and_gold_for_the_rest() -> None:
    rows = [
        graded(label_case("1", "right", "lost_card"), "lost_card"),
        graded(label_case("2", "wrong", "top_up"), "lost_card"),
    ]
    bank = gather(rows, PROGRAM).demos
    assert [(d.case_id, d.output, d.source) for d in bank] == [
        ("1", "lost_card", "bootstrap"),
        ("2", "top_up", "label"),
    ]
