"""How a run or a version is named, and what a name leads to that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import promptyard as py
from line.test_evaluation import BETTER, measured, task
from promptyard.errors import EvalSetError, NotFound
from promptyard.line.query import list_runs, show_run
from promptyard.line.sync import run_sync


def statuses(store: Path) -> list[str]:
    return [str(row["status"]) for row in run_sync(list_runs(str(store), None, 50))]


def test_last_is_the_last_run_of_all_cases_and_the_heading_names_it(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    full = measured(task(), store)
    part = measured(task(prompt=BETTER), store, only_failing_of="last")
    train = measured(task(), store, split="train")
    found = measured(task(prompt=BETTER), store, compare="last")
    assert found.compared_with == f"run {full.run_id}"
    assert found.compared_with not in {f"run {part.run_id}", f"run {train.run_id}"}
    assert found.verdict is not None
    assert found.verdict.status == "pass"


def test_last_to_filter_is_the_last_run_of_all_cases_of_the_split(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(), store)
    measured(task(), store, split="train")
    first = measured(task(prompt=BETTER), store, only_failing_of="last")
    assert {trial.split for trial in first.report.trials} == {"dev"}
    again = measured(task(prompt=BETTER), store, only_failing_of="last")  # the first mended all
    assert [trial.case_id for trial in again.report.trials] == [
        trial.case_id for trial in first.report.trials
    ]


def test_a_mistyped_run_is_taken_for_no_version(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store)
    py.optimize(task(), store=str(store), budget=py.Budget(task_calls=200))
    mistyped = first.run_id[:-3]
    for plan in ({"compare": mistyped}, {"only_failing_of": mistyped}):
        with pytest.raises(NotFound) as caught:
            measured(task(), store, **plan)
        said = str(caught.value)
        assert f"'{mistyped}' of 'spam' in this store; did you mean '{first.run_id}'?" in said
        assert "`promptyard runs list`" in said
        assert "\n" not in said


def test_a_part_of_a_run_id_or_its_date_is_no_version_and_names_the_run(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store).run_id
    py.optimize(task(), store=str(store), budget=py.Budget(task_calls=200))
    day = first.split("-")[0]
    dashed = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    for part in (day, dashed, first.rsplit("-", 1)[0], first.split("-")[-1], f"{first}.html"):
        with pytest.raises(NotFound, match=f"no run or version '{part}' .*mean '{first}'"):
            measured(task(), store, compare=part)


def test_of_several_runs_that_may_be_meant_the_three_newest_are_named(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    ids = [measured(task(), store).run_id for _ in range(4)]
    with pytest.raises(NotFound) as caught:
        measured(task(), store, compare=ids[0][:6])
    assert f"did you mean '{ids[3]}', '{ids[2]}' or '{ids[1]}'?" in str(caught.value)


def test_a_name_like_nothing_is_told_what_there_is(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    with pytest.raises(NotFound, match="it has no finished eval and no version yet"):
        measured(task(), store, compare="no such")
    first = measured(task(), store).run_id
    with pytest.raises(NotFound, match="there is no run or version 'no such' of 'spam'") as caught:
        measured(task(), store, compare="no such")
    assert f"its latest evals: {first}; it has no version yet" in str(caught.value)
    assert "did you mean" not in str(caught.value)
    with pytest.raises(NotFound, match=f"no version of 'spam' is registered .*{first}"):
        measured(task(), store, compare="2")


def test_a_version_that_is_not_there_is_told_which_are(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    py.optimize(task(), store=str(store), budget=py.Budget(task_calls=200))
    for given in ("12", "v12", "1234567890"):
        with pytest.raises(NotFound, match=f"no run or version '{given}'.*its versions: 1; "):
            measured(task(), store, compare=given)


def test_what_is_refused_leaves_no_run_behind(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(prompt=BETTER), store)
    for plan in (
        {"against_production": True},
        {"compare": "nosuch"},
        {"compare": "2"},
        {"only_failing_of": "last"},
    ):
        with pytest.raises((NotFound, EvalSetError)):
            measured(task(), store, **plan)
    assert statuses(store) == ["finished"]


def test_the_list_of_runs_shows_the_verdict_of_an_eval(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store)
    found = measured(task(prompt=BETTER), store, compare=first.run_id)
    assert found.verdict is not None
    rows = run_sync(list_runs(str(store), None, 50))
    assert [row["sentence"] for row in rows] == [found.verdict.sentence, ""]


def test_the_last_run_to_show_is_one_with_a_result(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    measured(task(), store)
    with pytest.raises(NotFound, match="no finished run of `promptyard optimize`"):
        run_sync(show_run(str(store), "last"))
    run = py.optimize(task(), store=str(store), budget=py.Budget(task_calls=200))
    first = measured(task(), store)
    measured(task(prompt=BETTER), store, compare=first.run_id)
    assert run_sync(show_run(str(store), "last")).id == run.id


def test_showing_an_eval_says_what_it_is_and_what_can_be_done_with_it(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    run_id = measured(task(), store).run_id
    with pytest.raises(NotFound) as caught:
        run_sync(show_run(str(store), run_id))
    assert "but 'eval dev'" in str(caught.value)
    assert f"`promptyard eval --compare {run_id}`" in str(caught.value)
    assert "--resume" not in str(caught.value)


def test_a_version_is_named_by_its_number_whatever_led_to_it(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    py.optimize(task(), store=str(store), budget=py.Budget(task_calls=200))
    assert measured(task(), store, compare="v1").compared_with == "version 1"
    assert measured(task(), store, compare="latest").compared_with == "version 1 (latest)"
