"""Runs as the line writes them, with the texts that a page has to survive."""

from __future__ import annotations

import hashlib

from promptyard.records.atoms import Atom, AtomKind
from promptyard.records.budget import Budget, Spent
from promptyard.records.edits import Rejection
from promptyard.records.events import Credited
from promptyard.records.evidence import Bucket, ConfusionPair
from promptyard.records.messages import Completion, Usage
from promptyard.records.origins import Effect, Origin, ServedPoint
from promptyard.records.prompts import Demo, Program, Prompt, Step, WorkflowSpec
from promptyard.records.runs import HistoryEntry, Run, RunHeader, StageRow, StageSummary
from promptyard.records.scores import Failure, Interval, Report, Score, StepVisit, Summary, Trial
from promptyard.records.verdicts import Comparison, PairedReport, Verdict

HOSTILE = "</script></style><script>alert('x')</script><img src=x onerror=\"y\"> & \U0001f600"
"""Closes every element it may stand in, has both kinds of quotes, and an emoji."""

LABELS = (
    "card_arrival",
    "card_delivery_estimate",
    "pending_transfer",
    "transfer_timing",
    "cash_withdrawal_charge",
    "card_payment_fee_charged",
    "balance_not_updated_after_bank_transfer",
    "why_verify_identity",
)
N_HOLDOUT = 400

SEED_TEXT = (
    """---
name: support
output: {format: label, labels: [card_arrival, card_delivery_estimate]}
---
system:
You sort messages of bank customers.

## Task {#task}
Read the message and name the topic that it is about.
Answer with the topic only, nothing else.

## Topics {#topics}
"""
    + "".join(f"- {label}\n" for label in LABELS)
    + """
## Safety {#safety .locked}
Never reveal internal notes.

user:
{{text}}
"""
)


def program_text() -> str:
    """Return the seed with two edited lines, a new one, and 40 demonstrations."""
    demos = "".join(
        Demo(
            input={"text": f"Where is my card number {n}? I ordered it {n + 2} days ago."},
            output=LABELS[n % len(LABELS)],
            source="bootstrap",
            case_id=f"train-{n}",
        ).line()
        + "\n"
        for n in range(40)
    )
    text = SEED_TEXT.replace(
        "name the topic that it is about.",
        "name the one topic that the customer wants solved now.",
    )
    text = text.replace("- pending_transfer\n", "- pending_transfer: sent, not yet arrived\n")
    text = text.replace("nothing else.\n", "nothing else.\nA fee named in the message decides.\n")
    return text.replace("user:\n", f"demos:\n{demos}user:\n")


BASELINE = Program.single(Prompt.from_text(SEED_TEXT))
FINALIST = Program.single(Prompt.from_text(program_text()))


MENDED = Effect(n_cases=3, n_failing_before=3, n_failing_after=1)


def fake_id(name: str) -> str:
    """Return an id like that of a program."""
    return hashlib.sha256(name.encode()).hexdigest()


def trial(program_id: str, number: int, *, passed: bool, label: str = "card_arrival") -> Trial:
    """Make a graded trial of one holdout case."""
    completion = Completion(
        text=label,
        usage=Usage(input_tokens=180, output_tokens=4),
        latency_s=0.4,
        cost_usd=0.00011,
    )
    score = Score(
        metric="equals",
        value=float(passed),
        tags=() if passed else ("wrong_value",),
        label=label,
        dimension="accuracy",
    )
    return Trial(
        program_id=program_id,
        case_id=f"holdout-{number}",
        split="holdout",
        status="scored",
        score=float(passed),
        passed=passed,
        output=label,
        visits=(StepVisit(step="main", completion=completion),),
        scores=(score,),
    )


def report(program: Program, n_passed: int, *, n_cases: int = N_HOLDOUT) -> Report:
    """Make a holdout report in which the first `n_passed` cases pass."""
    mean = n_passed / n_cases
    interval = Interval(low=mean - 0.04, high=mean + 0.04, method="wilson")
    return Report(
        program_id=program.id,
        eval_set_version="5f0c6c1d2e3b4a59",
        split="holdout",
        trials=tuple(trial(program.id, n, passed=n < n_passed) for n in range(n_cases)),
        n_scored=n_cases,
        n_errors=0,
        n_unscored=0,
        coverage=1.0,
        score=mean,
        summaries=(
            Summary(name="score", mean=mean, interval=interval, n_cases=n_cases),
            Summary(name="accuracy", mean=mean, interval=interval, n_cases=n_cases),
            Summary(name="latency_s", mean=0.412, n_cases=n_cases, p50=0.39, p95=0.88),
        ),
        suite={"macro_f1": 0.61},
    )


