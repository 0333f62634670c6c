"""An evaluation as everything that a person asks of it; terminal, page and JSON draw the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from promptyard.errors import Advised
from promptyard.records.base import Json, Record
from promptyard.records.cases import Case
from promptyard.records.evaluations import Evaluation
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.records.scores import CheckSummary, Report, Trial
from promptyard.reports.can_show import CanShow, can_show
from promptyard.reports.figures import counted
from promptyard.reports.plain import comparison_data, report_summary, sayable
from promptyard.reports.rates import Rates, rates
from promptyard.reports.slices import Slice, slices
from promptyard.runner.summarize import case_values

MOST_FAILING = 50
OUTPUT_CHARS = 600


class FailingCase(Record):
    """A case that failed or has no score: what it asked, what was wanted, what came."""

    case_id: str
    status: str
    score: float | None
    input: Mapping[str, Json]
    expected: Json
    output: str
    findings: tuple[tuple[str, str], ...]


class EvaluationView(Record):
    """All that is shown of an evaluation.

    `buckets` (the one of most cases first) and `confusions` are of the failing cases, `failing`
    holds at most 50 of the `n_failing` cases that failed or have no score.
    """

    evaluation: Evaluation
    rates: Rates
    slices: tuple[Slice, ...]
    buckets: tuple[Bucket, ...]
    confusions: tuple[ConfusionPair, ...]
    can_show: CanShow
    failing: tuple[FailingCase, ...]
    n_failing: int

    @property
    def report(self) -> Report:
        """The report of the program that was measured."""
        return self.evaluation.report

    @property
    def n_cases(self) -> int:
        """How many cases were measured, replicates counted once."""
        return len({trial.case_id for trial in self.report.trials})

    @property
    def part(self) -> str:
        """Which part of the eval set was measured: `dev: 18 of 50 cases (train 15, holdout 17)`."""
        split, sizes = self.report.split, self.evaluation.n_by_split
        n_all = sum(sizes.values())
        n_split = n_all if split == "all" else sizes.get(split, 0)
        if not n_split:
            return f"{split}: {counted(self.n_cases, 'case')}"
        others = ", ".join(f"{name} {n:,}" for name, n in sizes.items() if n and name != split)
        beside = f" ({others})" if others else ""
        if self.n_cases < n_split != n_all:
            return (
                f"{split}: {self.n_cases:,} of its {n_split:,} cases, of {n_all:,} in all{beside}"
            )
        return f"{split}: {self.n_cases:,} of {counted(n_all, 'case')}{beside}"

    @property
    def not_run(self) -> str:
        """How many cases were left out, and how to run them; empty where all were measured."""
        split, sizes = self.report.split, self.evaluation.n_by_split
        n_all = sum(sizes.values())
        n_split = n_all if split == "all" else sizes.get(split, 0)
        if not n_split or self.n_cases >= n_all:
            return ""
        ways: list[str] = []
        told: list[str] = []  # the same over HTTP
        if self.n_cases < n_split:
            of_split = "" if split == "all" else f" of {split}"
            takes = f"the run takes all {n_split:,}{of_split}"
            ways.append(f"without --filter-failing {takes}")
            told.append(f"without `only_failing_of` {takes}")
        if n_split < n_all:
            verb = "all" if ways else "runs all"
            looks = split != "holdout" and sizes.get("holdout")
            look = ", which counts as a look at the holdout" if looks else ""
            ways.append(f"`--split all` {verb} {n_all:,}{look}")
            told.append(f"the split `all` {verb} {n_all:,}{look}")
        left = counted(n_all - self.n_cases, "case")
        said = f"Not run: {left}; "
        return Advised(said, f"{', and '.join(ways)}.", f"{', and '.join(told)}.")

    @property
    def answers(self) -> str:
        """How many answers differ from the baseline's, for a person; empty without a baseline."""
        found, before = self.evaluation.answers, self.evaluation.baseline
        if found is None or before is None or not found.n_compared:
            return ""
        if found.n_changed:
            return f"Answers that differ: {found.n_changed:,} of {found.n_compared:,}."
        if before.program_id == self.report.program_id:
            return "No answer differs; the prompt is the same."
        n = f"{found.n_compared:,}"
        return f"No answer differs: the other prompt was answered alike in all {n} cases."


