"""What a report must have before anything is made of it."""

from __future__ import annotations

from collections import Counter

from promptyard.errors import ConfigError, MetricError, ModelError
from promptyard.records.scores import Report


def require_measured(report: Report, primary: str) -> None:
    """Raise ConfigError when no check measures the dimension that has to get better."""
    if report.summary(primary) is None:
        measured = ", ".join(item.name for item in report.summaries if item.interval) or "score"
        raise ConfigError(
            f"gates.primary is '{primary}', which no check measures; measured are: {measured}"
        )


def require_answers(report: Report) -> None:
    """Raise the first failure when not one case could be scored: there is nothing to go on.

    Raises ModelError or MetricError with the count and the message of the commonest failure.
    """
    if report.n_scored or not report.trials:
        return
    failures = [trial.failure for trial in report.trials if trial.failure is not None]
    if not failures:
        raise MetricError("no case could be scored: no metric gave a finding")
    kinds = Counter(failure.kind for failure in failures)
    kind, n_failed = kinds.most_common(1)[0]
    first = next(failure for failure in failures if failure.kind == kind)
    n_all = len(report.trials)
    message = f"no case could be scored: {n_failed} of {n_all} ended in {kind}: {first.message}"
    raise (ModelError if first.at == "model" else MetricError)(message)