def comparisons(n_before: int, n_after: int, low: float, high: float) -> tuple[Comparison, ...]:
    """Compare all eight dimensions; the score and accuracy by the counts given."""
    before, after = n_before / N_HOLDOUT, n_after / N_HOLDOUT
    better = low > 0
    interval = Interval(low=low, high=high, method="tango")

    def guarded(name: str, first: float, second: float, spread: float) -> Comparison:
        difference = round(second - first, 6)
        inside = difference - spread > -0.03
        return Comparison(
            dimension=name,
            rule="non_inferiority",
            status="pass" if inside else "inconclusive",
            n_cases=N_HOLDOUT,
            baseline_mean=first,
            candidate_mean=second,
            difference=difference,
            interval=Interval(low=difference - spread, high=difference + spread, method="b"),
            p_value=0.4,
            margin=0.03,
            sentence=f"{name}: not worse by more than 3 points",
        )

    def quantity(name: str, first: float, second: float, spread: float) -> Comparison:
        difference = second - first
        return Comparison(
            dimension=name,
            rule="report",
            status="pass",
            n_cases=N_HOLDOUT,
            baseline_mean=first,
            candidate_mean=second,
            difference=difference,
            interval=Interval(low=difference - spread, high=difference + spread, method="b"),
            sentence=f"{name}: reported, not gated",
        )

    return (
        Comparison(
            dimension="score",
            rule="superiority",
            status="pass" if better else "inconclusive",
            n_cases=N_HOLDOUT,
            baseline_mean=before,
            candidate_mean=after,
            difference=(n_after - n_before) / N_HOLDOUT,
            interval=interval,
            p_value=0.0000021 if better else 0.31,
            fixed=74,
            broken=74 - (n_after - n_before),
            sentence="score: better",
        ),
        guarded("accuracy", before, after, 0.05),
        guarded("validity", 0.9825, 0.9975, 0.012),
        guarded("safety", 1.0, 1.0, 0.01),
        guarded("judge", 0.8125, 0.8075, 0.021),
        quantity("latency_s", 0.412, 0.4473, 0.011),
        quantity("tokens", 184.0, 1422.5, 6.0),
        quantity("cost_usd", 0.000108, 0.000419, 0.00002),
    )


def bucket(
    expected: str | None, n_cases: int, *, tag: str = "wrong_value", field: str | None = None
) -> Bucket:
    """Make a bucket of `n_cases` cases, all of them primary."""
    ids = tuple(f"{tag}-{field}-{expected}-{n}" for n in range(n_cases))
    return Bucket(tag=tag, field=field, expected=expected, case_ids=ids, primary_ids=ids)


def stages() -> tuple[StageSummary, ...]:
    """Make the four stages: twelve screened, five regressed, three in full, one decided."""
    screened = tuple(
        StageRow(
            candidate_id=fake_id(f"screen-{n}"),
            generator=("reflect", "demos")[n % 3 == 2],
            n_cases=16 if n % 3 != 2 else 48,
            score=min(1.0, 0.05 * n + 0.1),
            baseline_score=0.0 if n % 3 != 2 else 0.5,
            difference=min(1.0, 0.05 * n + 0.1) - (0.0 if n % 3 != 2 else 0.5),
            status="kept" if n not in (0, 2, 5) else "dropped",
            reason="+0.31 on its failure slice",
        )
        for n in range(12)
    )

    def on_dev(stage: str, n: int, n_cases: int, score: float, *, kept: bool) -> StageRow:
        return StageRow(
            candidate_id=FINALIST.id if n == 0 else fake_id(f"{stage}-{n}"),
            generator="combine" if n < 3 else "reflect",
            n_cases=n_cases,
            score=score,
            baseline_score=0.525,
            difference=score - 0.525,
            status="kept" if kept else "dropped",
            reason=f"{100 * (score - 0.525):+.1f} points, bar -3.0",
        )

    regressed = (
        on_dev("regress", 0, 80, 0.675, kept=True),
        on_dev("regress", 1, 80, 0.65, kept=True),
        on_dev("regress", 2, 80, 0.6, kept=True),
        on_dev("regress", 3, 40, 0.45, kept=False),
        on_dev("regress", 4, 80, 0.475, kept=False),
    )
    full = (
        on_dev("full", 0, 300, 0.69, kept=True),
        on_dev("full", 1, 300, 0.66, kept=True),
        on_dev("full", 2, 300, 0.51, kept=False),
    )
    decided = StageRow(
        candidate_id=FINALIST.id,
        generator="combine",
        n_cases=N_HOLDOUT,
        score=0.665,
        baseline_score=0.5525,
        difference=0.1125,
        status="kept",
        reason="measured; the gate decides",
    )
    return (
        _stage("screen", "train", screened, 208, 0),
        _stage("regress", "dev", regressed, 440, 0),
        _stage("full", "dev", full, 912, 288),
        _stage("decide", "holdout", (decided,), 800, 0),
    )


