"""The page and the data of an evaluation: complete, escaped, the same each time."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from promptyard.records.cases import Case
from promptyard.records.evaluations import Evaluation, Flip
from promptyard.records.messages import Completion
from promptyard.records.scores import (
    CheckSummary,
    GradedCase,
    JudgeSummary,
    Report,
    Score,
    StepVisit,
    Trial,
)
from promptyard.records.verdicts import Comparison, Verdict
from promptyard.reports.evaluation import EvaluationView, evaluation_data, evaluation_view
from promptyard.reports.evaluation_html import evaluation_html
from promptyard.runner.summarize import summarize

from .test_html import Page

HOSTILE = '<script>alert(1)</script>\u202e"\x1b[31m'


def cases(n: int = 60) -> list[Case]:
    return [
        Case(id=f"c{i}", input={"mail": HOSTILE}, expected="yes", kind="edge", tags=("a",))
        if i < 15
        else Case(id=f"c{i}", input={"mail": f"mail {i}"}, expected="yes")
        for i in range(n)
    ]


def trial(case: Case, *, passes: bool) -> Trial:
    tags = () if passes else ("wrong_value",)
    score = Score(metric="equals", value=float(passes), tags=tags, reason="" if passes else HOSTILE)
    completion = Completion(text=HOSTILE, latency_s=0.2, cost_usd=0.001)
    return Trial(
        program_id="p",
        case_id=case.id,
        split="dev",
        status="scored",
        score=float(passes),
        passed=passes,
        output=HOSTILE,
        visits=(StepVisit(step="main", completion=completion),),
        scores=(score,),
    )


def report(n: int = 60, *, n_failing: int = 15) -> Report:
    graded = [
        GradedCase(case=case, trial=trial(case, passes=number >= n_failing))
        for number, case in enumerate(cases(n))
    ]
    return summarize("p", "v1", "dev", graded, {"accuracy": 0.75, "macro_f1": 0.5})


def view(**changes: Any) -> EvaluationView:
    given: dict[str, Any] = {
        "run_id": "r1",
        "task": HOSTILE,
        "model": "openai/m",
        "eval_set_version": "v1",
        "report": report(),
        **changes,
    }
    return evaluation_view(Evaluation(**given), cases())


def judged(certificate: str | None) -> Report:
    judge = JudgeSummary(
        model="j", prompt_hash="h", n_repeated=10, n_flipped=2, certificate=certificate
    )
    check = CheckSummary(
        metric="llm_rubric", dimension="judge", severity="soft", mean=0.5, n_cases=60, judge=judge
    )
    return report().model_copy(update={"checks": (check,)})


VERDICT = Verdict(
    status="fail",
    sentence="The candidate fails the gate: " + HOSTILE,
    comparisons=(Comparison(dimension="score", rule="superiority", status="fail", n_cases=60),),
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"verdict": VERDICT, "compared_with": "run x", "baseline": report()},
        {"flips": (Flip(case_id=HOSTILE, kind="broken", baseline=1, candidate=0),)},
        {"report": judged(None)},
        {"report": report(n_failing=0)},
        {"report": report(n_failing=60), "n_repeats": 3, "unstable": (HOSTILE,)},
        {"model": "embedded/lexical", "notes": (HOSTILE,)},
    ],
)
def test_a_page_is_well_formed_escaped_and_the_same_each_time(changes: dict[str, Any]) -> None:
    shown = view(**changes)
    html = evaluation_html(shown)
    assert html == evaluation_html(shown)
    page = Page(html)
    assert page.problems == []
    assert "<script" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert not {"script", "iframe", "object"} & {name for name, _ in page.elements}


def test_the_page_shows_score_slices_and_the_cases_to_read() -> None:
    html = evaluation_html(view())
    assert "75.0 %" in html
    assert "kind=edge" in html
    assert "All 15 cases that failed" in html
    assert "p99" in html


@pytest.mark.parametrize(
    ("text", "gist"),
    [
        ("Where is\n my  parcel?", ["Where is my parcel?"]),
        ("word " * 40, ["word " * 17 + "word…"]),
        ("", []),
    ],
)
def test_a_closed_case_shows_how_its_input_begins(text: str, gist: list[str]) -> None:
    read = [case.model_copy(update={"input": {"mail": text}}) for case in cases()]
    made = Evaluation(run_id="r", task="t", model="m/m", eval_set_version="v", report=report())
    page = evaluation_html(evaluation_view(made, read))
    summaries = re.findall(r"<summary>.*</summary>", page)
    shown = [re.findall(r'<span class="gist">(.*?)</span>', line) for line in summaries]
    assert shown == [gist] * 15


@pytest.mark.parametrize(
    ("sizes", "part", "not_run"),
    [
        (
            {"train": 50, "dev": 60, "holdout": 70},
            "dev: 60 of 180 cases (train 50, holdout 70)",
            "Not run: 120 cases; `--split all` runs all 180, which counts as a look at the "
            "holdout.",
        ),
        (
            {"train": 1_000, "dev": 75, "holdout": 0},
            "dev: 60 of its 75 cases, of 1,075 in all (train 1,000)",
            "Not run: 1,015 cases; without --filter-failing the run takes all 75 of dev, and "
            "`--split all` all 1,075.",
        ),
        ({"train": 0, "dev": 60, "holdout": 0}, "dev: 60 of 60 cases", ""),
        (
            {"train": 0, "dev": 61, "holdout": 0},
            "dev: 60 of 61 cases",
            "Not run: 1 case; without --filter-failing the run takes all 61 of dev.",
        ),
        ({}, "dev: 60 cases", ""),
    ],
)
def test_page_and_data_say_which_part_of_the_cases_was_measured_and_how_to_run_all(
    sizes: dict[str, int], part: str, not_run: str
) -> None:
    shown = view(n_by_split=sizes)
    html = evaluation_html(shown)
    assert f"v1 · {part} · run" in html
    assert not_run.replace("`", "") in re.sub("</?code>", "", html)
    assert ("Not run" in html) == bool(not_run)
    data = evaluation_data(shown)
    assert data["measured"] == part
    assert data["not_run"] == (not_run or None)
    assert data["n_by_split"] == sizes


@pytest.mark.parametrize(
    ("n_train", "not_run"),
    [
        (20, ""),
        (30, "Not run: 10 cases; without --filter-failing the run takes all 70."),
    ],
)
def test_a_run_of_all_says_how_many_cases_each_split_has(n_train: int, not_run: str) -> None:
    every = report().model_copy(update={"split": "all"})
    shown = view(report=every, n_by_split={"train": n_train, "dev": 20, "holdout": 20})
    sizes = f"(train {n_train}, dev 20, holdout 20)"
    assert shown.part == f"all: 60 of {n_train + 40} cases {sizes}"
    assert shown.not_run == not_run


def test_a_comparison_is_the_headline() -> None:
    html = evaluation_html(
        view(
            verdict=VERDICT,
            compared_with="run x",
            baseline=report(),
            flips=(Flip(case_id="c3", kind="broken", baseline=1, candidate=0),),
        )
    )
    assert "Against run x" in html
    assert "<strong>Broken:</strong>" in html


def test_an_uncalibrated_judge_is_marked_and_a_calibrated_one_named() -> None:
    assert "uncalibrated judge" in evaluation_html(view(report=judged(None)))
    calibrated = evaluation_html(view(report=judged("cert-1")))
    assert "cert-1" in calibrated
    assert "uncalibrated" not in calibrated
    assert "contradicted itself in 2 of 10 verdicts" in calibrated
    data = evaluation_data(view(report=judged(None)))
    assert data["checks"][0]["calibrated"] is False


def test_the_data_can_be_written_and_says_what_was_not_measured() -> None:
    data = evaluation_data(view())
    assert json.loads(json.dumps(data)) == data
    assert data["verdict"] is None
    assert data["rates"]["judge_flips"] is None
    assert data["n_failing"] == 15
    assert data["detectable"][1]["changed_share"] == 0.1
    assert {item["name"] for item in data["slices"]} == {
        "kind=edge",
        "kind=representative",
        "tag=a",
    }
