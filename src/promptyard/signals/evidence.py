"""Gathers the evidence of a round: failures, successes, buckets, confusion, history, examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from promptyard.records.demonstrations import gold_demo
from promptyard.records.edits import Rejection
from promptyard.records.evidence import (
    Attempt,
    Bucket,
    ConfusionPair,
    Evidence,
    ScoredPrompt,
    TrainTrial,
)
from promptyard.records.images import has_image_bytes
from promptyard.records.prompts import Demo, Program
from promptyard.records.scores import GradedCase
from promptyard.signals.buckets import bucket_failures


def gather(
    graded: Sequence[GradedCase],
    program: Program,
    *,
    trajectory: Sequence[ScoredPrompt] = (),
    rejected: Sequence[Rejection] = (),
    attempts: Sequence[Attempt] = (),
    targets: Mapping[str, str] | None = None,
) -> Evidence:
    """Fold a program's graded train cases into evidence.

    `targets` is what the user says of where failures are mended, by tag.
    Raises EvalSetError when a case is not a train case. Errors and unscored trials are neither
    failures nor successes.
    """
    scored = [item for item in graded if item.trial.status == "scored"]
    trials = [TrainTrial(case=item.case, trial=item.trial) for item in scored]
    return Evidence(
        failures=tuple(item for item in trials if not item.trial.passed),
        successes=tuple(item for item in trials if item.trial.passed),
        buckets=bucket_failures(scored, program, targets),
        confusions=confusions(scored),
        trajectory=tuple(sorted(trajectory, key=lambda point: point.score_pct)),
        demos=example_bank(trials, program),
        rejected=tuple(rejected),
        attempts=tuple(attempts),
    )


def confusions(graded: Sequence[GradedCase]) -> tuple[ConfusionPair, ...]:
    """Count (expected, answered) label pairs of the failing cases, most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in graded:
        if item.trial.passed or not isinstance(item.case.expected, str):
            continue
        label = next((score.label for score in item.trial.scores if score.label), None)
        if label is not None:
            counts[(item.case.expected, label)] += 1
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple(ConfusionPair(expected=e, got=g, n_cases=n) for (e, g), n in ranked)


def example_bank(trials: Sequence[TrainTrial], program: Program) -> tuple[Demo, ...]:
    """Turn train cases into demonstrations: passing answers as given, gold ones for the others.

    A failing case becomes one only where its expectation is a whole answer: a text, or an object
    (as its JSON text). Passing ones come first (source `bootstrap`), then gold ones (`label`).
    Cases with the bytes of an image become none: a prompt is a text that people read, and megabytes
    of base64 are not.
    """
    trials = [item for item in trials if not any(map(has_image_bytes, item.case.input.values()))]
    prompt = program.steps[-1].prompt
    passing = [
        Demo(
            input=dict(item.case.input),
            output=item.trial.output.strip(),
            source="bootstrap",
            case_id=item.case.id,
            trace=tuple(visit.completion.text for visit in item.trial.visits[:-1]),
        )
        for item in trials
        if item.trial.passed
    ]
    gold = [gold_demo(item.case, prompt) for item in trials if not item.trial.passed]
    return (*passing, *(demo for demo in gold if demo is not None))


def target_counts(buckets: Sequence[Bucket]) -> dict[str, int]:
    """Count failing cases per bucket name, by primary bucket, largest first."""
    counts = {bucket.name: len(bucket.primary_ids) for bucket in buckets if bucket.primary_ids}
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
