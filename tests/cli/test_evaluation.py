"""What the terminal says of an evaluation."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from promptyard.cli.evaluation import draw_evaluation
from promptyard.records.evaluations import Evaluation
from promptyard.records.evidence import Bucket
from promptyard.reports.evaluation import evaluation_view
from reports.test_evaluation_page import cases, report


def drawn(n_cases: int = 60, *, buckets: tuple[Bucket, ...] = (), **changes: Any) -> str:
    """Draw an evaluation of so many cases, white space folded."""
    given: dict[str, Any] = {
        "run_id": "r1",
        "task": "spam",
        "model": "openai/m",
        "eval_set_version": "v1",
        "report": report(n_cases, n_failing=n_cases // 4),
        **changes,
    }
    out = Console(file=StringIO(), width=200)
    view = evaluation_view(Evaluation(**given), cases(n_cases), buckets=buckets)
    draw_evaluation(out, view, report_path=None)
    assert isinstance(out.file, StringIO)
    return " ".join(out.file.getvalue().split())


def test_a_bucket_counts_the_cases_that_have_it_also_where_it_is_never_the_first() -> None:
    wrong = Bucket(tag="wrong_value", case_ids=("c1", "c2"), primary_ids=("c1", "c2"))
    long = Bucket(tag="too_long", case_ids=("c0", "c1", "c2"), severity="soft")
    shown = drawn(buckets=(wrong, long))
    assert "bucket cases first severity" in shown
    assert "too_long 3 0 soft wrong_value 2 2 hard" in shown
