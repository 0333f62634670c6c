"""What the terminal says of an evaluation."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from promptyard.cli.evaluation import draw_evaluation
from promptyard.records.evaluations import AnswerChanges, Evaluation
from promptyard.records.evidence import Bucket
from promptyard.records.verdicts import Verdict
from promptyard.reports.evaluation import EvaluationView, evaluation_view
from promptyard.reports.evaluation_html import evaluation_html
from reports.test_evaluation_page import cases, report


def view_of(
    n_cases: int = 60, *, buckets: tuple[Bucket, ...] = (), **changes: Any
) -> EvaluationView:
    """Make the view of an evaluation of so many cases, of which a quarter fails."""
    given: dict[str, Any] = {
        "run_id": "r1",
        "task": "spam",
        "model": "openai/m",
        "eval_set_version": "v1",
        "report": report(n_cases, n_failing=n_cases // 4),
        **changes,
    }
    return evaluation_view(Evaluation(**given), cases(n_cases), buckets=buckets)


def drawn(n_cases: int = 60, **changes: Any) -> str:
    """Draw such an evaluation, white space folded."""
    out = Console(file=StringIO(), width=200)
    draw_evaluation(out, view_of(n_cases, **changes), report_path=None)
    assert isinstance(out.file, StringIO)
    return " ".join(out.file.getvalue().split())


def test_a_bucket_counts_the_cases_that_have_it_also_where_it_is_never_the_first() -> None:
    wrong = Bucket(tag="wrong_value", case_ids=("c1", "c2"), primary_ids=("c1", "c2"))
    long = Bucket(tag="too_long", case_ids=("c0", "c1", "c2"), severity="soft")
    shown = drawn(buckets=(wrong, long))
    assert "bucket cases first severity" in shown
    assert "too_long 3 0 soft wrong_value 2 2 hard" in shown


def test_what_was_not_run_stands_below_what_was() -> None:
    shown = drawn(18, n_by_split={"train": 15, "dev": 18, "holdout": 17})
    assert "dev: 18 of 50 cases (train 15, holdout 17)" in shown
    assert "Not run: 32 cases; `--split all` runs all 50" in shown
    assert "Not run" not in drawn(18, n_by_split={"train": 0, "dev": 18, "holdout": 0})


def test_few_cases_show_what_the_smallest_significant_difference_is() -> None:
    shown = drawn(18)
    assert "too few" not in shown
    assert (
        "With 18 cases only differences of about 27.8 points or more (5 cases that change, all "
        "the same way) can show."
    ) in shown
    assert "5 cases that change" in evaluation_html(view_of(18))


def test_many_cases_also_say_what_is_likely_to_show() -> None:
    shown = drawn(200)
    assert "of about 2.5 points or more" in shown
    assert "Likely to show (power 80 %): 4.4 points if 5 % of them change; " in shown


def test_four_cases_cannot_show_any_difference() -> None:
    assert "4 cases cannot show any difference between prompts: at least 5 cases" in drawn(4)


def test_a_comparison_says_whether_any_answer_differs() -> None:
    before = report().model_copy(update={"program_id": "another"})
    verdict = Verdict(status="inconclusive", sentence="The gate cannot decide.")
    for n_changed, said in (
        (0, "No answer differs: the other prompt was answered alike in all 60 cases."),
        (3, "Answers that differ: 3 of 60."),
    ):
        answers = AnswerChanges(n_compared=60, n_changed=n_changed)
        changes: dict[str, Any] = {"verdict": verdict, "baseline": before, "answers": answers}
        assert said in drawn(**changes)
        assert said in evaluation_html(view_of(**changes))