def evaluation_view(
    evaluation: Evaluation,
    cases: Sequence[Case],
    *,
    buckets: Sequence[Bucket] = (),
    confusions: Sequence[ConfusionPair] = (),
    pass_at: float = 1.0,
) -> EvaluationView:
    """Gather what is shown of an evaluation; those that were measured are among `cases`."""
    report = evaluation.report
    values = case_values(report, "score")
    by_case = report.by_case()
    measured = [case for case in cases if case.id in by_case]
    failing = [case for case in measured if values.get(case.id, -1.0) < pass_at]
    ranked = sorted(failing, key=lambda case: values.get(case.id, -1.0))
    return EvaluationView(
        evaluation=evaluation,
        rates=rates(report),
        slices=slices(measured, values, pass_at=pass_at),
        buckets=tuple(sorted(buckets, key=lambda item: -len(item.case_ids))),
        confusions=tuple(confusions),
        can_show=can_show(measured, values),
        failing=_failing_cases(report, ranked[:MOST_FAILING], values),
        n_failing=len(failing),
    )


def evaluation_data(view: EvaluationView) -> dict[str, Json]:
    """Write an evaluation as plain JSON data, for `--json` and other programs.

    Scores are fractions in [0, 1]; what was not measured is None.
    """
    evaluation = view.evaluation
    found = view.rates
    verdict = evaluation.verdict
    data: dict[str, Json] = {
        **report_summary(evaluation.report, buckets=view.buckets),
        "run_id": evaluation.run_id,
        "task": evaluation.task,
        "task_model": evaluation.model,
        "judge_model": evaluation.judge_model or None,
        "measured": view.part,
        "not_run": view.not_run or None,
        "n_by_split": dict(evaluation.n_by_split),
        "n_repeats": evaluation.n_repeats,
        "checks": [_check(item) for item in evaluation.report.checks],
        "rates": {
            "truncated": found.share(found.n_truncated),
            "refused": found.share(found.n_refused),
            "errors": found.share(found.n_errors),
            "unscored": found.share(found.n_unscored),
            "judge_flips": found.judge_flip_rate,
            "n_skipped_checks": found.n_skipped,
        },
        "skips": dict(found.skips),
        "slices": [item.model_dump(mode="json") | {"name": item.name} for item in view.slices],
        "detectable": [item.model_dump(mode="json") for item in view.can_show.detectable],
        "smallest_difference": view.can_show.smallest,
        "can_show": view.can_show.sentence,
        "unstable_cases": list(evaluation.unstable),
        "failing_cases": [item.case_id for item in view.failing],
        "n_failing": view.n_failing,
        "compared_with": evaluation.compared_with or None,
        "baseline_score": evaluation.baseline.score if evaluation.baseline else None,
        "verdict": None if verdict is None else verdict.status,
        "sentence": None if verdict is None else verdict.sentence,
        "comparisons": []
        if verdict is None
        else [comparison_data(item) for item in verdict.comparisons],
        "n_answers_compared": evaluation.answers.n_compared if evaluation.answers else None,
        "n_answers_changed": evaluation.answers.n_changed if evaluation.answers else None,
        "flips": [item.model_dump(mode="json") for item in evaluation.flips],
        "spent": evaluation.spent.model_dump(mode="json"),
        "notes": list(evaluation.notes),
    }
    return cast("dict[str, Json]", sayable(data))


def _check(item: CheckSummary) -> dict[str, Json]:
    return item.model_dump(mode="json") | {
        "calibrated": None if item.judge is None else item.judge.certificate is not None
    }


def _failing_cases(
    report: Report, cases: Sequence[Case], values: Mapping[str, float]
) -> tuple[FailingCase, ...]:
    """Write out cases, each by one replicate: one without a score first, then the lowest."""
    trials: dict[str, list[Trial]] = {case.id: [] for case in cases}
    for trial in report.trials:
        if trial.case_id in trials:
            trials[trial.case_id].append(trial)
    worst = [min(trials[case.id], key=_rank) for case in cases]
    return tuple(_failing(case, trial, values) for case, trial in zip(cases, worst, strict=True))


def _rank(trial: Trial) -> float:
    return -1.0 if trial.score is None else trial.score


def _failing(case: Case, trial: Trial, values: Mapping[str, float]) -> FailingCase:
    findings = [
        (", ".join(score.tags) + (f" in {score.field}" if score.field else ""), score.reason)
        for score in trial.scores
        if score.value < 1.0
    ]
    findings += [(f"{gap.status}: {gap.kind}", gap.reason) for gap in trial.unmeasured]
    if trial.failure is not None and not trial.unmeasured:
        findings.append((f"{trial.failure.at}: {trial.failure.kind}", trial.failure.message))
    output = trial.output
    return FailingCase(
        case_id=case.id,
        status=trial.status,
        score=values.get(case.id),
        input=case.input,
        expected=case.expected,
        output=output if len(output) <= OUTPUT_CHARS else output[:OUTPUT_CHARS] + "…",
        findings=tuple(findings),
    )
