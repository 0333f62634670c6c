"""Writes down what a run came to: the Run record, the versions in the registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from promptyard.line.context import LineContext
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.records.prompts import Program
from promptyard.records.runs import Run
from promptyard.records.scores import GradedCase, Report
from promptyard.records.verdicts import PairedReport, Verdict
from promptyard.records.versions import PromptVersion
from promptyard.registry.blame import standing
from promptyard.release.folding import returned_unproven
from promptyard.signals.buckets import bucket_failures
from promptyard.signals.evidence import confusions, target_counts
from promptyard.stats.quick_look import paired_z

MAX_NAIVE_CANDIDATES = 24
"""A naive search would not evaluate more candidates than this on everything."""

DEV_LEANS_Z = 1.28
"""A served prompt rests on few cases, chosen among several looks: of 400 searches in a world where
nothing helps 36 served one that dev saw a little ahead, and 10 one that dev leaned to by this."""

ENDED_EARLY = "the search ended early"
RESTS_ON_TRAIN = (
    "The budget paid no look at dev: the best prompt beat the baseline on unseen train cases only."
)


def keep_baseline(sentence: str) -> Verdict:
    """The verdict of a run in which no claim was made: nothing was measured on the holdout."""
    return Verdict(status="inconclusive", sentence=sentence)


def why_no_finalist(context: LineContext) -> str:
    """Say in one sentence why nobody meets the holdout; the baseline is kept."""
    kept = "the holdout stays sealed and the baseline is kept"
    ended = next((note for note in context.trail.notes if note.startswith(ENDED_EARLY)), None)
    if ended is not None:
        return f"T{ended[1:]}; no finalist was found until then, {kept}."
    if len(context.trail.evaluated) <= 1:  # the baseline itself
        reasons = Counter(item.reason for item in context.trail.rejections)
        most = f" ({reasons.most_common(1)[0][0]})" if reasons else ""
        return f"No usable candidate was proposed{most}, so {kept}."
    return f"No candidate beat the baseline on dev, so {kept}."


def best_so_far(context: LineContext) -> Candidate | None:
    """Return the best candidate of the last finished dev stage, where the search was cut short."""
    for stage in ("full", "regress"):
        outcome = context.trail.outcomes.get(stage)
        if outcome is not None and outcome.kept:
            row = next(
                row for row in outcome.summary.rows if row.candidate_id == outcome.kept[0].id
            )
            return outcome.kept[0] if (row.difference or 0) > 0 else None
    return None


def result_of(
    task: Task,
    session: Session,
    context: LineContext,
    finalist: Candidate | None,
    pair: PairedReport | None,
    verdict: Verdict,
    search_task_calls: int,
) -> Run:
    """Fold the trail of a run into its result."""
    trail = context.trail
    holdout = task.eval_set.split("holdout")
    best = finalist if finalist and is_best(context, finalist, pair, verdict, holdout) else None
    if best is not None and verdict.status == "inconclusive":
        verdict = returned_unproven(verdict)
    judged = holdout or task.eval_set.split("dev")
    before, pairs_before = trail.evidence.buckets, trail.evidence.confusions
    after: Sequence[Bucket] = ()
    pairs_after: Sequence[ConfusionPair] = ()
    if pair is not None and finalist is not None:
        before, pairs_before = _failures(pair.baseline, judged, task, task.program)
        after, pairs_after = _failures(pair.candidate, judged, task, finalist.program)
    n_candidates = len(trail.evaluated)
    n_search_cases = len(task.eval_set.cases) - len(holdout)
    return Run(
        header=session.header,
        status="finished",
        baseline=task.program,
        best=best.program if best else task.program,
        finalist=finalist.program if finalist else None,
        verdict=verdict,
        decision=pair,
        stages=tuple(trail.stages),
        history=tuple(trail.history),
        rejections=tuple(trail.rejections),
        buckets_before=tuple(before),
        buckets_after=tuple(after),
        confusions_before=tuple(pairs_before),
        confusions_after=tuple(pairs_after),
        spent=session.ledger.spent,
        search_task_calls=search_task_calls,
        naive_task_calls=min(n_candidates, MAX_NAIVE_CANDIDATES)
        * n_search_cases
        * len(task.program.steps),
        n_candidates=n_candidates,
        served=tuple(trail.served),
        origins=trail.origins.get(finalist.id, ()) if finalist else (),
        verdict_split=None if pair is None else "holdout" if holdout else "dev",
        credits=tuple(trail.credits),
        traps=tuple(dict.fromkeys(trail.traps)),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=tuple(trail.notes),
    )


def is_best(
    context: LineContext,
    finalist: Candidate,
    pair: PairedReport | None,
    verdict: Verdict,
    holdout: Sequence[Case],
) -> bool:
    """Say whether the finalist is returned as the best prompt of the run.

    With a holdout only what passed is. Without one, what the search served on unseen cases is
    returned also where dev could not prove it, if dev leans to it by `DEV_LEANS_Z`.
    """
    if verdict.status == "pass" or holdout:
        return verdict.status == "pass"
    served = any(point.program.id == finalist.id for point in context.trail.served)
    return served and verdict.status != "fail" and (pair is None or _dev_leans_to(pair))


def _dev_leans_to(pair: PairedReport) -> bool:
    before = pair.baseline.by_case()
    differences = [
        trial.score - other.score
        for trial in pair.candidate.trials
        if (other := before.get(trial.case_id)) is not None
        and trial.score is not None
        and other.score is not None
    ]
    z = paired_z(differences)
    return z is not None and z >= DEV_LEANS_Z


def _failures(
    report: Report, cases: Sequence[Case], task: Task, program: Program
) -> tuple[tuple[Bucket, ...], tuple[ConfusionPair, ...]]:
    by_id = {case.id: case for case in cases}
    graded = [GradedCase(case=by_id[trial.case_id], trial=trial) for trial in report.trials]
    return bucket_failures(graded, program, task.targets), confusions(graded)


async def register(task: Task, session: Session, run: Run) -> Run:
    """Register the baseline, and what is returned in its place; returns the run with the version.

    Registering the same program again gives the version it already has. The finalist keeps the
    origins of the version that it was made from, for the sentences that still stand.
    """
    pair, decided = run.decision, run.verdict.model_dump(mode="json")
    seed = await session.store.add_version(
        PromptVersion(
            name=task.name,
            number=0,
            digest=task.program.id,
            program=task.program,
            author="seed",
            run_id=session.header.id,
            scores=_scores(pair.baseline if pair else None),
            buckets=target_counts(run.buckets_before),
            eval_set_version=task.eval_set.version,
            status="seed",
        )
    )
    if run.best.id == task.program.id:
        return run.model_copy(update={"version": seed.number})
    hypothesis = next(
        (entry.hypothesis for entry in run.history if entry.candidate_id == run.best.id), ""
    )
    generator = next(
        (entry.generator for entry in run.history if entry.candidate_id == run.best.id), "auto"
    )
    winner = await session.store.add_version(
        PromptVersion(
            name=task.name,
            number=0,
            digest=run.best.id,
            program=run.best,
            author=f"promptyard/{session.header.strategy}/{generator}",
            parent=seed.number,
            run_id=session.header.id,
            hypothesis=hypothesis,
            scores=_scores(pair.candidate if pair else None),
            buckets=target_counts(run.buckets_after),
            eval_set_version=task.eval_set.version,
            status="passed" if run.verdict.status == "pass" else "inconclusive",
            verdict=decided,
            origins=standing((*run.origins, *seed.origins), run.best),
        )
    )
    return run.model_copy(update={"version": winner.number})


def _scores(report: Report | None) -> dict[str, float]:
    if report is None or report.score is None:
        return {}
    scores = {report.split: report.score}
    for summary in report.summaries:
        if summary.name not in ("score",):
            scores[f"{report.split}.{summary.name}"] = summary.mean
    return {str(name): value for name, value in scores.items()}
