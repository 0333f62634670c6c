"""What runs on which splits: `eval` on any that has cases, or on all; `optimize` on three."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import promptyard as py
from promptyard.errors import EvalSetError, NotFound
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.history import eval_set_history
from promptyard.line.query import opened
from promptyard.line.sync import run_sync
from promptyard.records.evaluations import Evaluation
from promptyard.records.evidence import TrainTrial
from promptyard.records.scores import GradedCase
from promptyard.signals.evidence import gather
from promptyard.testing import ScriptedModel

PROMPT = "system:\nRepeat it.\n\nuser:\n{{text}}\n"
ALL_IN_DEV = py.Splits(train=0, dev=1, holdout=0)


class Echo:
    """Repeats the text, except for `t0`."""

    def __init__(self) -> None:
        self.n_calls = 0

    def __call__(self, body: Mapping[str, Any]) -> str:
        self.n_calls += 1
        text = str(body["messages"][-1]["content"]).strip()
        return "wrong" if text == "t0" else text


def task(
    *splits: str | None,
    shares: py.Splits | None = None,
    model: Echo | None = None,
    prompt: str = PROMPT,
) -> py.Task:
    cases: list[dict[str, Any]] = [
        {"id": f"c{9 - n}", "input": {"text": f"t{n}"}, "expected": f"t{n}", "split": split}
        for n, split in enumerate(splits)
    ]
    return py.Task(
        name="echo",
        prompt=prompt,
        cases=[{key: value for key, value in row.items() if value is not None} for row in cases],
        metrics=["exact_match"],
        splits=shares,
        models=py.Models(task=ScriptedModel(model or Echo())),
    )


def measured(given: py.Task, store: Path | None = None, **plan: Any) -> Evaluation:
    url = None if store is None else str(store)
    work = run_evaluation(given, EvaluationPlan(**plan), store=url, on_progress=lambda _: None)
    return asyncio.run(work)


SIX = ("train", "train", "train", "dev", "dev", "holdout")


def test_a_task_whose_cases_are_all_in_dev_is_measured() -> None:
    report = py.evaluate(task(*[None] * 6, shares=ALL_IN_DEV))
    assert len(report.trials) == 6
    assert report.score == pytest.approx(5 / 6)


def test_a_single_case_is_measured() -> None:
    assert py.evaluate(task(None, None, shares=ALL_IN_DEV)).coverage == 1.0
    assert py.evaluate(task("dev")).score == 0.0


def test_an_eval_of_an_empty_split_names_those_that_have_cases(tmp_path: Path) -> None:
    model = Echo()
    with pytest.raises(EvalSetError) as caught:
        measured(task("train", "train", "holdout", model=model), tmp_path / "runs.db")
    assert str(caught.value) == (
        "eval set 'echo' has no cases in dev; measure another split instead: "
        "train (2), holdout (1), all (3)"
    )
    assert model.n_calls == 0
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (("train", "train"), "and dev has none (train 2, dev 0, holdout 0)"),
        (("dev", "dev", "dev"), "and train has none (train 0, dev 3, holdout 0)"),
        (("holdout",) * 4, "and train and dev have none (train 0, dev 0, holdout 4)"),
        (("train", "holdout"), 'give cases "split": "dev"'),
        (("dev",), "1 case cannot fill them, so add cases"),
    ],
)
def test_optimize_refuses_what_eval_measures_and_says_which_split_lacks_cases(
    splits: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    model = Echo()
    with pytest.raises(EvalSetError) as caught:
        py.optimize(task(*splits, model=model), store=str(tmp_path / "runs.db"))
    message = str(caught.value)
    assert message.startswith("eval set 'echo': `optimize` needs cases in train and dev, ")
    assert said in message
    assert "\n" not in message
    assert model.n_calls == 0
    assert not (tmp_path / "runs.db").exists()


def test_clusters_that_cannot_fill_the_splits_are_counted_as_such() -> None:
    cases: list[dict[str, Any]] = [
        {"input": {"text": f"t{n}"}, "expected": "x", "cluster": "one"} for n in range(5)
    ]
    clustered = py.Task(name="echo", prompt=PROMPT, cases=cases, metrics=["exact_match"])
    with pytest.raises(EvalSetError, match="1 cluster cannot fill them"):
        py.optimize(clustered)


def test_check_says_what_optimize_would_need_and_is_no_error() -> None:
    found = py.check(task(*["dev"] * 6))
    (finding,) = (item for item in found.findings if item.code == "empty_split")
    assert finding.level == "warning"
    assert found.ok
    assert "`optimize` needs cases in train and dev" in finding.message
    assert 'give cases "split": "train", raise splits.train' in finding.message
    assert not any(item.code == "empty_split" for item in py.check(task(*SIX)).findings)


def test_all_measures_every_case_in_order_of_ids() -> None:
    report = py.evaluate(task(*SIX), split="all")
    assert report.split == "all"
    assert [trial.case_id for trial in report.trials] == ["c4", "c5", "c6", "c7", "c8", "c9"]
    assert {trial.split for trial in report.trials} == {"all"}
    assert report.score == pytest.approx(5 / 6)


def test_a_run_of_all_is_stored_and_listed_as_all(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    found = measured(task(*SIX), store, split="all")
    measured(task(*SIX), store)

    async def stored() -> list[str]:
        async with opened(str(store)) as reading:
            return [report.split for report in await reading.reports(found.run_id, "eval")]

    assert run_sync(stored()) == ["all"]
    history = run_sync(eval_set_history(str(store), "echo"))
    assert list(history.rows) == ["dev", "all"]
    (row,) = run_sync(eval_set_history(str(store), "echo", split="all")).rows["all"]
    assert (row.measurement.n_cases, row.value) == (6, pytest.approx(5 / 6))


def test_a_run_of_all_compares_with_runs_of_all_only(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    dev = measured(task(*SIX), store)
    every = measured(task(*SIX), store, split="all")
    again = measured(task(*SIX), store, split="all", compare=every.run_id)
    assert again.verdict is not None
    assert again.verdict.comparisons[0].n_cases == 6
    with pytest.raises(EvalSetError, match=f"run {dev.run_id} measured dev, this one measures all"):
        measured(task(*SIX), store, split="all", compare=dev.run_id)
    with pytest.raises(EvalSetError, match="measured all, this one measures dev"):
        measured(task(*SIX), store, compare=every.run_id)


def test_last_is_the_last_run_of_the_same_split_and_of_all_for_all(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    every = measured(task(*SIX), store, split="all")
    dev = measured(task(*SIX), store)
    for split, last in (("all", every), ("dev", dev)):
        found = measured(task(*SIX), store, split=split, compare="last")
        assert found.compared_with == f"run {last.run_id}"
    with pytest.raises(NotFound, match="no finished eval of all cases of holdout"):
        measured(task(*SIX), store, split="holdout", compare="last")
    with pytest.raises(NotFound, match="no finished eval of all cases in this store"):
        measured(task(*SIX), tmp_path / "new.db", split="all", compare="last")


def test_a_run_of_all_is_a_look_at_the_holdout_and_says_so(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(*SIX), store, split="all")
    assert any("holdout is among all cases; looks at it so far: 1" in note for note in first.notes)
    other = task(*SIX, prompt=PROMPT.replace("it", "this"))
    second = measured(other, store, split="holdout")
    third = measured(task(*SIX, prompt=PROMPT.replace("it", "that")), store, split="all")
    assert second.notes == ()
    assert any("so far: 3" in note for note in third.notes)


def test_without_a_holdout_a_run_of_all_is_no_look() -> None:
    assert measured(task("train", "dev", "dev"), split="all").notes == ()


def test_nothing_of_a_run_of_all_can_become_evidence() -> None:
    given = task(*SIX)
    report = py.evaluate(given, split="all")
    cases = {case.id: case for case in given.eval_set.cases}
    graded = [GradedCase(case=cases[trial.case_id], trial=trial) for trial in report.trials]
    train = next(item for item in graded if item.case.split == "train")
    with pytest.raises((EvalSetError, ValidationError), match="may not become evidence"):
        TrainTrial(case=train.case, trial=train.trial)
    with pytest.raises((EvalSetError, ValidationError), match="may not become evidence"):
        gather(graded, given.program)


def test_an_unknown_split_names_those_that_exist() -> None:
    with pytest.raises(EvalSetError, match="use one of: train, dev, holdout, all"):
        py.evaluate(task(*SIX), split="test")