def _stage(
    name: str, split: str, rows: tuple[StageRow, ...], calls: int, cached: int
) -> StageSummary:
    return StageSummary(
        stage=name,
        split=split,
        n_tried=len(rows),
        n_kept=sum(row.status == "kept" for row in rows),
        calls=calls,
        cached_calls=cached,
        rows=rows,
    )


def history() -> tuple[HistoryEntry, ...]:
    """Make the history that belongs to `stages`."""
    calls = 408
    entries = [
        HistoryEntry(
            candidate_id=BASELINE.id,
            generator="seed",
            stage="diagnose",
            n_cases=400,
            score=0.54,
            calls_so_far=calls,
        )
    ]
    for stage in stages():
        calls += stage.calls
        entries += [
            HistoryEntry(
                candidate_id=row.candidate_id,
                generator=row.generator,
                hypothesis=_hypothesis(row),
                stage=stage.stage,
                n_cases=row.n_cases,
                score=row.score,
                calls_so_far=calls,
            )
            for row in stage.rows
        ]
    return tuple(entries)


def _hypothesis(row: StageRow) -> str:
    if row.generator == "demos":
        return "Showing 40 demonstrations (4 a label) teaches what the instructions leave open."
    if row.generator == "combine":
        return (
            "Together: The topics of transfers overlap; saying what has happened to the money so "
            "far tells them apart. Fees are named in the message. Showing 40 demonstrations."
        )
    return "Card arrival and delivery estimate differ in whether the card was already sent."


def header(**changes: object) -> RunHeader:
    """Make a run header."""
    values: dict[str, object] = {
        "id": "20260114-093012-a1b2c3",
        "task": "support-topics",
        "seed": 7,
        "strategy": "auto",
        "eval_set_version": "5f0c6c1d2e3b4a59",
        "baseline_id": BASELINE.id,
        "task_model": "openai/gpt-5-mini at https://api.openai.com/v1",
        "optimizer_model": "anthropic/claude-sonnet-5 at https://api.anthropic.com",
        "budget": Budget(task_calls=4000, optimizer_calls=60, usd=2.0),
        "started_at": "2026-01-14T09:30:12+00:00",
    }
    return RunHeader.model_validate(values | changes)


def served(*leads: float) -> tuple[ServedPoint, ...]:
    """Make the points at which so much of a lead was served, by default three."""
    return tuple(
        ServedPoint(
            calls_so_far=60 + 400 * n, program=FINALIST, n_cases=12 * (n + 1), difference=lead
        )
        for n, lead in enumerate(leads or (0.08, 0.15, 0.12))
    )


def origins() -> tuple[Origin, ...]:
    """Make the origins of the two sentences that a search put into the finalist."""
    kinds: tuple[tuple[AtomKind, str, str, Effect | None], ...] = (
        (
            "replace",
            "Read the message and name the topic that it is about.",
            "Read the message and name the one topic that the customer wants solved now.",
            None,
        ),
        ("insert_after", "", "A fee named in the message decides.", MENDED),
    )
    return tuple(
        Origin(
            atom=Atom(kind=kind, region="task", anchor=anchor, text=text),
            buckets=("label:card_payment_fee_charged",),
            case_ids=("train-1",),
            generator="reflect",
            hypothesis="Fees are named in the message.",
            run_id="20260114-093012-a1b2c3",
            effect=effect,
        )
        for kind, anchor, text, effect in kinds
    )


