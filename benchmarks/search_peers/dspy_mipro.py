"""dspy.MIPROv2 with the candidates of its `light` setting; the number of trials fits the budget."""

from __future__ import annotations

from typing import Any

from dspy_frame import N_THREADS, DspyFrame, dspy, read_output
from frame import Prompting, improving

N_CANDIDATES = 6
"""What `auto="light"` takes; its number of trials cannot be set together with it."""
MINIBATCH = 35
BOOTSTRAP_CALLS_A_SET = 15
FULL_EVERY = 5
CACHED_SHARE = 0.25
"""The share of calls that repeat earlier ones, which DSPy answers from its memory."""


def main() -> None:
    frame = DspyFrame("dspy.MIPROv2")

    def metric(example: Any, prediction: Any, trace: Any = None) -> float:
        del trace
        return frame.graded(example, prediction)[0]

    optimizer: Any = dspy.MIPROv2(
        metric=metric,
        prompt_model=frame.optimizer_lm,
        task_model=frame.task_lm,
        auto=None,
        num_candidates=N_CANDIDATES,
        num_threads=N_THREADS,
        seed=frame.seed + 1,
        metric_threshold=1.0,
        track_stats=True,
    )
    n_trials = trials_for(frame.budget, len(frame.val))
    best: Any = optimizer.compile(
        frame.program,
        trainset=frame.train,
        valset=frame.val,
        num_trials=n_trials,
        minibatch_size=MINIBATCH,
    )
    trials: dict[int, Any] = best.trial_logs
    logs = [log for _, log in sorted(trials.items()) if "full_eval_score" in log]
    used = frame.task_calls()
    # its own count leaves the bootstrapping out, which comes first, and knows of no cache
    said = max(int(log["total_eval_calls_so_far"]) for log in logs)
    before = max(0, used - said)
    points: list[tuple[int, float, Prompting]] = [
        (
            min(used, before + int(log["total_eval_calls_so_far"])),
            float(log["full_eval_score"]),
            frame.prompting(log["full_eval_program"]),
        )
        for log in logs
    ]
    frame.report(
        improving(points),
        read_output,
        val_score=round(max(point[1] for point in points) / 100, 4),
        n_trials=n_trials,
        n_demos=len(best.predictors()[0].demos),
    )


def trials_for(budget: int, n_val: int) -> int:
    """The number of trials that the budget has room for, at least one."""
    fixed = 2 * n_val + (N_CANDIDATES - 2) * BOOTSTRAP_CALLS_A_SET
    each = (MINIBATCH + n_val / FULL_EVERY) * (1 - CACHED_SHARE)
    return max(1, int((budget - fixed) / each))


if __name__ == "__main__":
    main()
