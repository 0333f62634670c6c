"""What went wrong beside the score: truncations, refusals, errors, skips, judges in two minds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from promptyard.records.base import Record
from promptyard.records.scores import Report, Trial

REFUSALS = frozenset({"refusal", "content_filter"})
TRUNCATED = "truncated_output"
WARN_TRUNCATED = 0.01
"""From this share on, cut answers say more of `max_tokens` than of the wording of the prompt."""


class Rates(Record):
    """Counts that stand beside every score.

    `n_trials` counts replicates, too. A truncated or refused answer may be an error or a failed
    check; it counts in either case. `n_skipped` counts checks that could not be run, by `skips`;
    `errors` counts trials without a score by kind.
    """

    n_trials: int
    n_truncated: int
    n_refused: int
    n_errors: int
    n_unscored: int
    n_judged_twice: int
    n_judge_flips: int
    n_skipped: int
    errors: tuple[tuple[str, int], ...] = ()
    skips: tuple[tuple[str, int], ...] = ()

    def share(self, n: int) -> float | None:
        """Return a count as a share of the trials, None without trials."""
        return n / self.n_trials if self.n_trials else None

    @property
    def judge_flip_rate(self) -> float | None:
        """Share of the twice asked verdicts that contradict themselves, None where none was."""
        return self.n_judge_flips / self.n_judged_twice if self.n_judged_twice else None

    @property
    def too_many_truncated(self) -> bool:
        """Whether more than one answer in a hundred was cut."""
        return self.n_truncated > WARN_TRUNCATED * self.n_trials


def rates(report: Report) -> Rates:
    """Count what went wrong in a report."""
    trials = report.trials
    marks = [_marks(trial) for trial in trials]
    judged = [
        score.judge
        for trial in trials
        for score in trial.scores
        if score.judge is not None and score.judge.repeated is not None
    ]
    skips = [gap.reason for trial in trials for gap in trial.unmeasured if gap.status == "skip"]
    return Rates(
        n_trials=len(trials),
        n_truncated=sum(TRUNCATED in found for found in marks),
        n_refused=sum(not REFUSALS.isdisjoint(found) for found in marks),
        n_errors=report.n_errors,
        n_unscored=report.n_unscored,
        n_judged_twice=len(judged),
        n_judge_flips=sum(stamp.repeated != stamp.verdict for stamp in judged),
        n_skipped=len(skips),
        errors=_ranked(trial.failure.kind for trial in trials if trial.failure is not None),
        skips=_ranked(skips),
    )


def _marks(trial: Trial) -> set[str]:
    """Tags and failure kinds of a trial, and how its last answer ended."""
    marks = {tag for score in trial.scores for tag in score.tags}
    if trial.failure is not None:
        marks.add(trial.failure.kind)
    if trial.visits:
        finish = trial.visits[-1].completion.finish_reason
        marks.add(TRUNCATED if finish == "length" else finish)
    return marks


def _ranked(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    counts = Counter(names)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
