"""How scores and failure buckets developed over prompt versions and versions of the eval set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from promptyard.errors import NotFound
from promptyard.evalset.diff import shared_cases
from promptyard.evalset.wording import nearest
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.cases import EVAL_SPLITS, EvalSet, EvalSplit, eval_split_named
from promptyard.records.measurements import Measurement
from promptyard.records.scores import Report


class Step(Record):
    """How a measurement compares with the one before it in its split.

    `comparable` is `yes` on the same cases (also of two versions of the eval set that differ in
    other splits only), `partly` where the versions share `n_shared` of them (the difference is then
    taken on those), `no` where they share none or another model answered. `difference` is None
    where it is not known.
    """

    comparable: Literal["yes", "partly", "no"]
    n_shared: int
    difference: float | None
    reason: str = ""


class HistoryRow(Record):
    """One measurement: `value` is the metric that was asked for, `bucket` the cases in the bucket.

    `number` counts the versions of the eval set from 1, `step` is None for the first row.
    """

    measurement: Measurement
    version: int | None
    number: int | None
    value: float | None
    bucket: int | None = None
    step: Step | None = None


class History(Record):
    """Rows by split (or `all`), oldest first; `metric` is what their values are of."""

    task: str
    metric: str
    bucket: str | None
    rows: Mapping[EvalSplit, tuple[HistoryRow, ...]]


async def eval_set_history(
    url: StoreOrUrl,
    task: str,
    *,
    metric: str = "score",
    bucket: str | None = None,
    version: int | None = None,
    split: str | None = None,
) -> History:
    """Read what was measured of a task, narrowed to a prompt version or a split if named.

    Differences on shared cases are computed from the stored reports. Costs no call. Raises NotFound
    where nothing was measured, or for an unknown metric, bucket or version, naming what is known.
    """
    only = None if split is None else eval_split_named(split)
    async with opened(url) as store:
        measured = await store.measurements(task)
        if not measured:
            raise NotFound(
                f"nothing was measured of '{task}' in this store yet; `promptyard eval` does it"
            )
        numbers = {item.digest: item.number for item in await store.versions(task)}
        measured = [
            item.model_copy(update={"version": numbers.get(item.program_id, item.version)})
            for item in measured
        ]
        _require_known(measured, metric, bucket, version)
        chosen = [
            item
            for item in measured
            if (version is None or item.version == version) and (only is None or item.split == only)
        ]
        comparing = _Comparing(store, metric)
        order = [item.version for item in await store.eval_set_versions(task)]
        rows: dict[EvalSplit, tuple[HistoryRow, ...]] = {}
        for name in EVAL_SPLITS:
            of_split = [item for item in chosen if item.split == name]
            if of_split:
                rows[name] = await _rows(of_split, order, bucket, comparing)
        return History(task=task, metric=metric, bucket=bucket, rows=rows)


def metric_value(measurement: Measurement, metric: str) -> float | None:
    """Return the score, a dimension, a suite metric or the mean of a check; None if unmeasured."""
    if metric == "score":
        return measurement.score
    return measurement.dimensions.get(metric, measurement.checks.get(metric))


def bucket_names(rows: Sequence[HistoryRow]) -> tuple[str, ...]:
    """Names of all buckets of the rows, the one with most cases in any of them first."""
    most: dict[str, int] = {}
    for row in rows:
        for name, n_cases in row.measurement.buckets.items():
            most[name] = max(n_cases, most.get(name, 0))
    return tuple(sorted(most, key=lambda name: (-most[name], name)))


async def _rows(
    measured: Sequence[Measurement],
    order: Sequence[str],
    bucket: str | None,
    comparing: _Comparing,
) -> tuple[HistoryRow, ...]:
    rows: list[HistoryRow] = []
    before: Measurement | None = None
    for item in measured:
        known = item.eval_set_version in order
        rows.append(
            HistoryRow(
                measurement=item,
                version=item.version,
                number=order.index(item.eval_set_version) + 1 if known else None,
                value=metric_value(item, comparing.metric),
                bucket=None if bucket is None else item.buckets.get(bucket, 0),
                step=None if before is None else await comparing.step(before, item),
            )
        )
        before = item
    return tuple(rows)


class _Comparing:
    """Compares measurements; eval sets that were read are kept, since rows share them."""

    def __init__(self, store: Store, metric: str) -> None:
        self.metric = metric
        self._store = store
        self._eval_sets: dict[str, EvalSet | None] = {}

    async def step(self, before: Measurement, after: Measurement) -> Step:
        """Say how `after` compares with `before`, and by how much it differs."""
        if before.model != after.model:
            reason = f"another model: {before.model}"
            return Step(comparable="no", n_shared=0, difference=None, reason=reason)
        old, new = metric_value(before, self.metric), metric_value(after, self.metric)
        difference = None if old is None or new is None else new - old
        if before.eval_set_version == after.eval_set_version:
            return Step(comparable="yes", n_shared=after.n_cases, difference=difference)
        old_set = await self._eval_set(before.eval_set_version)
        new_set = await self._eval_set(after.eval_set_version)
        if old_set is None or new_set is None:
            reason = "its version of the eval set is not in this store"
            return Step(comparable="no", n_shared=0, difference=None, reason=reason)
        shared = shared_cases(old_set, new_set, after.split)
        if not shared:
            reason = "the versions of the eval set share no case"
            return Step(comparable="no", n_shared=0, difference=None, reason=reason)
        if len(shared) == len(old_set.split(after.split)) == len(new_set.split(after.split)):
            return Step(comparable="yes", n_shared=after.n_cases, difference=difference)
        weights = {case.id: case.weight for case in new_set.split(after.split)}
        difference = None
        if self.metric == "score":
            difference = await self._difference(before, after, {n: weights[n] for n in shared})
        return Step(comparable="partly", n_shared=len(shared), difference=difference)

    async def _eval_set(self, version: str) -> EvalSet | None:
        if version not in self._eval_sets:
            try:
                self._eval_sets[version] = await self._store.eval_set(version)
            except NotFound:
                self._eval_sets[version] = None
        return self._eval_sets[version]

    async def _difference(
        self, before: Measurement, after: Measurement, weights: Mapping[str, float]
    ) -> float | None:
        """Difference of the weighted means over the cases of `weights` that both have scored."""
        old, new = await self._case_scores(before), await self._case_scores(after)
        both = [name for name in weights if name in old and name in new]
        if not both:
            return None
        total = sum(weights[name] for name in both)
        return sum(weights[name] * (new[name] - old[name]) for name in both) / total

    async def _case_scores(self, item: Measurement) -> dict[str, float]:
        """Mean score of each scored case of the report behind a measurement."""
        try:
            reports = await self._store.reports(item.run_id, item.purpose)
        except NotFound:
            return {}
        scores: dict[str, list[float]] = {}
        for report in reports:
            if report.program_id == item.program_id and report.split == item.split:
                _add_scores(scores, report)
        return {name: sum(values) / len(values) for name, values in scores.items()}


def _add_scores(scores: dict[str, list[float]], report: Report) -> None:
    for trial in report.trials:
        if trial.score is not None:
            scores.setdefault(trial.case_id, []).append(trial.score)


def _require_known(
    measured: Sequence[Measurement], metric: str, bucket: str | None, version: int | None
) -> None:
    metrics = {"score", *(n for item in measured for n in (*item.dimensions, *item.checks))}
    if metric not in metrics:
        raise NotFound(f"no metric '{metric}' was measured{nearest(metric, sorted(metrics))}")
    buckets = {name for item in measured for name in item.buckets}
    if bucket is not None and bucket not in buckets:
        raise NotFound(
            f"no failure was ever in bucket '{bucket}'{nearest(bucket, sorted(buckets))}"
        )
    if version is not None and all(item.version != version for item in measured):
        numbers = sorted({item.version for item in measured if item.version is not None})
        known = ", ".join(f"v{number}" for number in numbers) or "no registered version"
        raise NotFound(f"version {version} was not measured; measured: {known}")
