# ruff: noqa: T201  (an example prints)
"""A metric of your own: what it returns decides what the line can learn from a failure.

Run it: `python examples/02_own_metric.py`.
"""

from __future__ import annotations

from pathlib import Path

import promptyard as py

FOLDER = Path(__file__).parent / "support"


def topic_alone(case: py.Case, output: str) -> tuple[float, str, list[str]]:
    """Half a point for the right topic inside more text, none for a wrong one."""
    answer = output.strip()
    if answer == case.expected:
        return 1.0, "", []
    if str(case.expected) in answer:
        return 0.5, "the topic is right, but it does not stand alone", ["wordy"]
    return 0.0, f"expected {case.expected}", ["wrong_topic"]


def main() -> None:
    """Run the line with the metric and show what failed before and after."""
    folder = py.load_task(FOLDER)
    task = py.Task(
        name="support-own-metric",
        program=folder.program,
        cases=folder.eval_set,
        metrics=[topic_alone],
        models=py.Models(task="embedded/lexical"),
    )
    run = py.optimize(task)
    print(f"verdict: {run.verdict.status}")
    print(run.verdict.sentence)
    for title, buckets in (("before", run.buckets_before), ("after", run.buckets_after)):
        counts = {bucket.name: len(bucket.case_ids) for bucket in buckets}
        print(f"failing holdout cases {title}: {counts}")


if __name__ == "__main__":
    main()
