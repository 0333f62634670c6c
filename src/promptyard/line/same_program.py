"""The verdict of an A/A run: a prompt must not differ from itself."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.records.cases import Case
from promptyard.records.verdicts import (
    Comparison,
    GateSettings,
    PairedReport,
    Verdict,
    VerdictStatus,
)
from promptyard.runner.summarize import case_values
from promptyard.stats.power import smallest_significant_win


def same_program_verdict(
    verdict: Verdict, pair: PairedReport, cases: Sequence[Case], settings: GateSettings
) -> Verdict:
    """Turn a gate's verdict on a program and itself round: no difference is what it must show.

    Margins are no question here: the other dimensions are only reported. A pass says what the
    cases could have noticed; where they could notice nothing, their agreement shows nothing.
    """
    primary = verdict.comparisons[0] if verdict.comparisons else None
    if primary is None or not primary.n_cases:
        return verdict
    found = primary.sentence
    coverage = verdict.coverage or 0.0
    graded = primary.interval is None or primary.interval.method != "tango"
    fewest = smallest_significant_win(settings.alpha, graded=graded)
    n = _n_independent(pair, cases, settings.primary)
    noun = "cases" if n == primary.n_cases else "clusters of cases"
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
    elif n < fewest:
        status = "inconclusive"
        said = f"fewer than {fewest} {noun} cannot show a difference"
    else:
        status = "pass"
        size = "" if graded else f" ({100 * fewest / n:.1f} points)"
        said = "no difference between two runs of the same prompt, as it must be"
        found += (
            f". With {n} {noun} it could notice only a difference in {fewest} or more of them, "
            f"all the same way{size}"
        )
    return verdict.model_copy(
        update={
            "status": status,
            "sentence": f"A/A: {said}: {found}.",
            "comparisons": (primary, *(_reported(item) for item in verdict.comparisons[1:])),
            "reasons": () if status == "pass" else (primary.sentence,),
            "critical_regressions": (),
        }
    )


def _reported(item: Comparison) -> Comparison:
    return item.model_copy(update={"rule": "report", "status": "pass", "margin": None})


def _n_independent(pair: PairedReport, cases: Sequence[Case], dimension: str) -> int:
    before, after = case_values(pair.baseline, dimension), case_values(pair.candidate, dimension)
    both = [case for case in cases if case.id in before and case.id in after]
    return len({case.cluster or case.id for case in both})
