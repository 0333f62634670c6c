"""Compares a window with the one before it: inputs of all versions, outputs and scores of each.

A subject counts once, with its latest value: the limits hold for values that are independent, and
the calls of one subject are not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from promptyard.records.alerts import Alert, AlertKind
from promptyard.records.base import Json
from promptyard.records.joined import Joined
from promptyard.records.monitoring import DriftReading
from promptyard.release.monitors.windows import subject_of
from promptyard.stats.drift import (
    MIN_VALUES,
    Drift,
    freeze_number_bins,
    freeze_word_bins,
    population_stability,
    score_drift,
    text_drift,
)

OUTPUT_FEATURES = "output_"
"""Features whose name begins so speak of the output, all others of the inputs."""

MAX_TEXTS = 2_000
WORD = re.compile(r"[^\W\d_]{2,}")


def drift_readings(reference: Sequence[Joined], window: Sequence[Joined]) -> list[DriftReading]:
    """Compare every feature that both windows have, scores, and the words of stored inputs."""
    found = _features("inputs", None, reference, window)
    for version in sorted({row.outcome.version for row in window}):
        before = [row for row in reference if row.outcome.version == version]
        now = [row for row in window if row.outcome.version == version]
        found += _features("outputs", version, before, now)
        found += _scores(version, before, now)
    return found + _words(reference, window)


def drift_alerts(
    prompt: str, readings: Sequence[DriftReading], *, anchors_moved: bool | None
) -> list[Alert]:
    """Turn readings of drift into alerts, each with who moved as far as that can be told.

    Inputs are the users'. Outputs and scores of one version move with the inputs, or with model or
    judge: `anchors_moved` says whether fixed cases moved as well (None where nobody looked).
    """
    inputs_moved = any(item.is_drift and item.what.startswith("inputs") for item in readings)
    alerts: list[Alert] = []
    for item in readings:
        if not item.is_drift or item.limit is None:
            continue
        kind, area = _kind(item)
        cause = "users" if area == "inputs" else "unknown"
        if area != "inputs" and anchors_moved is not None:
            cause = "model_or_judge" if anchors_moved else "users" if inputs_moved else "unknown"
        where = "" if item.version is None else f" of v{item.version}"
        most = f", most in '{item.most_changed}'" if item.most_changed else ""
        alerts.append(
            Alert(
                prompt=prompt,
                kind=kind,
                metric=item.what,
                value=item.value,
                limit=item.limit,
                version=item.version,
                n_outcomes=item.n,
                cause=cause,
                sentence=f"{item.what}{where} drifted: {item.value:.3f}, the limit for "
                f"{item.n_reference} and {item.n} values is {item.limit:.3f}{most}.",
            )
        )
    return alerts


def _kind(item: DriftReading) -> tuple[AlertKind, str]:
    if item.what.startswith("inputs"):
        return "input_drift", "inputs"
    return ("score_drift", "score") if item.what == "score" else ("output_drift", "outputs")


def _features(
    area: str, version: int | None, reference: Sequence[Joined], window: Sequence[Joined]
) -> list[DriftReading]:
    first, second = _by_feature(area, reference), _by_feature(area, window)
    found: list[DriftReading] = []
    for name in sorted(first.keys() & second.keys()):
        before, now = first[name], second[name]
        numbers = [value for value in before if isinstance(value, int | float)]
        if len(numbers) == len(before) and all(isinstance(value, int | float) for value in now):
            bins = freeze_number_bins(numbers)
        else:
            before, now = [str(value) for value in before], [str(value) for value in now]
            bins = freeze_word_bins(before)
        found.append(_reading(f"{area}.{name}", version, population_stability(bins, now)))
    return found


def _by_feature(area: str, rows: Sequence[Joined]) -> dict[str, list[float | str]]:
    found: dict[str, dict[str, float | str]] = {}
    for row in rows:
        features: dict[str, float | str] = dict(row.outcome.features)
        if row.outcome.finish_reason:
            features["output_finish_reason"] = row.outcome.finish_reason
        if row.hard_failure is not None:
            features["output_hard_failure"] = str(row.hard_failure)
        for name, value in features.items():
            if name.startswith(OUTPUT_FEATURES) == (area == "outputs"):
                found.setdefault(name, {})[subject_of(row)] = value
    return {name: list(values.values()) for name, values in found.items()}


def _scores(
    version: int, reference: Sequence[Joined], window: Sequence[Joined]
) -> list[DriftReading]:
    first, second = (
        list({subject_of(row): row.score for row in rows if row.score is not None}.values())
        for rows in (reference, window)
    )
    if not first or not second:
        return []
    return [_reading("score", version, score_drift(first, second))]


def _words(reference: Sequence[Joined], window: Sequence[Joined]) -> list[DriftReading]:
    """Compare the words of inputs, where content is stored: the latest texts of either window."""
    first, second = _texts(reference), _texts(window)
    if min(len(first), len(second)) < MIN_VALUES:
        return []
    found = text_drift(first, second)
    reading = _reading("inputs.words", None, found.drift)
    return [reading.model_copy(update={"most_changed": ", ".join(found.words[:5])})]


def _texts(rows: Sequence[Joined]) -> list[frozenset[str]]:
    latest = {subject_of(row): row.outcome.inputs for row in rows if row.outcome.inputs is not None}
    inputs = list(latest.values())[-MAX_TEXTS:]
    return [frozenset(WORD.findall(_said(item).casefold())) for item in inputs]


def _said(inputs: Mapping[str, Json]) -> str:
    return " ".join(value for value in inputs.values() if isinstance(value, str))


def _reading(what: str, version: int | None, drift: Drift) -> DriftReading:
    return DriftReading(
        what=what,
        version=version,
        value=drift.value,
        limit=None if math.isinf(drift.limit) else drift.limit,
        n_reference=drift.n_reference,
        n=drift.n,
        most_changed=drift.most_changed,
        is_drift=drift.is_drift,
    )
