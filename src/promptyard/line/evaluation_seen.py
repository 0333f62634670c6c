"""An evaluation as it is shown: with its failures in buckets, in the light of the task's cases."""

from __future__ import annotations

from promptyard.line.query import failure_buckets
from promptyard.line.task import Task
from promptyard.records.evaluations import Evaluation
from promptyard.reports.evaluation import EvaluationView, evaluation_view


def view_of(task: Task, evaluation: Evaluation) -> EvaluationView:
    """Gather what is shown of an evaluation of a task."""
    buckets, confusions = failure_buckets(task, evaluation.report)
    return evaluation_view(
        evaluation,
        task.eval_set.cases,
        buckets=buckets,
        confusions=confusions,
        pass_at=task.pass_at,
    )
