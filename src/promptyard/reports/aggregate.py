"""Folds failure buckets, confusions and rejections into the tables that are shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptyard.records.base import Record
from promptyard.records.edits import Rejection
from promptyard.records.evidence import Bucket, ConfusionPair


class BucketRow(Record):
    """Cases that failed for this reason first, in baseline and finalist."""

    tag: str
    field: str | None
    before: int
    after: int


class LabelRow(Record):
    """Failing cases of one expected label, in baseline and finalist."""

    label: str
    before: int
    after: int


class PairRow(Record):
    """How often `expected` was answered as `got`, by baseline and finalist."""

    expected: str
    got: str
    before: int
    after: int


class RejectionRow(Record):
    """Proposals that one validator refused for one reason."""

    code: str
    reason: str
    generators: tuple[str, ...]
    n_proposals: int


def bucket_table(before: Sequence[Bucket], after: Sequence[Bucket]) -> tuple[BucketRow, ...]:
    """Count the primary cases of each (tag, field) before and after.

    Buckets of several expected labels become one row; each case counts once, in its primary
    bucket. The most frequent failure of the baseline comes first, ties by those of the finalist,
    then by name.
    """
    first = _primary_counts(before)
    second = _primary_counts(after)
    keys = sorted(
        set(first) | set(second),
        key=lambda key: (-first[key], -second[key], key[0], key[1] or ""),
    )
    return tuple(
        BucketRow(tag=tag, field=field, before=first[tag, field], after=second[tag, field])
        for tag, field in keys
    )


def label_table(
    before: Sequence[Bucket], after: Sequence[Bucket], *, limit: int | None = None
) -> tuple[LabelRow, ...]:
    """Count the failing cases of each expected label before and after, at most `limit` rows.

    The labels that the baseline fails most come first. Empty where the task has no labels.
    """
    first = _label_counts(before)
    second = _label_counts(after)
    names = sorted(set(first) | set(second), key=lambda name: (-first[name], -second[name], name))
    return tuple(
        LabelRow(label=name, before=first[name], after=second[name]) for name in names[:limit]
    )


def pair_table(
    before: Sequence[ConfusionPair], after: Sequence[ConfusionPair], *, limit: int | None = None
) -> tuple[PairRow, ...]:
    """Put the confusions before and after side by side, at most `limit` rows.

    Ordered by the larger of the two counts, so that a confusion that is new is not missed.
    """
    first = Counter({(pair.expected, pair.got): pair.n_cases for pair in before})
    second = Counter({(pair.expected, pair.got): pair.n_cases for pair in after})
    keys = sorted(
        set(first) | set(second),
        key=lambda key: (-max(first[key], second[key]), -first[key], key),
    )
    return tuple(
        PairRow(expected=key[0], got=key[1], before=first[key], after=second[key])
        for key in keys[:limit]
    )


def rejection_table(rejections: Sequence[Rejection]) -> tuple[RejectionRow, ...]:
    """Count rejections by code and reason, most frequent first."""
    groups: dict[tuple[str, str], list[str]] = {}
    for item in rejections:
        groups.setdefault((item.code, item.reason), []).append(item.generator)
    rows = [
        RejectionRow(
            code=code,
            reason=reason,
            generators=tuple(sorted(set(generators))),
            n_proposals=len(generators),
        )
        for (code, reason), generators in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: (-row.n_proposals, row.code, row.reason)))


def _primary_counts(buckets: Sequence[Bucket]) -> Counter[tuple[str, str | None]]:
    counts: Counter[tuple[str, str | None]] = Counter()
    for bucket in buckets:
        if bucket.primary_ids:
            counts[bucket.tag, bucket.field] += len(bucket.primary_ids)
    return counts


def _label_counts(buckets: Sequence[Bucket]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for bucket in buckets:
        if bucket.expected is not None and bucket.primary_ids:
            counts[bucket.expected] += len(bucket.primary_ids)
    return counts
