"""Cuts a report by kind and tag: which slices of the cases score lower than the others?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.base import Record
from promptyard.records.cases import Case
from promptyard.records.scores import Interval, relative_weights
from promptyard.stats.association import slice_lift
from promptyard.stats.intervals import mean_interval

FEWEST_CASES = 2
"""A slice of one case is that case."""


class Slice(Record):
    """The cases of one kind or with one tag.

    `mean` is their score with its interval. `ratio` says how many times as often they fail as all
    other cases, with Fisher's `p_value`. Many slices are looked at, so both are hints.
    """

    by: str
    value: str
    n_cases: int
    n_failed: int
    mean: float
    interval: Interval | None = None
    ratio: float | None = None
    p_value: float | None = None

    @property
    def name(self) -> str:
        """Readable key, such as `kind=edge` or `tag=refund`."""
        return f"{self.by}={self.value}"


def slices(
    cases: Sequence[Case], values: Mapping[str, float], *, pass_at: float = 1.0
) -> tuple[Slice, ...]:
    """Sum up every kind and every tag that parts the cases, lowest score first within each.

    `values` are the scores by case id (replicates averaged); cases without one are left out, and
    so are slices of one case and slices that hold every case.
    """
    scored = [case for case in cases if case.id in values]
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in scored:
        groups.setdefault(("kind", case.kind), []).append(case)
        for tag in case.tags:
            groups.setdefault(("tag", tag), []).append(case)
    failed = {case.id for case in scored if values[case.id] < pass_at}
    found = [
        _slice(by, value, members, scored, values, failed)
        for (by, value), members in groups.items()
        if FEWEST_CASES <= len(members) < len(scored)
    ]
    return tuple(sorted(found, key=lambda item: (item.by, item.mean, item.value)))


def _slice(
    by: str,
    value: str,
    members: Sequence[Case],
    scored: Sequence[Case],
    values: Mapping[str, float],
    failed: set[str],
) -> Slice:
    n_failed = sum(case.id in failed for case in members)
    lift = slice_lift(n_failed, len(members), len(failed) - n_failed, len(scored) - len(members))
    weights = relative_weights(members)
    own = [values[case.id] for case in members]
    if weights is not None:
        own = [score * weight for score, weight in zip(own, weights, strict=True)]
    clusters = [case.cluster or case.id for case in members]
    return Slice(
        by=by,
        value=value,
        n_cases=len(members),
        n_failed=n_failed,
        mean=sum(own) / len(own),
        interval=mean_interval(own, clusters=clusters, bounded=weights is None),
        ratio=lift.ratio,
        p_value=lift.p_value,
    )
