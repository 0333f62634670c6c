"""Finds what failed in live traffic and could become a case: equal inputs together, worst first.

Only outcomes with stored inputs can be triaged. Nobody but a person says that something was a
failure: models are poor at it, and a wrong case misleads every later run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from promptyard.records.base import Json
from promptyard.records.joined import Joined


@dataclass(frozen=True)
class LiveFailure:
    """One input that failed `n` times: the latest answer to it, and why it is held a failure.

    `key` is the hash of the normalised input; `outcome_ids` are the latest first.
    """

    key: str
    inputs: Mapping[str, Json]
    output: str | None
    version: int
    reasons: tuple[str, ...]
    score: float | None
    n: int
    outcome_ids: tuple[str, ...]
    trace_id: str = ""


def live_failures(
    rows: Sequence[Joined],
    *,
    below: float,
    key_of: Callable[[Mapping[str, Json]], str],
    known: Container[str],
) -> list[LiveFailure]:
    """Return the failed inputs that are not `known` yet, the most frequent and then latest first.

    Failed are errors, unusable answers, and scores below `below`.
    """
    groups: dict[str, list[Joined]] = {}
    for row in rows:
        if row.outcome.inputs is None or not _reasons(row, below):
            continue
        key = key_of(row.outcome.inputs)
        if key not in known:
            groups.setdefault(key, []).append(row)
    found = [_failure(key, group, below) for key, group in groups.items()]
    latest = {key: group[-1].stored_at for key, group in groups.items()}
    found.sort(key=lambda item: latest[item.key], reverse=True)
    return sorted(found, key=lambda item: -item.n)


def _reasons(row: Joined, below: float) -> list[str]:
    reasons: list[str] = []
    if row.outcome.error:
        reasons.append(f"error: {row.outcome.error}")
    elif row.hard_failure:
        reasons.append("unusable answer")
    if row.score is not None and row.score < below:
        reasons.append(f"score below {below:g}")
    return reasons


def _failure(key: str, group: Sequence[Joined], below: float) -> LiveFailure:
    last = group[-1]
    counted = Counter(reason for row in group for reason in _reasons(row, below))
    assert last.outcome.inputs is not None
    return LiveFailure(
        key=key,
        inputs=last.outcome.inputs,
        output=last.outcome.output,
        version=last.outcome.version,
        reasons=tuple(reason for reason, _ in counted.most_common()),
        score=last.score,
        n=len(group),
        outcome_ids=tuple(row.outcome.id for row in reversed(group)),
        trace_id=last.outcome.trace_id,
    )
