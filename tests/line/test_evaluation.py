"""Measuring: repeats, filters, comparisons with runs and versions, A/A."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import EvalSetError, NotFound
from promptyard.line.evaluation import run_evaluation
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.records.evaluations import Evaluation
from promptyard.testing import ScriptedModel

PROMPT = "system:\nSay yes or no.\n\nuser:\n{{mail}}\n"
BETTER = "system:\nSay yes or no. Be right.\n\nuser:\n{{mail}}\n"


def rows(n_each: int = 20) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{split}{n}",
            "input": {"mail": f"mail {n}"},
            "expected": "yes" if n % 2 else "no",
            "split": split,
        }
        for split in ("train", "dev", "holdout")
        for n in range(n_each)
    ]


class Sender:
    """Answers right on every case but those whose number divides by 4; `BETTER` on all."""

    def __init__(self, *, unsteady: bool = False) -> None:
        self.n_asked: Counter[str] = Counter()
        self.unsteady = unsteady

    def __call__(self, body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        self.n_asked[str(number)] += 1
        right, wrong = ("yes", "no") if number % 2 else ("no", "yes")
        if "Be right" in str(body["messages"]):
            return right
        if self.unsteady and number == 4 and self.n_asked["4"] > 1:
            return right
        return wrong if number % 4 == 0 else right


def task(reply: Sender | None = None, **options: Any) -> py.Task:
    given: dict[str, Any] = {
        "name": "spam",
        "prompt": PROMPT,
        "cases": rows(),
        "metrics": ["exact_match"],
        "models": py.Models(task=ScriptedModel(reply or Sender())),
        **options,
    }
    return py.Task(**given)


def measured(given: py.Task, store: Path | None = None, **plan: Any) -> Evaluation:
    url = None if store is None else str(store)
    work = run_evaluation(given, EvaluationPlan(**plan), store=url, on_progress=lambda _: None)
    return asyncio.run(work)


def test_every_case_is_run_as_often_as_asked_and_counts_once() -> None:
    sender = Sender(unsteady=True)
    found = measured(task(sender), n_repeats=4)
    assert set(sender.n_asked.values()) == {4}
    assert len(found.report.trials) == 80
    summary = found.report.summary("score")
    assert summary is not None
    assert summary.n_cases == 20
    assert summary.mean == pytest.approx((15 + 0.75) / 20)
    assert found.unstable == ("dev4",)


def test_a_repeat_below_one_is_refused_before_any_call() -> None:
    sender = Sender()
    with pytest.raises(EvalSetError, match="at least once"):
        measured(task(sender), n_repeats=0)
    assert not sender.n_asked


def test_only_the_cases_that_failed_are_run_again(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store)
    failed = {t.case_id for t in first.report.trials if not t.passed}
    again = measured(task(prompt=BETTER), store, only_failing_of=first.run_id)
    assert {trial.case_id for trial in again.report.trials} == failed
    assert again.report.score == 1.0
    with pytest.raises(EvalSetError, match="no failing case"):
        measured(task(), store, only_failing_of=again.run_id)  # it has mended them


def test_a_run_without_failures_leaves_nothing_to_filter(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(prompt=BETTER), store)
    with pytest.raises(EvalSetError, match="no failing case"):
        measured(task(), store, only_failing_of=first.run_id)


def test_a_comparison_with_a_run_is_paired_and_names_the_flips(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store)
    found = measured(task(prompt=BETTER), store, compare=first.run_id)
    assert found.verdict is not None
    primary = found.verdict.comparison("score")
    assert primary is not None
    assert primary.difference == pytest.approx(0.25)
    assert primary.interval is not None
    assert primary.interval.low > 0
    assert [flip.kind for flip in found.flips] == ["fixed"] * 5
    assert {flip.case_id for flip in found.flips} == {f"dev{n}" for n in range(0, 20, 4)}


def test_a_comparison_with_a_version_runs_it_on_the_same_cases(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    sender = Sender()
    py.optimize(task(sender), store=str(store), budget=py.Budget(task_calls=200))
    found = measured(task(sender, prompt=BETTER), store, compare="1")
    assert found.baseline is not None
    assert {t.case_id for t in found.baseline.trials} == {t.case_id for t in found.report.trials}
    assert found.compared_with == "version 1"
    assert found.verdict is not None
    assert found.verdict.status == "pass"


def test_a_prompt_does_not_differ_from_itself() -> None:
    sender = Sender()
    found = measured(task(sender), itself=True)
    assert set(sender.n_asked.values()) == {2}
    assert found.verdict is not None
    assert found.verdict.status == "pass"
    assert "no difference" in found.verdict.sentence
    said = found.verdict.sentence
    assert "0 of 20 cases scored differently (95 % interval 0.0 to 16.1 %)" in said
    shift = "20 cases would have shown a shift (power 80 %) if 31.3 % or more of them had changed"
    assert f"{shift} the same way; it takes 5." in said


def test_an_even_drift_is_counted_where_no_mean_shows_it() -> None:
    n_asked = Counter[str]()

    def swaying(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        n_asked[str(number)] += 1
        right, wrong = ("yes", "no") if number % 2 else ("no", "yes")
        return right if number > 3 or (number < 2) == (n_asked[str(number)] > 1) else wrong

    found = measured(task(models=py.Models(task=ScriptedModel(swaying))), itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "pass"
    assert "4 of 20 cases scored differently" in found.verdict.sentence


def test_a_prompt_is_held_against_itself_without_margins() -> None:
    found = measured(task(), itself=True)
    assert found.verdict is not None
    assert {item.rule for item in found.verdict.comparisons} == {"superiority", "report"}
    assert all(item.margin is None for item in found.verdict.comparisons)


def test_a_measurement_that_differs_from_itself_is_not_to_be_trusted() -> None:
    n_calls = Counter[str]()

    def drifting(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        n_calls[str(number)] += 1
        right = "yes" if number % 2 else "no"
        return right if n_calls[str(number)] > 1 else "perhaps"

    given = task(models=py.Models(task=ScriptedModel(drifting)))
    found = measured(given, itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "fail"
    assert "cannot be trusted" in found.verdict.sentence


@pytest.mark.parametrize("reference", ["20200101-000000-abcdef", "last"])
def test_an_unknown_run_is_named(tmp_path: Path, reference: str) -> None:
    with pytest.raises(NotFound):
        measured(task(), tmp_path / "runs.db", compare=reference)


def test_a_version_needs_a_registry(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no version of 'spam' is registered"):
        measured(task(), tmp_path / "runs.db", compare="2")


def test_a_gate_without_production_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="--compare"):
        measured(task(), tmp_path / "runs.db", against_production=True)


def test_the_public_verb_repeats_too() -> None:
    report = py.evaluate(task(), repeat=3)
    assert len(report.trials) == 60
    assert {trial.replicate for trial in report.trials} == {0, 1, 2}


def test_a_part_of_the_holdout_is_a_look_at_all_of_it(tmp_path: Path) -> None:
    store = tmp_path / "runs.db"
    first = measured(task(), store, split="holdout")
    prompts = [PROMPT.replace("yes or no", f"yes or no, attempt {n}") for n in range(5)]
    found = [
        measured(task(prompt=prompt), store, split="holdout", only_failing_of=first.run_id)
        for prompt in prompts
    ]
    assert not any("looked at" in note for note in found[0].notes)
    assert any("looked at 6 times" in note for note in found[-1].notes)


@pytest.mark.parametrize(
    ("n_cases", "words"),
    [
        (4, "4 cases could not have shown a shift, not even if all of them had changed"),
        (5, "5 cases would have shown a shift (power 80 %) only if 95.6 % or more"),
        (11, "11 cases would have shown a shift (power 80 %) only if 53.6 % or more"),
    ],
)
def test_few_cases_cannot_show_that_a_prompt_is_steady(n_cases: int, words: str) -> None:
    found = measured(task(cases=rows(n_cases)), itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "inconclusive"
    assert words in found.verdict.sentence
    assert "at least 12 cases" in found.verdict.sentence


def test_twelve_cases_can() -> None:
    found = measured(task(cases=rows(12)), itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "pass"


def test_a_few_cases_that_do_drift_are_believed() -> None:
    n_asked = Counter[str]()

    def drifting(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        n_asked[str(number)] += 1
        return ("yes" if number % 2 else "no") if n_asked[str(number)] > 1 else "perhaps"

    given = task(models=py.Models(task=ScriptedModel(drifting)), cases=rows(5))
    found = measured(given, itself=True)
    assert found.verdict is not None
    assert found.verdict.status == "fail"


def test_a_check_of_a_case_has_a_row_beside_the_same_check_of_all_cases() -> None:
    check = {"type": "contains", "value": "no"}
    own = [{**row, "checks": [check]} if row["id"] == "dev2" else row for row in rows()]
    found = measured(task(cases=own, metrics=["contains"]))
    assert {item.metric: item.n_cases for item in found.report.checks} == {
        "contains": 20,
        "contains#case": 1,
    }
