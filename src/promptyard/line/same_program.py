"""The verdict of an A/A run: a prompt must not differ from itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from promptyard.records.cases import Case
from promptyard.records.verdicts import (
    Comparison,
    GateSettings,
    PairedReport,
    Verdict,
    VerdictStatus,
)
from promptyard.runner.summarize import case_values
from promptyard.stats.intervals import wilson_interval
from promptyard.stats.power import detectable_shift, smallest_significant_win

MOST_OVERLOOKED = 0.5
"""An A/A run that may overlook a change of more than half of all cases shows no steadiness."""

POWER = 0.8


def same_program_verdict(
    verdict: Verdict, pair: PairedReport, cases: Sequence[Case], settings: GateSettings
) -> Verdict:
    """Turn a gate's verdict on a program and itself round: no difference is what it must show.

    Margins are no question here: the other dimensions are only reported. The sentence counts the
    cases that scored differently, and says which share of cases, changed the same way, so many
    would have found with a power of 80 %. Where that is more than half of them, their agreement
    shows nothing, and the verdict is inconclusive.
    """
    primary = verdict.comparisons[0] if verdict.comparisons else None
    if primary is None or not primary.n_cases:
        return verdict
    coverage = verdict.coverage or 0.0
    both = _both_scored(pair, cases, settings.primary)
    found = _Found(
        n=len({case.cluster or case.id for case, *_ in both}),
        n_cases=len(both),
        n_changed=sum(before != after for _, before, after in both),
        alpha=settings.alpha,
        graded=primary.interval is None or primary.interval.method != "tango",
    )
    status: VerdictStatus
    if primary.status in ("pass", "fail"):
        status = "fail"
        said = "the same prompt differs from itself, so this measurement cannot be trusted"
    elif coverage < settings.min_coverage:
        status = "inconclusive"
        said = (
            f"only {100 * coverage:.1f} % of the cases were scored; "
            f"{100 * settings.min_coverage:g} % are needed"
        )
    elif found.is_too_weak:
        status = "inconclusive"
        said = f"too few to tell; it takes at least {found.fewest_that_tell()} {found.noun}"
    else:
        status = "pass"
        said = "no difference between two runs of the same prompt, as it must be"
    sentence = f"A/A: {said}: {primary.sentence}; {found.changed}."
    if status != "fail":
        sentence += f" {found.noticed}"
    return verdict.model_copy(
        update={
            "status": status,
            "sentence": sentence,
            "comparisons": (primary, *(_reported(item) for item in verdict.comparisons[1:])),
            "reasons": () if status == "pass" else (primary.sentence,),
            "critical_regressions": (),
        }
    )


@dataclass(frozen=True)
class _Found:
    """What two runs of one program showed on `n` independent cases, and could have shown."""

    n: int
    n_cases: int
    n_changed: int
    alpha: float
    graded: bool

    @property
    def noun(self) -> str:
        return "cases" if self.n == self.n_cases else "clusters of cases"

    @property
    def is_too_weak(self) -> bool:
        return not self._finds_enough(self.n)

    @property
    def changed(self) -> str:
        """How many cases scored differently; an interval only where cases are independent."""
        said = f"{self.n_changed} of {self.n_cases} cases scored differently"
        if self.n < self.n_cases:
            return said
        low, high = wilson_interval(self.n_changed, self.n_cases)
        return f"{said} (95 % interval {100 * low:.1f} to {100 * high:.1f} %)"

    @property
    def noticed(self) -> str:
        """Which shift of the mean so many cases would have shown."""
        share = self._share(self.n)
        fewest = smallest_significant_win(self.alpha, graded=self.graded)
        if share is None:
            return (
                f"{self.n} {self.noun} could not have shown a shift, not even if all of them had "
                "changed the same way."
            )
        only = "only " if self.is_too_weak else ""
        return (
            f"{self.n} {self.noun} would have shown a shift (power {100 * POWER:.0f} %) {only}if "
            f"{100 * share:.1f} % or more of them had changed the same way; it takes {fewest}."
        )

    def fewest_that_tell(self) -> int:
        """Return the fewest independent cases whose agreement would show something."""
        return next(n for n in count(self.n) if self._finds_enough(n))

    def _finds_enough(self, n: int) -> bool:
        share = self._share(n)
        return share is not None and share <= MOST_OVERLOOKED

    def _share(self, n: int) -> float | None:
        return detectable_shift(n, alpha=self.alpha, power=POWER, graded=self.graded)


def _reported(item: Comparison) -> Comparison:
    return item.model_copy(update={"rule": "report", "status": "pass", "margin": None})


def _both_scored(
    pair: PairedReport, cases: Sequence[Case], dimension: str
) -> list[tuple[Case, float, float]]:
    before, after = case_values(pair.baseline, dimension), case_values(pair.candidate, dimension)
    return [
        (case, before[case.id], after[case.id])
        for case in cases
        if case.id in before and case.id in after
    ]