def credited(bucket: str, before: int, after: int) -> Credited:
    """Make the credit of a bucket on a slice of `before` cases."""
    return Credited(
        bucket=bucket,
        n_cases=before,
        n_failing_before=before,
        n_failing_after=after,
        moved=after < before,
    )


def passed_run() -> Run:
    """Make a run whose finalist passed the gate."""
    return Run(
        header=header(),
        status="finished",
        baseline=BASELINE,
        best=FINALIST,
        finalist=FINALIST,
        verdict=Verdict(
            status="pass",
            comparisons=comparisons(221, 266, 0.0725, 0.1525),
            sentence=(
                "The candidate passes the gate: score: better, +11.2 points (95 % interval +7.2 "
                "to +15.2, p = 2.1e-06, 400 cases)."
            ),
            coverage=1.0,
        ),
        decision=PairedReport(
            baseline=report(BASELINE, 221), candidate=report(FINALIST, 266), looks=1
        ),
        stages=stages(),
        history=history(),
        rejections=(
            Rejection(generator="reflect", code="V2", reason="nothing changes"),
            Rejection(generator="reflect", code="V2", reason="nothing changes"),
            Rejection(generator="demos", code="V2", reason="nothing changes"),
            Rejection(generator="reflect", code="V7", reason="the edit copies case 'train-3'"),
        ),
        buckets_before=(
            *(bucket(label, 34 - 4 * n) for n, label in enumerate(LABELS)),
            bucket(None, 13, tag="invalid_enum", field="topic"),
            bucket(None, 6, tag="refusal"),
        ),
        buckets_after=(
            *(bucket(label, 21 - 2 * n) for n, label in enumerate(LABELS)),
            bucket(None, 2, tag="invalid_enum", field="topic"),
            bucket(None, 2, tag="empty_output"),
        ),
        confusions_before=tuple(
            ConfusionPair(expected=LABELS[n], got=LABELS[n + 1], n_cases=19 - 3 * n)
            for n in range(6)
        ),
        confusions_after=(
            ConfusionPair(expected=LABELS[0], got=LABELS[1], n_cases=8),
            ConfusionPair(expected=LABELS[2], got=LABELS[3], n_cases=9),
            ConfusionPair(expected=LABELS[7], got=LABELS[0], n_cases=5),
        ),
        spent=Spent(
            task_calls=2774,
            optimizer_calls=14,
            judge_calls=0,
            cached_calls=288,
            tokens=1_841_322,
            usd=0.7431,
            unpriced_calls=14,
            seconds=254.2,
            failures={"rate_limited": 6, "timeout": 1},
        ),
        search_task_calls=1968,
        naive_task_calls=14_000,
        n_candidates=18,
        served=served(),
        origins=origins(),
        verdict_split="holdout",
        credits=(
            credited("label:pending_transfer", 2, 2),
            credited("label:pending_transfer", 2, 0),
            credited("label:card_payment_fee_charged", 3, 1),
            credited("invalid_enum", 2, 2),
        ),
        traps=("Always answer with the longest topic.",),
        version=2,
        finished_at="2026-01-14T09:34:26+00:00",
        notes=("the search ended early: the budget of 60 optimizer calls is used up",),
    )


def failed_run() -> Run:
    """Make a run whose finalist lost validity on the holdout and broke a critical case."""
    won = passed_run()
    lost = [
        item.model_copy(
            update={
                "status": "fail",
                "candidate_mean": 0.88,
                "difference": -0.1025,
                "interval": Interval(low=-0.14, high=-0.07, method="b"),
            }
        )
        if item.dimension == "validity"
        else item
        for item in won.verdict.comparisons
    ]
    verdict = Verdict(
        status="fail",
        comparisons=tuple(lost),
        sentence=(
            "The candidate fails the gate: critical cases broken: refund-17; validity: worse by "
            "more than 3 points (lower bound -13.4)."
        ),
        reasons=("critical cases broken: refund-17", "validity: worse by more than 3 points"),
        critical_regressions=("refund-17",),
        coverage=1.0,
    )
    return won.model_copy(update={"verdict": verdict, "best": BASELINE, "version": 1})


