"""Targets: the failures that a version was made against must really have become fewer.

The claim is about all cases, not about those that failed before: chosen by their failures they
would get better by chance alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.scores import Report, Trial
from promptyard.records.verdicts import Comparison, GateSettings, PairedReport, Verdict
from promptyard.release.folding import folded
from promptyard.stats.paired import compare_paired


class TargetGate:
    """Passes where cases with a target failure are significantly fewer than under the baseline."""

    name = "targets"

    def judge(self, pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Verdict:
        """Compare how often any of the target tags occurs. Costs nothing."""
        if not settings.targets:
            return folded([], nothing="no target failure is named")
        return folded([_compared(pair, cases, settings)], nothing="")


def _compared(pair: PairedReport, cases: Sequence[Case], settings: GateSettings) -> Comparison:
    before = _free_of(pair.baseline, settings.targets)
    after = _free_of(pair.candidate, settings.targets)
    both = [case for case in cases if case.id in before and case.id in after]
    first = [before[case.id] for case in both]
    second = [after[case.id] for case in both]
    what = f"target failures ({', '.join(settings.targets)})"
    if sum(first) + sum(second) == 2 * len(both):
        return Comparison(
            dimension="targets",
            rule="target",
            status="inconclusive",
            n_cases=len(both),
            sentence=f"{what}: no case shows one, so there is nothing to beat",
        )
    test = compare_paired(
        first,
        second,
        clusters=[case.cluster or case.id for case in both],
        alpha=settings.alpha,
        bounded=True,
    )
    better = test.p_value <= settings.alpha and test.interval.low > 0
    worse = test.p_value <= settings.alpha and test.interval.high < 0
    n_before, n_after = len(both) - sum(first), len(both) - sum(second)
    word = "fewer" if better else "more" if worse else "not shown to be fewer"
    return Comparison(
        dimension="targets",
        rule="target",
        status="pass" if better else "fail" if worse else "inconclusive",
        n_cases=len(both),
        baseline_mean=sum(first) / len(first),
        candidate_mean=sum(second) / len(second),
        difference=test.mean,
        interval=test.interval,
        p_value=test.p_value,
        fixed=test.fixed,
        broken=test.broken,
        sentence=f"{what}: {word}, {n_before:g} cases before and {n_after:g} after of {len(both)} "
        f"(p = {test.p_value:.2g})",
    )


def _free_of(report: Report, tags: Sequence[str]) -> dict[str, float]:
    """Share of a case's scored replicates that show none of the tags."""
    found: dict[str, list[float]] = {}
    for trial in report.trials:
        if trial.status == "scored":
            found.setdefault(trial.case_id, []).append(float(not _shows(trial, tags)))
    return {case_id: sum(values) / len(values) for case_id, values in found.items()}


def _shows(trial: Trial, tags: Sequence[str]) -> bool:
    """Whether a finding has one of the tags; `tag:field` names the field as well."""
    return any(
        tag in score.tags
        or (score.field is not None and any(f"{one}:{score.field}" == tag for one in score.tags))
        for score in trial.scores
        if score.value < 1.0
        for tag in tags
    )
