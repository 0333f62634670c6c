"""The Python API as DESIGN and README write it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import promptyard as py
from promptyard import aio
from promptyard.errors import ConfigError, EvalSetError, PromptError
from promptyard.testing import ScriptedModel

PROMPT = "system:\nSay whether it is spam: yes or no.\n\nuser:\n{{mail}}\n"


def rows(n_each: int = 6) -> list[dict[str, Any]]:
    splits = ("train", "dev", "holdout")
    return [
        {
            "id": f"c{n}",
            "input": {"mail": f"mail {n}"},
            "expected": "yes" if n % 2 else "no",
            "split": splits[n % 3],
        }
        for n in range(3 * n_each)
    ]


def reply(body: Mapping[str, Any]) -> str:
    last = str(body["messages"][-1]["content"]).split()[-1]
    number = int(last) if last.isdigit() else 0  # a reflection request gets no usable answer
    return "yes" if number % 2 or number % 5 == 0 else "no"


def task(**options: Any) -> py.Task:
    model = ScriptedModel(reply)
    given: dict[str, Any] = {
        "name": "spam",
        "prompt": PROMPT,
        "cases": rows(),
        "metrics": ["exact_match"],
        "models": py.Models(task=model, optimizer=model),
        **options,
    }
    return py.Task(**given)


def test_a_plain_callable_is_a_metric_in_all_its_forms() -> None:
    async def slow(case: py.Case, output: str) -> float:
        await asyncio.sleep(0)
        return float(output == case.expected)

    def with_feedback(case: py.Case, output: str) -> tuple[float, str, list[str]]:
        right = output == case.expected
        return (1.0, "", []) if right else (0.0, f"expected {case.expected}", ["wrong_answer"])

    def as_score(case: py.Case, output: str) -> py.Score:
        right = output == case.expected
        return py.Score(metric="mine", value=float(right), tags=() if right else ("nope",))

    reports = [
        py.evaluate(task(metrics=[metric]), split="train")
        for metric in (slow, with_feedback, as_score, "exact_match")
    ]
    assert {report.score for report in reports} == {reports[0].score}
    assert 0 < (reports[0].score or 0) < 1
    tags = {tag for trial in reports[1].trials for score in trial.scores for tag in score.tags}
    assert tags == {"wrong_answer"}


def test_a_metric_that_throws_leaves_its_trial_unscored() -> None:
    def picky(case: py.Case, output: str) -> float:
        if case.id == "c0":
            raise ValueError("cannot grade this")
        return float("nan") if case.id == "c3" else 1.0

    report = py.evaluate(task(metrics=[picky]), split="train")
    assert report.n_unscored == 2
    assert report.score == 1.0
    messages = [trial.failure.message for trial in report.trials if trial.failure]
    assert any("cannot grade this" in message for message in messages)


def test_best_renders_the_messages_as_they_would_be_sent() -> None:
    run = py.optimize(task(), seed=0)
    messages = run.best.render({"mail": "hi"}, step="main")
    assert [(m.role, m.text) for m in messages][-1] == ("user", "hi")
    assert run.best.prompt.text.startswith("system:\n")
    assert run.spent.task_calls > 0
    assert run.history[0].stage == "baseline"
    assert run.verdict.sentence


def test_inside_an_event_loop_the_sync_verbs_point_to_aio() -> None:
    async def notebook() -> py.Report:
        with pytest.raises(py.PromptyardError, match=r"promptyard\.aio"):
            py.evaluate(task(), split="dev")
        return await aio.evaluate(task(), split="dev")

    assert asyncio.run(notebook()).coverage == 1.0


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"prompt": None}, ConfigError, "either `prompt` or `program`"),
    ({"metrics": []}, ConfigError, "nothing to measure with"),
    ({"cases": []}, EvalSetError, "no cases"),
    ({"prompt": "user:\n{{male}}"}, EvalSetError, r"\{\{male\}\}.*mail"),
    ({"prompt": "user:\nhello"}, PromptError, "no variable"),
    ({"cases": [{"inptu": {}}]}, EvalSetError, "inptu"),
]


@pytest.mark.parametrize(("options", "error", "words"), WRONG)
def test_a_wrong_task_says_what_is_wrong(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        task(**options)


def test_an_unknown_split_or_metric_costs_no_call() -> None:
    model = ScriptedModel(reply)
    wrong = task(metrics=["exact_macth"], models=py.Models(task=model))
    with pytest.raises(ConfigError, match="exact_match"):
        py.evaluate(wrong)
    with pytest.raises(EvalSetError, match="holdout"):
        py.evaluate(task(models=py.Models(task=model)), split="test")
    assert model.n_requests == 0


def test_several_steps_run_as_a_chain_and_keep_their_names() -> None:
    program = py.Program.model_validate(
        {
            "steps": [
                {"name": "read", "prompt": {"text": "user:\nRead: {{mail}}\n"}},
                {"name": "decide", "prompt": {"text": "user:\nDecide on {{read}}: {{mail}}\n"}},
            ],
            "workflow": {"name": "chain"},
        }
    )
    report = py.evaluate(task(prompt=None, program=program), split="dev")
    assert report.coverage == 1.0
    assert [visit.step for visit in report.trials[0].visits] == ["read", "decide"]


def test_check_counts_what_a_run_would_cost() -> None:
    result = py.check(task())
    assert result.holdout_task_calls == 12
    assert result.eval_set.gates_can_pass
    assert result.ok
