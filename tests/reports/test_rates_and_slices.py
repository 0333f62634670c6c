"""What stands beside a score, and which cases score lower than the others."""

from __future__ import annotations

import pytest

from promptyard.records.cases import Case, CaseKind
from promptyard.records.messages import Completion, FinishReason
from promptyard.records.scores import (
    Failure,
    JudgeStamp,
    Report,
    Score,
    StepVisit,
    Trial,
    Unmeasured,
)
from promptyard.reports.rates import rates
from promptyard.reports.slices import slices


def trial(
    case_id: str = "c",
    *,
    tags: tuple[str, ...] = (),
    failure: str | None = None,
    finish: FinishReason = "stop",
    judge: JudgeStamp | None = None,
    skipped: str = "",
) -> Trial:
    gaps = (Unmeasured(metric="skip", status="skip", kind="unsupported", reason=skipped),)
    return Trial(
        program_id="p",
        case_id=case_id,
        split="dev",
        status="scored" if failure is None else "error",
        score=None if failure else 1.0,
        visits=(StepVisit(step="main", completion=Completion(text="x", finish_reason=finish)),),
        scores=(Score(metric="m", value=0.0 if tags else 1.0, tags=tags, judge=judge),),
        unmeasured=gaps if skipped else (),
        failure=Failure(at="model", kind=failure, message="m") if failure else None,
    )


def report(*trials: Trial) -> Report:
    n_errors = sum(item.status == "error" for item in trials)
    return Report(
        program_id="p",
        eval_set_version="v",
        split="dev",
        trials=trials,
        n_scored=len(trials) - n_errors,
        n_errors=n_errors,
        n_unscored=0,
        coverage=1.0,
        score=1.0,
    )


def test_a_cut_answer_counts_once_however_it_was_filed() -> None:
    found = rates(
        report(
            trial(failure="truncated_output", finish="length"),
            trial(tags=("truncated_output",), finish="length"),
            trial(),
        )
    )
    assert (found.n_trials, found.n_truncated) == (3, 2)
    assert found.share(found.n_truncated) == pytest.approx(2 / 3)
    assert found.too_many_truncated


def test_refusals_and_filtered_answers_are_refusals() -> None:
    found = rates(
        report(trial(tags=("refusal",)), trial(failure="content_filter"), trial(tags=("x",)))
    )
    assert found.n_refused == 2
    assert not found.too_many_truncated


def test_a_judge_that_says_something_else_the_second_time_has_flipped() -> None:
    def stamp(second: str | None) -> JudgeStamp:
        return JudgeStamp(model="j", prompt_hash="h", verdict="pass", repeated=second)

    found = rates(
        report(
            trial(judge=stamp("pass")),
            trial(judge=stamp("fail")),
            trial(judge=stamp(None)),
            trial(),
        )
    )
    assert (found.n_judged_twice, found.n_judge_flips) == (2, 1)
    assert found.judge_flip_rate == 0.5
    assert rates(report(trial())).judge_flip_rate is None


def test_skipped_checks_are_counted_by_their_reason() -> None:
    found = rates(report(trial(skipped="a"), trial(skipped="b"), trial(skipped="b")))
    assert found.n_skipped == 3
    assert found.skips == (("b", 2), ("a", 1))


def case(number: int, kind: CaseKind = "representative", *tags: str) -> Case:
    return Case(id=f"c{number}", input={}, kind=kind, tags=tags)


def test_slices_are_cut_by_kind_and_tag_with_their_lift() -> None:
    cases = [case(n, "edge" if n < 10 else "representative", "refund") for n in range(40)]
    values = {item.id: 0.0 if item.kind == "edge" else 1.0 for item in cases}
    found = {item.name: item for item in slices(cases, values)}
    assert set(found) == {"kind=edge", "kind=representative"}  # the tag holds every case
    edge = found["kind=edge"]
    assert (edge.n_cases, edge.n_failed, edge.mean) == (10, 10, 0.0)
    assert edge.ratio is None  # the others never fail
    assert edge.p_value is not None
    assert edge.p_value < 1e-6
    assert edge.interval is not None


def test_a_slice_is_no_single_case_and_holds_only_scored_ones() -> None:
    cases = [case(n, "representative", *(["rare"] if n == 0 else ["common"])) for n in range(5)]
    values = {"c0": 1.0, "c1": 0.0, "c2": 1.0}
    assert [item.name for item in slices(cases, values)] == ["tag=common"]
    assert slices(cases, values)[0].n_cases == 2