def undecided_run() -> Run:
    """Make a run in which no candidate reached the holdout."""
    run = passed_run()
    return run.model_copy(
        update={
            "best": BASELINE,
            "finalist": None,
            "decision": None,
            "verdict_split": None,
            "served": (),
            "origins": (),
            "verdict": Verdict(
                status="inconclusive",
                sentence=(
                    "No candidate beat the baseline on dev, so the holdout stays sealed and the "
                    "baseline is kept."
                ),
            ),
            "stages": run.stages[:2],
            "history": tuple(e for e in run.history if e.stage in ("diagnose", "screen")),
            "buckets_after": (),
            "confusions_after": (),
            "version": 1,
        }
    )


def dev_run() -> Run:
    """Make a run of a task without a holdout: its verdict rests on dev."""
    return passed_run().model_copy(update={"verdict_split": "dev"})


def empty_run() -> Run:
    """Make a run with nothing in it but its header and its baseline."""
    return Run(
        header=header(),
        status="finished",
        baseline=BASELINE,
        best=BASELINE,
        verdict=Verdict(status="inconclusive", sentence="No candidate was proposed."),
        spent=Spent(),
    )


def hostile_run() -> Run:
    """Make a run in which every free text is hostile."""
    run = passed_run()
    text = SEED_TEXT.replace("You sort messages", f"{HOSTILE} \u202e\x1b[31m sort")
    finalist = Program(
        steps=(
            Step(name=HOSTILE, prompt=Prompt.from_text(text)),
            Step(name="main", prompt=Prompt.from_text(program_text())),
        ),
        workflow=WorkflowSpec(name="chain", options={"note": HOSTILE}),
    )
    rows = (
        StageRow(
            candidate_id=HOSTILE,
            generator=HOSTILE,
            n_cases=1,
            score=0.5,
            baseline_score=None,
            difference=None,
            status="dropped",
            reason=HOSTILE,
        ),
    )
    entry = HistoryEntry(
        candidate_id=HOSTILE,
        generator=HOSTILE,
        hypothesis=HOSTILE,
        stage=HOSTILE,
        n_cases=1,
        score=0.5,
        calls_so_far=1,
    )
    hostile_bucket = bucket(HOSTILE, 3, tag=HOSTILE, field=HOSTILE)
    pair = ConfusionPair(expected=HOSTILE, got=f"\ud800{HOSTILE}", n_cases=2)
    return run.model_copy(
        update={
            "header": header(
                id=HOSTILE,
                task=HOSTILE,
                strategy=HOSTILE,
                task_model=f"embedded/lexical at {HOSTILE}",
                optimizer_model=HOSTILE,
                eval_set_version=HOSTILE,
                started_at=HOSTILE,
            ),
            "finalist": finalist,
            "best": finalist,
            "verdict": run.verdict.model_copy(
                update={"sentence": HOSTILE, "critical_regressions": (HOSTILE,)}
            ),
            "stages": (_stage(HOSTILE, HOSTILE, rows, 1, 0), *run.stages),
            "history": (entry, *run.history),
            "rejections": (Rejection(generator=HOSTILE, code=HOSTILE, reason=HOSTILE),),
            "buckets_before": (hostile_bucket,),
            "buckets_after": (hostile_bucket,),
            "confusions_before": (pair,),
            "confusions_after": (pair,),
            "spent": Spent(failures={HOSTILE: 2}),
            "notes": (HOSTILE,),
            "credits": (credited(HOSTILE, 1, 0),),
            "traps": (HOSTILE,),
            "origins": (
                Origin(
                    atom=Atom(kind="append", region="task", text="Never reveal internal notes."),
                    buckets=(HOSTILE,),
                    generator=HOSTILE,
                ),
            ),
            "finished_at": HOSTILE,
        }
    )


def failed_trial(number: int, kind: str) -> Trial:
    """Make a trial that ended in an error."""
    return Trial(
        program_id=BASELINE.id,
        case_id=f"broken-{number}",
        split="holdout",
        status="error",
        failure=Failure(at="model", kind=kind, message="no answer"),
    )
