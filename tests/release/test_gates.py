"""Every gate of the table is under contract; ceilings, targets, certificates see what they must."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptyard.protocols import Gate
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, Usage
from promptyard.records.scores import (
    CheckSummary,
    GradedCase,
    JudgeSummary,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.records.verdicts import Ceiling, GateSettings, PairedReport, Verdict
from promptyard.release import GATES
from promptyard.release.folding import judge_by_all, worst
from promptyard.runner.summarize import summarize
from promptyard.testing.gate_contract import GateContract, SuperiorityGateContract

CALIBRATED = JudgeSummary(model="j", prompt_hash="h", certificate="c1")
UNKNOWN = JudgeSummary(model="j", prompt_hash="h")


def cases_of(n: int) -> list[Case]:
    return [Case(id=f"c{number}", input={"x": str(number)}, split="holdout") for number in range(n)]


def report(
    n: int,
    *,
    latency_s: Sequence[float] = (),
    cost_usd: Sequence[float] = (),
    tokens: int = 10,
    tags: Sequence[tuple[str, str | None] | None] = (),
    judge: JudgeSummary | None = None,
) -> Report:
    """A report in which case number k has the k-th latency, cost, and tag with its field."""
    graded: list[GradedCase] = []
    for number, case in enumerate(cases_of(n)):
        found = tags[number] if tags else None
        completion = Completion(
            text="x",
            latency_s=latency_s[number] if latency_s else 0.1,
            cost_usd=cost_usd[number] if cost_usd else 0.001,
            usage=Usage(input_tokens=tokens),
        )
        score = Score(
            metric="m",
            value=0.0 if found else 1.0,
            tags=(found[0],) if found else (),
            field=found[1] if found else None,
        )
        trial = Trial(
            program_id="p",
            case_id=case.id,
            split="holdout",
            status="scored",
            score=score.value,
            passed=score.value == 1.0,
            visits=(StepVisit(step="main", completion=completion),),
            scores=(score,),
        )
        graded.append(GradedCase(case=case, trial=trial))
    made = summarize("p", "v1", "holdout", graded, {})
    if judge is None:
        return made
    check = CheckSummary(metric="rubric", dimension="judge", severity="soft", judge=judge)
    return made.model_copy(update={"checks": (*made.checks, check)})


def judged(
    gate: str, candidate: Report, settings: GateSettings, baseline: Report | None = None
) -> Verdict:
    n = len(candidate.trials)
    pair = PairedReport(baseline=baseline or report(n), candidate=candidate, prompt_chars=900)
    return GATES[gate]().judge(pair, cases_of(n), settings)


def with_ceilings(**ceilings: float) -> GateSettings:
    return GateSettings.model_validate({"ceilings": ceilings})


class TestCeilingGate(GateContract):
    settings = with_ceilings(prompt_chars=1000)

    def gate(self) -> Gate:
        return GATES["ceilings"]()

    def pair(self, before: Sequence[bool | None], after: Sequence[bool | None]) -> PairedReport:
        length = 500 if after == self.sound else 1500
        return super().pair(before, after).model_copy(update={"prompt_chars": length})


class TestTargetGate(SuperiorityGateContract):
    settings = GateSettings(targets=("wrong_value",))

    def gate(self) -> Gate:
        return GATES["targets"]()


class TestCertificateGate(GateContract):
    def gate(self) -> Gate:
        return GATES["certificates"]()

    def pair(self, before: Sequence[bool | None], after: Sequence[bool | None]) -> PairedReport:
        judge = CALIBRATED if after == self.sound else UNKNOWN
        return PairedReport(baseline=report(2, judge=CALIBRATED), candidate=report(2, judge=judge))


def test_every_gate_of_the_table_is_under_contract() -> None:
    assert set(GATES) == {"holdout", "targets", "ceilings", "certificates"}


@pytest.mark.parametrize(
    ("name", "ceiling", "candidate", "status"),
    [
        ("latency_p95_s", 1.0, report(100, latency_s=[0.5] * 100), "pass"),
        ("latency_p95_s", 1.0, report(100, latency_s=[2.0] * 20 + [0.5] * 80), "fail"),
        ("latency_p95_s", 1.0, report(100, latency_s=[2.0] * 5 + [0.5] * 95), "inconclusive"),
        ("latency_p95_s", 1.0, report(20, latency_s=[0.5] * 20), "inconclusive"),
        ("cost_usd", 0.01, report(50, cost_usd=[0.002, 0.004] * 25), "pass"),
        ("cost_usd", 0.01, report(50, cost_usd=[0.02, 0.04] * 25), "fail"),
        ("cost_usd", 0.01, report(50, cost_usd=[0.001, 0.0185] * 25), "inconclusive"),
        ("tokens", 10, report(50, tokens=10), "pass"),
        ("tokens", 9, report(50, tokens=10), "fail"),
        ("cost_usd", 0.01, report(1, cost_usd=[0.001]), "inconclusive"),
        ("tokens", 10, report(1, tokens=1), "inconclusive"),
        ("prompt_chars", 900, report(5), "pass"),
        ("prompt_chars", 899, report(5), "fail"),
    ],
)
def test_a_ceiling_is_kept_broken_or_open_by_its_interval(
    name: Ceiling, ceiling: float, candidate: Report, status: str
) -> None:
    verdict = judged("ceilings", candidate, with_ceilings(**{name: ceiling}))
    assert verdict.status == status
    assert name in verdict.sentence
    assert f"{ceiling:g}" in verdict.sentence


def test_a_ceiling_on_what_nobody_measured_is_not_kept() -> None:
    pair = PairedReport(baseline=report(5), candidate=report(5))
    verdict = GATES["ceilings"]().judge(pair, cases_of(5), with_ceilings(prompt_chars=10_000))
    assert verdict.status == "inconclusive"


def test_without_ceilings_targets_and_judges_these_gates_let_everything_pass() -> None:
    for gate in ("ceilings", "targets", "certificates"):
        assert judged(gate, report(5), GateSettings()).status == "pass"


MISSING: tuple[str, str | None] = ("missing_event", "event")


def test_target_failures_must_become_fewer_on_all_cases() -> None:
    settings = GateSettings(targets=("missing_event",))
    before = report(100, tags=[MISSING] * 30 + [None] * 70)
    assert judged("targets", report(100), settings, before).status == "pass"
    verdict = judged("targets", before, settings, before)
    assert verdict.status == "inconclusive"
    more = report(100, tags=[MISSING] * 60 + [None] * 40)
    assert judged("targets", more, settings, before).status == "fail"
    assert "30 cases before and 60 after" in judged("targets", more, settings, before).sentence


def test_a_target_may_name_the_field_and_other_failures_do_not_count() -> None:
    before = report(100, tags=[MISSING] * 30 + [None] * 70)
    for target, status in (
        ("missing_event:event", "pass"),
        ("missing_event:date", "inconclusive"),
        ("wrong_value", "inconclusive"),
    ):
        settings = GateSettings(targets=(target,))
        assert judged("targets", report(100), settings, before).status == status, target


def test_a_judge_without_certificate_holds_a_release_up_unless_it_is_only_noted() -> None:
    candidate = report(5, judge=UNKNOWN)
    verdict = judged("certificates", candidate, GateSettings())
    assert verdict.status == "inconclusive"
    assert "judge calibrate" in verdict.sentence
    assert judged("certificates", candidate, GateSettings(certificates="noted")).status == "pass"
    assert judged("certificates", report(5, judge=CALIBRATED), GateSettings()).status == "pass"


def test_one_failing_gate_fails_all_and_an_open_one_leaves_all_open() -> None:
    assert worst(["pass", "inconclusive", "fail"]) == "fail"
    assert worst(["pass", "inconclusive"]) == "inconclusive"
    assert worst(["pass", "pass"]) == "pass"
    gates = {name: GATES[name]() for name in ("ceilings", "certificates")}
    pair = PairedReport(baseline=report(5), candidate=report(5, judge=UNKNOWN), prompt_chars=2_000)
    settings = with_ceilings(prompt_chars=1_000)
    verdict, findings = judge_by_all(gates, pair, cases_of(5), settings)
    assert verdict.status == "fail"
    assert [(item.gate, item.status) for item in findings] == [
        ("ceilings", "fail"),
        ("certificates", "inconclusive"),
    ]
    assert "[ceilings]" in verdict.sentence
    assert "[certificates]" not in verdict.sentence
    assert judge_by_all({}, pair, cases_of(5), settings)[0].status == "inconclusive"
