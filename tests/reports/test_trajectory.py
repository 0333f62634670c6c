from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.runs import HistoryEntry, StageRow, StageSummary
from promptyard.reports.trajectory import Trajectory, trajectory
from reports.sample_run import BASELINE, empty_run, hostile_run, passed_run, undecided_run


def drawn(drawing: Trajectory | None) -> Trajectory:
    """Return a drawing that has to be there."""
    assert drawing is not None
    return drawing


def test_a_run_without_scores_has_no_drawing() -> None:
    assert trajectory(empty_run(), width=1000, height=340) is None


def test_every_stage_is_a_band_and_every_score_a_mark() -> None:
    drawing = drawn(trajectory(passed_run(), width=1000, height=340))
    assert [(band.stage, band.split, len(band.marks)) for band in drawing.bands] == [
        ("diagnose", "train", 1),
        ("screen", "train", 12),
        ("regress", "dev", 5),
        ("full", "dev", 3),
        ("decide", "holdout", 1),
    ]
    assert [band.calls_text for band in drawing.bands] == ["408", "616", "1,056", "1,968", "2,768"]
    assert drawing.kinds == ("train", "dev", "holdout")


def test_bands_fill_the_width_side_by_side() -> None:
    drawing = drawn(trajectory(passed_run(), width=1000, height=340))
    left = drawing.left
    for band in drawing.bands:
        assert band.left == pytest.approx(left, abs=0.2)
        assert all(band.left < mark.x < band.left + band.width for mark in band.marks)
        left += band.width
    assert left == pytest.approx(drawing.right, abs=0.5)


def test_a_mark_is_compared_with_the_baseline_on_its_own_cases() -> None:
    drawing = drawn(trajectory(passed_run(), width=1000, height=340))
    decide = drawing.bands[-1].marks[0]
    assert (decide.score_text, decide.baseline_text) == ("66.5 %", "55.2 %")
    assert "66.5 % against 55.2 % on 400 holdout cases, kept" in decide.title
    screen = drawing.bands[1]
    assert screen.baseline_y is None  # the cases of a screen differ from candidate to candidate
    assert {mark.kept for mark in screen.marks} == {True, False}
    regress = drawing.bands[2]
    assert {mark.baseline_y for mark in regress.marks} == {regress.baseline_y}


def test_the_baselines_own_measurement_is_a_line_without_a_candidate() -> None:
    band = drawn(trajectory(passed_run(), width=1000, height=340)).bands[0]
    assert band.marks[0].kind == "baseline"
    assert band.baseline_y == band.marks[0].y


def test_a_run_that_was_answered_from_the_store_is_drawn_too() -> None:
    run = passed_run()
    history = tuple(entry.model_copy(update={"calls_so_far": 0}) for entry in run.history)
    drawing = drawn(trajectory(run.model_copy(update={"history": history}), width=1000, height=340))
    widths = {band.width for band in drawing.bands}
    assert len(widths) == 1


def test_marks_get_smaller_where_many_stand_side_by_side() -> None:
    run = passed_run()
    wide = drawn(trajectory(run, width=1000, height=340))
    narrow = drawn(trajectory(run, width=370, height=340))
    assert wide.bands[2].mark_size == 5
    assert narrow.bands[1].mark_size < 3
    for band in narrow.bands:
        assert 2 * band.mark_size * len(band.marks) <= band.width


def test_an_unknown_split_and_a_long_stage_name_do_not_break_the_drawing() -> None:
    band = drawn(trajectory(hostile_run(), width=370, height=340)).bands[0]
    assert band.kind == "other"
    assert len(band.stage) < 15


def test_the_description_names_every_stage_with_its_best_score() -> None:
    text = drawn(trajectory(undecided_run(), width=1000, height=340)).description
    assert text == (
        "diagnose (train): 1 score, best 54.0 %; "
        "screen (train): 12 scores, best 65.0 % against 50.0 % of the baseline."
    )


SCORES = st.lists(
    st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(0, 1), st.integers(0, 9000)),
    min_size=1,
    max_size=12,
)


@given(SCORES)
def test_all_marks_lie_within_the_drawing(
    scores: list[tuple[float | None, float | None, int]],
) -> None:
    rows = tuple(
        StageRow(
            candidate_id=f"c{n}",
            generator="g",
            n_cases=3,
            score=score,
            baseline_score=baseline,
            difference=None,
            status="kept",
        )
        for n, (score, baseline, _) in enumerate(scores)
    )
    entries = tuple(
        HistoryEntry(
            candidate_id=f"c{n}",
            generator="g",
            stage="full",
            n_cases=3,
            score=score,
            calls_so_far=calls,
        )
        for n, (score, _, calls) in enumerate(scores)
    )
    stage = StageSummary(
        stage="full", split="dev", n_tried=1, n_kept=1, calls=1, cached_calls=0, rows=rows
    )
    run = empty_run().model_copy(update={"stages": (stage,), "history": entries})
    drawing = trajectory(run, width=1000, height=340)
    assert (drawing is None) == all(score is None for score, _, _ in scores)
    if drawing is None:
        return
    marks = [mark for band in drawing.bands for mark in band.marks]
    assert len(marks) == sum(score is not None for score, _, _ in scores)
    heights = [mark.y for mark in marks]
    heights += [mark.baseline_y for mark in marks if mark.baseline_y is not None]
    assert all(drawing.top - 0.1 <= y <= drawing.bottom + 0.1 for y in heights)
    assert all(drawing.left <= mark.x <= drawing.right for mark in marks)


def test_equal_scores_stand_at_equal_heights_in_every_stage() -> None:
    run = empty_run()
    history = tuple(
        HistoryEntry(
            candidate_id=BASELINE.id,
            generator="seed",
            stage=stage,
            n_cases=9,
            score=0.5,
            calls_so_far=9,
        )
        for stage in ("diagnose", "full")
    )
    drawing = drawn(trajectory(run.model_copy(update={"history": history}), width=500, height=300))
    assert len({mark.y for band in drawing.bands for mark in band.marks}) == 1


def test_many_stages_in_turn_on_train_become_one_band() -> None:
    run = passed_run()
    first, *others = run.history
    on_train = [
        first.model_copy(update={"stage": stage, "calls_so_far": 408 + n})
        for n, stage in enumerate(["slice", "fresh"] * 6)
    ]
    decided = [entry for entry in others if entry.stage == "decide"]
    start = first.model_copy(update={"stage": "baseline"})
    drawing = trajectory(
        run.model_copy(update={"history": (start, *on_train, *decided)}), width=1000, height=340
    )
    assert drawing is not None
    assert [band.stage for band in drawing.bands] == ["baseline", "search", "decide"]
    assert [len(band.marks) for band in drawing.bands] == [1, 12, 1]
    assert "search (train): 12 scores" in drawing.description
