"""dspy.GEPA with its default settings."""

from __future__ import annotations

from typing import Any

from dspy_frame import N_THREADS, DspyFrame, dspy, read_output
from frame import Prompting, improving


def main() -> None:
    frame = DspyFrame("dspy.GEPA")

    def metric(
        gold: Any, pred: Any, trace: Any = None, pred_name: Any = None, pred_trace: Any = None
    ) -> Any:
        del trace, pred_name, pred_trace
        score, feedback = frame.graded(gold, pred)
        return dspy.Prediction(score=score, feedback=feedback)

    optimizer: Any = dspy.GEPA(
        metric=metric,
        max_metric_calls=frame.budget,
        reflection_lm=frame.optimizer_lm,
        num_threads=N_THREADS,
        track_stats=True,
        seed=frame.seed,
    )
    best: Any = optimizer.compile(frame.program, trainset=frame.train, valset=frame.val)
    found: Any = best.detailed_results
    points: list[tuple[int, float, Prompting]] = [
        (calls + (len(frame.val) if number else 0), score, frame.prompting(program))
        for number, (calls, score, program) in enumerate(
            zip(
                found.discovery_eval_counts,
                found.val_aggregate_scores,
                found.candidates,
                strict=True,
            )
        )
    ]
    points[0] = (len(frame.val), points[0][1], points[0][2])
    frame.report(
        improving(points), read_output, val_score=round(max(found.val_aggregate_scores), 4)
    )


if __name__ == "__main__":
    main()
