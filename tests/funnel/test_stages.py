"""The stages: which cases they open, whom they keep, when they stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from promptyard.errors import EvalSetError
from promptyard.funnel import STAGES
from promptyard.funnel.settings import FunnelSettings
from promptyard.protocols import Stage
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Replace, SetDemos, apply_edits
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo, Program
from promptyard.records.runs import StageOutcome
from promptyard.records.scores import Report
from promptyard.signals.evidence import gather
from promptyard.testing.stage_contract import StageContract
from support.stations import graded, label_case, report_of, seed_candidate

BASE = seed_candidate()
LABELS = ("lost_card", "top_up", "top_up_failed")


def cases_of(split: str, n_cases: int) -> list[Case]:
    name = "train" if split == "train" else "dev" if split == "dev" else "holdout"
    return [label_case(f"{split}{n}", f"text {n}", LABELS[n % 3], name) for n in range(n_cases)]


def candidate(text: str, *buckets: str) -> Candidate:
    edit = Replace(section="system", start=17, end=17, old="", text=f" {text}")
    return Candidate(
        program=apply_edits(BASE.program, [edit]),
        parents=(BASE.id,),
        edits=(edit,),
        generator="reflect",
        evidence=buckets,
    )


class Runs:
    """Answers by a rule of (prompt text, case, replicate) and records what was asked."""

    def __init__(self, is_right: Callable[[str, Case, int], bool], split: str) -> None:
        self.is_right = is_right
        self.split = split
        self.calls: list[tuple[str, str, int]] = []

    async def __call__(self, program: Program, cases: Sequence[Case], replicate: int) -> Report:
        text = program.prompt.text
        self.calls += [(program.id, case.id, replicate) for case in cases]
        answers = [
            str(case.expected) if self.is_right(text, case, replicate) else "wrong"
            for case in cases
        ]
        split = cases[0].split or "train"
        return report_of(cases, answers, program.id, split)

    def n_calls(self, program: Candidate) -> int:
        return sum(called == program.id for called, _, _ in self.calls)


def run(
    stage: Stage, candidates: Sequence[Candidate], evidence: Evidence, cases: list[Case], runs: Runs
) -> StageOutcome:
    return asyncio.run(stage.run(candidates, BASE, evidence, cases, runs))


def train_evidence(cases: Sequence[Case], wrong: Callable[[Case], bool]) -> Evidence:
    rows = [graded(c, "wrong" if wrong(c) else str(c.expected)) for c in cases]
    return gather(rows, BASE.program)


def test_screen_runs_a_patch_on_the_failures_of_its_own_buckets_only() -> None:
    cases = cases_of("train", 30)
    evidence = train_evidence(cases, lambda case: case.expected != "top_up")
    good = candidate("good", "wrong_value=lost_card")
    useless = candidate("useless", "wrong_value=top_up_failed")
    runs = Runs(lambda text, case, _: "good" in text, "train")
    outcome = run(STAGES["screen"](FunnelSettings()), [good, useless], evidence, cases, runs)
    assert outcome.kept == (good,)
    opened = {case_id for _, case_id, _ in runs.calls}
    by_id = {case.id: case for case in cases}
    assert {by_id[c].expected for c in opened} == {"lost_card", "top_up_failed"}
    assert runs.n_calls(good) == 6  # each bucket twice, and never fewer than six cases
    assert runs.n_calls(BASE) == 0  # stored rows stand in where the model repeats itself


def test_screen_reruns_the_baseline_on_selected_cases_where_the_model_varies() -> None:
    cases = cases_of("train", 30)
    evidence = train_evidence(cases, lambda case: case.expected == "top_up")
    lucky = candidate("lucky", "wrong_value=top_up")
    runs = Runs(lambda text, case, replicate: True, "train")
    settings = FunnelSettings(stochastic=True)
    outcome = run(STAGES["screen"](settings), [lucky], evidence, cases, runs)
    assert {replicate for called, _, replicate in runs.calls if called == BASE.id} == {1}
    assert outcome.kept == ()  # run again, the baseline passes them too


def test_screen_never_scores_demonstrations_on_cases_that_are_shown() -> None:
    cases = cases_of("train", 30)
    evidence = train_evidence(cases, lambda case: True)
    shown = [Demo(input=dict(c.input), output="x", case_id=c.id) for c in cases[:20]]
    edit = SetDemos(demos=tuple(shown))
    demos = Candidate(
        program=apply_edits(BASE.program, [edit]),
        parents=(BASE.id,),
        edits=(edit,),
        generator="demos",
    )
    runs = Runs(lambda text, case, _: "demos:" in text, "train")
    outcome = run(STAGES["screen"](FunnelSettings()), [demos], evidence, cases, runs)
    assert outcome.kept == (demos,)
    opened = {case_id for _, case_id, _ in runs.calls}
    assert opened == {case.id for case in cases[20:]}


def test_regress_drops_who_breaks_more_than_the_margin_and_stops_early() -> None:
    cases = cases_of("dev", 100)
    breaker, helper = candidate("breaks"), candidate("helps")

    def is_right(text: str, case: Case, replicate: int) -> bool:
        if "breaks" in text:
            return False
        return "helps" in text or case.expected != "top_up"

    runs = Runs(is_right, "dev")
    settings = FunnelSettings(regress_cases=60, block_cases=10)
    outcome = run(STAGES["regress"](settings), [breaker, helper], Evidence(), cases, runs)
    assert outcome.kept == (helper,)
    assert runs.n_calls(helper) == runs.n_calls(BASE) == 60
    assert runs.n_calls(breaker) < 60  # curtailed: it could no longer clear the bar
    rows = {row.candidate_id: row for row in outcome.summary.rows}
    assert "stopped" in rows[breaker.id].reason


def test_regress_drops_who_breaks_a_critical_case_whatever_it_gains() -> None:
    cases = cases_of("dev", 40)
    cases[33] = cases[33].model_copy(update={"critical": True})

    def is_right(text: str, case: Case, replicate: int) -> bool:
        if case.critical:
            return "gains" not in text
        return "gains" in text or case.expected == "top_up"

    gains = candidate("gains")
    runs = Runs(is_right, "dev")
    outcome = run(
        STAGES["regress"](FunnelSettings(block_cases=10)), [gains], Evidence(), cases, runs
    )
    assert outcome.kept == ()
    assert "critical case 'dev33'" in outcome.summary.rows[0].reason
    assert runs.n_calls(gains) == 10  # critical cases come first


def test_full_keeps_only_who_is_above_the_baseline_best_first() -> None:
    cases = cases_of("dev", 60)
    shares = {"one": 40, "two": 50, "same": 30}

    def is_right(text: str, case: Case, replicate: int) -> bool:
        n = next((n for word, n in shares.items() if word in text), 30)
        return int(case.id.removeprefix("dev")) < n

    candidates = [candidate(word) for word in shares]
    runs = Runs(is_right, "dev")
    outcome = run(STAGES["full"](FunnelSettings()), candidates, Evidence(), cases, runs)
    assert outcome.kept == (candidates[1], candidates[0])
    assert outcome.reports[BASE.id].score == pytest.approx(0.5)
    assert outcome.reports[candidates[1].id].score == pytest.approx(50 / 60)


def test_regress_and_full_share_their_cases() -> None:
    cases = cases_of("dev", 90)
    runs = Runs(lambda text, case, _: True, "dev")
    settings = FunnelSettings(regress_cases=30)
    run(STAGES["regress"](settings), [candidate("x")], Evidence(), cases, runs)
    first = {case_id for _, case_id, _ in runs.calls}
    runs.calls.clear()
    run(STAGES["full"](settings), [], Evidence(), cases, runs)
    asked = [case_id for _, case_id, _ in runs.calls]
    assert set(asked[:30]) == first
    labels = [next(c.expected for c in cases if c.id == name) for name in asked[:30]]
    assert {label: labels.count(label) for label in LABELS} == dict.fromkeys(LABELS, 10)


def test_decide_takes_one_finalist_and_confirms_critical_breaks() -> None:
    cases = cases_of("holdout", 20)
    cases[3] = cases[3].model_copy(update={"critical": True})
    flaky = candidate("flaky")

    def is_right(text: str, case: Case, replicate: int) -> bool:
        return not (case.critical and "flaky" in text and replicate == 0)

    runs = Runs(is_right, "holdout")
    stage = STAGES["decide"](FunnelSettings(stochastic=True))
    outcome = run(stage, [flaky], Evidence(), cases, runs)
    assert [(t.case_id, t.passed) for t in outcome.reruns] == [("holdout3", True)] * 2
    with pytest.raises(EvalSetError, match="one finalist"):
        run(stage, [flaky, candidate("other")], Evidence(), cases, runs)


class StageOfTheTable(StageContract):
    name = ""

    def stage(self) -> Stage:
        return STAGES[self.name](FunnelSettings())

    def baseline(self) -> Candidate:
        return BASE

    def better(self) -> Candidate:
        return candidate("better", "wrong_value=top_up")

    def evidence(self) -> Evidence:
        return train_evidence(cases_of("train", 40), lambda case: case.expected == "top_up")

    def cases(self) -> Sequence[Case]:
        return cases_of(self.stage().split, 40)


class TestScreen(StageOfTheTable):
    name = "screen"


class TestRegress(StageOfTheTable):
    name = "regress"


class TestFull(StageOfTheTable):
    name = "full"


class TestDecide(StageOfTheTable):
    name = "decide"


def test_every_stage_of_the_table_is_under_contract() -> None:
    tested = {suite.name for suite in StageOfTheTable.__subclasses__()}
    assert tested == set(STAGES)
