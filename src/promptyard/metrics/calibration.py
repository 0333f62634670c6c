"""What people's labels say of a judge, and what a mean that it gave comes to by them. Pure.

A certificate belongs to one instrument: model, with the snapshot that the server named, and prompt
hash. Source of the formulas: `stats.agreement` and `stats.judge_correction`; ADR 0013.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.base import content_hash
from promptyard.records.cases import Case
from promptyard.records.judging import JudgeCertificate, LabelledVerdict, Rate
from promptyard.records.labels import output_hash
from promptyard.records.scores import (
    CheckSummary,
    Interval,
    JudgeSummary,
    Report,
    relative_weights,
)
from promptyard.stats.agreement import JudgeAccuracy, Share, judge_accuracy
from promptyard.stats.estimates import Estimate
from promptyard.stats.intervals import wilson_interval
from promptyard.stats.judge_correction import JudgedScores, ppi_mean, rogan_gladen
from promptyard.stats.unpaired import compare_unpaired_rates

PPI = "ppi++"
ROGAN_GLADEN = "rogan-gladen"

CHOSEN_BELOW = 0.01
"""Labelled answers that the judge passes so unlike the others were chosen, not drawn."""


def certificate_of(
    labels: Sequence[LabelledVerdict],
    *,
    task: str,
    metric: str,
    model: str,
    prompt_hash: str,
    eval_set_version: str,
    n_unmeasured: int = 0,
    created_at: str = "",
) -> JudgeCertificate:
    """Measure how far a judge agrees with people; the same at the same time has the same id."""
    accuracy = _accuracy(labels)
    hits = sum(label.person == label.judge for label in labels)
    kappa = accuracy.agreement.kappa
    said = [label.model_dump() for label in labels]
    identity = [task, metric, model, prompt_hash, said, created_at]
    return JudgeCertificate(
        id=content_hash(identity)[:12],
        task=task,
        metric=metric,
        model=model,
        prompt_hash=prompt_hash,
        kappa=Rate(value=kappa.value, interval=kappa.interval, n=len(labels)),
        tpr=_rate(accuracy.tpr),
        tnr=_rate(accuracy.tnr),
        agreement=share_of(hits, len(labels)),
        n_unmeasured=n_unmeasured,
        labels=tuple(labels),
        eval_set_version=eval_set_version,
        created_at=created_at,
    )


def certified(
    report: Report, cases: Sequence[Case], *, certificates: Sequence[JudgeCertificate]
) -> Report:
    """Return the report with what the certificates say of its judges.

    The last certificate of the same instrument counts. A mean of passes and fails is corrected:
    by PPI++ where 30 labels or more are of these very answers and the judge does not tell that they
    were chosen, else by Rogan-Gladen. `cases` are those of the report; where they differ in weight
    nothing is corrected.
    """
    if not any(check.judge for check in report.checks):
        return report
    by_instrument = {(item.model, item.prompt_hash): item for item in certificates}
    weighted = relative_weights(cases) is not None
    checks = tuple(_certified(report, check, by_instrument, weighted) for check in report.checks)
    return report.model_copy(update={"checks": checks})


def _certified(
    report: Report,
    check: CheckSummary,
    by_instrument: Mapping[tuple[str, str], JudgeCertificate],
    weighted: bool,
) -> CheckSummary:
    judge = check.judge
    found = None if judge is None else by_instrument.get((judge.model, judge.prompt_hash))
    if judge is None or found is None:
        return check
    estimate, method = _corrected(report, check.metric, found, weighted)
    summary: JudgeSummary = judge.model_copy(
        update={
            "certificate": found.id,
            "corrected_mean": estimate.value,
            "corrected_interval": estimate.interval,
            "method": method if estimate.value is not None else "",
            "why_uncorrected": estimate.reason,
        }
    )
    return check.model_copy(update={"judge": summary})


def _corrected(
    report: Report, metric: str, certificate: JudgeCertificate, weighted: bool
) -> tuple[Estimate, str]:
    values, outputs = _judged(report, metric)
    if weighted:
        return Estimate.refused("cases differ in weight"), ""
    if any(value not in {0.0, 1.0} for found in values.values() for value in found):
        return Estimate.refused("only means of passes and fails can be corrected"), ""
    means = {case_id: sum(found) / len(found) for case_id, found in values.items()}
    if certificate.eval_set_version == report.eval_set_version:
        persons = {
            label.case_id: float(label.person)
            for label in certificate.labels
            if label.case_id in means and outputs[label.case_id] == {label.output_hash}
        }
        scores = JudgedScores(
            labels=list(persons.values()),
            judged=[means[case_id] for case_id in persons],
            unlabelled=[mean for case_id, mean in means.items() if case_id not in persons],
        )
        estimate = ppi_mean(scores)
        if estimate.value is not None and _may_be_random(scores):
            return estimate, PPI
    accuracy = _accuracy(certificate.labels)
    return rogan_gladen(sum(means.values()), len(means), accuracy), ROGAN_GLADEN


def _may_be_random(scores: JudgedScores) -> bool:
    """Whether the labelled answers may be a random part of all, by what the judge passes of them.

    Labels given to the failures alone, for example, would make their mean that of the suite.
    """
    if not scores.unlabelled:
        return True
    labelled, other = scores.judged, scores.unlabelled
    test = compare_unpaired_rates(
        round(sum(labelled)), len(labelled), round(sum(other)), len(other)
    )
    return test.p_value > CHOSEN_BELOW


def _judged(report: Report, metric: str) -> tuple[dict[str, list[float]], dict[str, set[str]]]:
    """Return a check's values by case, one a replicate, and the hashes of the outputs."""
    values: dict[str, list[float]] = {}
    outputs: dict[str, set[str]] = {}
    for trial in report.trials:
        found = [score.value for score in trial.scores if score.metric == metric]
        if found:
            values.setdefault(trial.case_id, []).append(min(found))
            outputs.setdefault(trial.case_id, set()).add(output_hash(trial.output))
    return values, outputs


def _accuracy(labels: Sequence[LabelledVerdict]) -> JudgeAccuracy:
    return judge_accuracy([label.person for label in labels], [label.judge for label in labels])


def _rate(share: Share) -> Rate:
    return Rate(value=share.value, interval=share.interval, n=share.n)


def share_of(hits: int, n: int) -> Rate:
    """Return a share with Wilson's interval; without observations it has no value."""
    if n == 0:
        return Rate(value=None)
    low, high = wilson_interval(hits, n)
    interval = Interval(low=low, high=high, method="wilson")
    return Rate(value=hits / n, interval=interval, n=n)
