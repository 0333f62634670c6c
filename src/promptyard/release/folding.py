"""Folding: what several comparisons, and what several gates, say together.

One failure fails, and what is open stays open: a release needs every part to pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.protocols import Gate
from promptyard.records.cases import Case
from promptyard.records.verdicts import (
    Comparison,
    GateFinding,
    GateSettings,
    PairedReport,
    Verdict,
    VerdictStatus,
)

ALONE: Mapping[VerdictStatus, str] = {
    "pass": "The candidate passes the gate: ",
    "fail": "The candidate fails the gate: ",
    "inconclusive": "The gate cannot decide, so the baseline stays: ",
}
"""How a verdict that stands alone begins; beside others its status has been said already."""
UNPROVEN = "Returned because it led on unseen train cases; the gate cannot decide: "


def returned_unproven(verdict: Verdict) -> Verdict:
    """Return an inconclusive verdict on what a search without a holdout returns all the same.

    Its sentence would else say that the baseline stays.
    """
    said = verdict.sentence.removeprefix(ALONE["inconclusive"])
    return verdict.model_copy(update={"sentence": f"{UNPROVEN}{said}"})


def folded(comparisons: Sequence[Comparison], *, nothing: str) -> Verdict:
    """Make the verdict of one gate of its comparisons; `nothing` is said where there is none."""
    status = worst([item.status for item in comparisons])
    reasons = tuple(item.sentence for item in comparisons if item.status != "pass")
    said = "; ".join(reasons or [item.sentence for item in comparisons]) or nothing
    return Verdict(
        status=status, comparisons=tuple(comparisons), sentence=f"{said}.", reasons=reasons
    )


def judge_by_all(
    gates: Mapping[str, Gate],
    pair: PairedReport,
    cases: Sequence[Case],
    settings: GateSettings,
) -> tuple[Verdict, tuple[GateFinding, ...]]:
    """Ask every gate and fold what they say into one verdict. Costs nothing.

    Comparisons and reasons stand in the order of the gates; the sentence names those that do not
    let the candidate pass. Without gates the verdict is inconclusive.
    """
    verdicts = {name: gate.judge(pair, cases, settings) for name, gate in gates.items()}
    findings = tuple(
        GateFinding(
            gate=name,
            status=verdict.status,
            sentence=verdict.sentence.removeprefix(ALONE[verdict.status]),
        )
        for name, verdict in verdicts.items()
    )
    statuses: list[VerdictStatus] = [verdict.status for verdict in verdicts.values()]
    status = worst(statuses) if statuses else "inconclusive"
    coverages = [v.coverage for v in verdicts.values() if v.coverage is not None]
    critical = [name for verdict in verdicts.values() for name in verdict.critical_regressions]
    notes = [note for verdict in verdicts.values() for note in verdict.notes]
    return (
        Verdict(
            status=status,
            comparisons=tuple(item for v in verdicts.values() for item in v.comparisons),
            sentence=_sentence(status, findings),
            reasons=tuple(reason for v in verdicts.values() for reason in v.reasons),
            critical_regressions=tuple(dict.fromkeys(critical)),
            coverage=min(coverages) if coverages else None,
            notes=tuple(dict.fromkeys(notes)),
        ),
        findings,
    )


def worst(statuses: Sequence[VerdictStatus]) -> VerdictStatus:
    """One failure fails; one open question leaves all open; no status at all passes."""
    if "fail" in statuses:
        return "fail"
    return "inconclusive" if "inconclusive" in statuses else "pass"


def _sentence(status: VerdictStatus, findings: Sequence[GateFinding]) -> str:
    if status == "pass":
        return f"The candidate passes all gates ({', '.join(item.gate for item in findings)})."
    shown = [item for item in findings if item.status == status]
    said = " ".join(f"[{item.gate}] {item.sentence}" for item in shown)
    if status == "fail":
        return f"{ALONE[status]}{said}"
    return f"{ALONE[status]}{said or 'there is no gate.'}"
