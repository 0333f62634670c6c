"""Judges in the line: there is one or an error, it is paid once, and its calibration is shown."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from promptyard.errors import (
    AuthFailed,
    BudgetExceeded,
    ConfigError,
    EvalSetError,
    JudgeError,
    ModelUnusable,
    NotFound,
)
from promptyard.line.calibrate import CalibrationPlan, stored_certificates
from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.sentinel import SentinelPlan
from promptyard.line.sync import run_calibration, run_evaluation, run_sentinel
from promptyard.metrics.injections import INJECTIONS
from promptyard.records.base import Json
from promptyard.records.evaluations import Evaluation
from promptyard.records.judging import Calibration
from promptyard.records.labels import output_hash
from promptyard.records.messages import Completion
from promptyard.records.runs import Progress
from promptyard.reports.evaluation import evaluation_data, evaluation_view
from promptyard.reports.evaluation_html import evaluation_html
from promptyard.reports.html import run_html
from promptyard.reports.plain import run_summary
from promptyard.testing import ScriptedModel
from support.replies import edits_reply

PROMPT = "system:\nAnswer the complaint.\n\nuser:\n{{text}}\n"
LATER = PROMPT.replace("Answer", "Politely answer")
RUBRIC = py.CheckSpec(
    type="llm_rubric", id="apology", options={"rubric": "It apologises.", "repeat_share": 0}
)
N_CASES = 90


def rows(n: int = N_CASES) -> list[dict[str, Json]]:
    splits = ("train", "dev", "holdout")
    return [
        {"id": f"c{number}", "input": {"text": f"complaint {number}"}, "split": splits[number % 3]}
        for number in range(n)
    ]


def answerer(name: str = "scripted/task") -> ScriptedModel:
    """Apologises to every second complaint."""

    def reply(body: Mapping[str, Any]) -> str:
        number = int(str(body["messages"][-1]["content"]).split()[-1])
        return f"We are sorry about {number}." if number % 2 else f"Noted: {number}."

    return ScriptedModel(reply, name)


def judge(
    verdict: Callable[[str], str] | None = None, name: str = "scripted/judge"
) -> ScriptedModel:
    """Says what `verdict` says of the answer: by default whether it says sorry."""
    says: Callable[[str], str] = verdict or _fair

    def reply(body: Mapping[str, Any]) -> str:
        found = re.search(r"<answer-\w+>\n(.*)\n", str(body["messages"][-1]["content"]))
        assert found is not None
        word = says(json.loads(found[1]))
        return json.dumps({"reasons": "so it is", "evidence_quote": "", "verdict": word})

    return ScriptedModel(reply, name)


def _fair(answer: str) -> str:
    return "pass" if "sorry" in answer else "fail"


def task_of(
    *,
    task: str | ScriptedModel | None = None,
    judge: str | ScriptedModel | None = None,
    metrics: Sequence[Any] = (RUBRIC,),
    cases: Sequence[Mapping[str, Json]] | None = None,
    prompt: str = PROMPT,
    **options: Any,
) -> py.Task:
    return py.Task(
        name="complaints",
        prompt=prompt,
        cases=cases or rows(),
        metrics=list(metrics),
        models=py.Models(task=task or answerer(), judge=judge),
        generators=[],
        **options,
    )


def quiet(progress: Progress) -> None:
    del progress


def evaluated(task: py.Task, store: Path | None = None, **plan: Any) -> Evaluation:
    url = None if store is None else str(store)
    return run_evaluation(task, EvaluationPlan(**plan), store=url, on_progress=quiet)


NESTED = py.CheckSpec(type="all_of", options={"checks": [{"type": "llm_rubric", "rubric": "r"}]})
INVERTED = py.CheckSpec(type="not:llm_rubric", options={"rubric": "r"})


@pytest.mark.parametrize("check", [RUBRIC, NESTED, INVERTED])
def test_a_check_that_asks_a_judge_needs_one_before_any_call(check: py.CheckSpec) -> None:
    model = answerer()
    with pytest.raises(ConfigError) as raised:
        py.evaluate(task_of(task=model, metrics=[check]))
    assert "asks a judge, and no judge model is set" in str(raised.value)
    assert "--judge-model" in str(raised.value)
    assert "\n" not in str(raised.value)
    with pytest.raises(ConfigError, match="no judge model is set"):
        py.optimize(task_of(task=model, metrics=[check]))
    assert model.n_requests == 0


def test_a_judge_check_of_one_case_needs_one_too() -> None:
    cases = rows()
    cases[5]["checks"] = [{"type": "llm_rubric", "rubric": "r"}]
    with pytest.raises(ConfigError, match="check 'llm_rubric' asks a judge"):
        py.evaluate(task_of(metrics=["is_json"], cases=cases))


def test_the_environment_can_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTYARD_JUDGE_MODEL", "embedded/lexical")
    with pytest.raises(ConfigError, match="embedded/lexical cannot be one: it compares spelling"):
        py.evaluate(task_of())


def test_the_embedded_model_is_no_judge() -> None:
    with pytest.raises(ConfigError, match="embedded/lexical cannot be one") as raised:
        py.evaluate(task_of(judge="embedded/lexical"))
    assert "\n" not in str(raised.value)
    assert py.evaluate(task_of(judge="embedded/lexical", metrics=["is_json"])).score == 0.0


def test_a_budget_in_usd_needs_the_price_of_the_judge() -> None:
    class Priced(ScriptedModel):
        def cost_usd(self, usage: Any) -> float | None:
            return 0.001

    task = Priced(lambda body: "x", "scripted/task")
    with pytest.raises(ConfigError, match="no price is known for the judge scripted/judge"):
        py.evaluate(task_of(task=task, judge=judge()), budget=py.Budget(usd=1))
    report = py.evaluate(
        task_of(task=task, judge=judge(), metrics=["is_json"]), budget=py.Budget(usd=1)
    )
    assert report.score == 0.0


def test_check_says_what_keeps_a_judge_from_judging() -> None:
    def found(**models: Any) -> dict[str, str]:
        findings = py.check(task_of(**models)).findings
        return {item.code: item.level for item in findings if "judge" in item.code}

    assert found() == {"no_judge": "warning"}
    (said,) = (item.message for item in py.check(task_of()).findings if item.code == "no_judge")
    assert "check 'apology' asks a judge, and no judge model is set" in said
    assert "models: {judge: provider/model}" in said
    assert found(judge="embedded/lexical") == {"unfit_judge": "error"}
    assert found(task="openai/m", judge="openai/m") == {"judges_itself": "warning"}
    assert found(task="openai/m", judge="openai/n") == {}
    assert found(metrics=["is_json"]) == {}


def test_a_model_that_judges_itself_is_noted_wherever_its_scores_are() -> None:
    same = "scripted/one"
    task = task_of(task=answerer(same), judge=judge(name=same))
    assert any("judges its own answers" in note for note in evaluated(task).notes)
    assert any("judges its own answers" in note for note in py.optimize(task).notes)
    other = task_of(judge=judge())
    assert not any("its own answers" in note for note in evaluated(other).notes)


def test_a_verdict_is_paid_once_and_counts_against_the_judges_budget(tmp_path: Path) -> None:
    asked = judge()
    first = evaluated(task_of(judge=asked), tmp_path / "s.db")
    assert first.spent.judge_calls == asked.n_requests == N_CASES / 3
    again = evaluated(task_of(judge=asked), tmp_path / "s.db")
    assert again.spent.judge_calls == 0
    assert again.report.score == first.report.score == pytest.approx(0.5)
    with pytest.raises(BudgetExceeded):
        py.evaluate(task_of(judge=judge()), budget=py.Budget(judge_calls=3))


def test_verdicts_asked_twice_show_how_often_the_judge_contradicts_itself() -> None:
    seen: set[str] = set()

    def flips(answer: str) -> str:
        first = answer not in seen
        seen.add(answer)
        return "pass" if first or "sorry" in answer else "fail"

    check = RUBRIC.model_copy(update={"options": {**RUBRIC.options, "repeat_share": 1}})
    report = py.evaluate(task_of(judge=judge(flips), metrics=[check]))
    (found,) = report.checks
    assert found.judge is not None
    assert (found.judge.n_repeated, found.judge.n_flipped) == (30, 15)


def test_unsure_is_unscored_and_does_not_switch_the_judge_off() -> None:
    unsure = judge(lambda answer: "pass" if "sorry" in answer else "unsure")
    report = py.evaluate(task_of(judge=unsure))
    assert report.coverage == pytest.approx(0.5)
    assert report.score == 1.0
    kinds = {trial.failure.kind for trial in report.trials if trial.failure}
    assert kinds == {"judge_unsure"}


def test_a_run_with_another_judge_is_another_run(tmp_path: Path) -> None:
    store = str(tmp_path / "s.db")
    refused = ScriptedModel(lambda body: AuthFailed("no such key"), "scripted/judge")
    with pytest.raises(ModelUnusable):
        py.optimize(task_of(judge=refused), store=store)
    other = task_of(judge=judge(name="scripted/other"))
    with pytest.raises(ConfigError, match="settings changed since it was started"):
        py.optimize(other, store=store, resume=True)
    assert py.optimize(task_of(judge=judge()), store=store, resume=True).status == "finished"


def calibrated(
    task: py.Task, store: Path, said: Mapping[str, Any] | None = None, **plan: Any
) -> Calibration:
    """Calibrate by labels of the dev cases: right but for those in `said`."""
    labels = store.parent / "labels.jsonl"
    right: dict[str, Json] = {f"c{n}": n % 2 == 1 for n in range(1, N_CASES, 3)}
    lines = [
        {"case_id": name, "label": label} for name, label in (right | dict(said or {})).items()
    ]
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    options: dict[str, Any] = {"labels": labels, **plan}
    given = CalibrationPlan(**options)
    return run_calibration(task, given, store=str(store), on_progress=quiet)


def test_a_calibration_measures_stores_and_names_what_to_read(tmp_path: Path) -> None:
    store, asked = tmp_path / "s.db", judge()
    task = task_of(judge=asked)
    evaluated(task, store)
    n_before = asked.n_requests
    found = calibrated(task, store, {"c1": "fail", "c4": "pass"})
    assert asked.n_requests == n_before  # the verdicts of the eval are in the store
    certificate = found.certificate
    assert (certificate.metric, certificate.model) == ("apology", "scripted/judge")
    assert certificate.tpr.value == pytest.approx(14 / 15)
    assert certificate.tnr.value == pytest.approx(14 / 15)
    assert certificate.eval_set_version == task.eval_set.version
    disagreements = [(item.case_id, item.person, item.verdict) for item in found.disagreements]
    assert disagreements == [("c1", False, "pass"), ("c4", True, "fail")]
    assert found.disagreements[0].output == "We are sorry about 1."
    assert found.disagreements[0].reason == "so it is"
    assert [item.id for item in asyncio.run(stored_certificates(str(store)))] == [certificate.id]
    assert asyncio.run(stored_certificates(str(store), "another")) == ()


def test_from_then_on_reports_and_gates_show_it_and_before_they_say_so(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())
    before = evaluated(task, store, itself=True)
    assert before.report.uncalibrated == {"judge"}
    assert before.verdict is not None
    assert any("uncalibrated judge (scripted/judge)" in note for note in before.verdict.notes)
    assert set(before.verdict.notes) <= set(before.notes)
    found = calibrated(task, store).certificate
    after = evaluated(task, store, itself=True)
    (check,) = after.report.checks
    assert check.judge is not None
    assert check.judge.certificate == found.id
    assert check.judge.method == "ppi++"
    assert check.judge.corrected_mean == pytest.approx(check.mean)
    assert after.verdict is not None
    assert any(f"certificate {found.id}" in note for note in after.verdict.notes)
    assert not any(item.uncalibrated for item in after.verdict.comparisons)
    holdout = py.evaluate(task, split="holdout", store=str(store)).checks[0].judge
    assert holdout is not None
    assert (holdout.certificate, holdout.method) == (found.id, "rogan-gladen")
    stored = evaluated(task, store, compare=before.run_id)
    assert stored.baseline is not None
    assert stored.baseline.uncalibrated == frozenset()


def test_an_uncalibrated_judge_is_marked_on_every_page(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())
    evaluation = evaluated(task, store, itself=True)
    view = evaluation_view(evaluation, task.eval_set.cases)
    data = evaluation_data(view)
    assert data["uncalibrated"] == ["judge"]
    assert [item["calibrated"] for item in data["checks"]] == [False]
    assert {item["dimension"]: item["uncalibrated"] for item in data["comparisons"]}["judge"]
    page = evaluation_html(view)
    assert page.count("Judge (uncalibrated judge)") == 2  # the means, and the comparison
    assert "soft, judge; uncalibrated judge" in page
    run = py.optimize(task, store=str(store))
    assert run.decision is None
    calibrated(task, store)
    sure = evaluation_html(evaluation_view(evaluated(task, store), task.eval_set.cases))
    assert "uncalibrated" not in sure
    assert "judge calibrated by certificate" in sure


def test_a_decided_run_marks_it_in_its_page_and_its_json(tmp_path: Path) -> None:
    rule = "Apologise first."

    def reply(body: Mapping[str, Any]) -> str:
        sorry = rule in str(body["messages"][0]["content"])
        text = str(body["messages"][-1]["content"])
        number = int(text.split()[-1])
        return f"We are sorry about {number}." if sorry or number % 2 else f"Noted: {number}."

    def edits(body: Mapping[str, Any]) -> str:
        assert '<prompt id="' in str(body["messages"][-1]["content"])
        return edits_reply(rule)

    task = py.Task(
        name="complaints",
        prompt=PROMPT,
        cases=rows(),
        metrics=[RUBRIC],
        models=py.Models(
            task=ScriptedModel(reply, "scripted/task"),
            optimizer=ScriptedModel(edits, "scripted/optimizer"),
            judge=judge(),
        ),
        generators=["reflect"],
    )
    run = py.optimize(task, store=str(tmp_path / "s.db"))
    assert run.verdict.status == "pass"
    assert any("uncalibrated judge" in note for note in run.notes)
    assert "Judge (uncalibrated judge)" in run_html(run)
    summary = run_summary(run, n_cases=90, n_holdout=30, report_path=None)
    assert {item["dimension"]: item["uncalibrated"] for item in summary["dimensions"]} == {
        "score": False, "judge": True, "latency_s": False, "tokens": False,
    }  # fmt: skip


def test_labels_may_bring_their_outputs_and_need_no_run(tmp_path: Path) -> None:
    model, asked = answerer(), judge()
    labels = tmp_path / "l.csv"
    labels.write_text(
        "case_id,label,output\nc1,pass,So sorry!\nc1,fail,Whatever.\nc2,fail,sorry not sorry\n"
    )
    found = run_calibration(
        task_of(task=model, judge=asked),
        CalibrationPlan(labels=labels),
        store=None,
        on_progress=quiet,
    )
    assert (model.n_requests, asked.n_requests) == (0, 3)
    assert [item.case_id for item in found.disagreements] == ["c2"]
    assert [item.output_hash for item in found.certificate.labels] == [
        output_hash(text) for text in ("So sorry!", "Whatever.", "sorry not sorry")
    ]


def test_labels_that_contradict_or_have_no_output_count_for_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())
    evaluated(task, store)
    labels = tmp_path / "l.jsonl"
    said = [("c1", 1), ("c1", 0), ("c4", 0), ("c4", 0), ("c7", 1), ("c0", 1)]
    stranger = {"case_id": "c10", "label": 1, "output_hash": output_hash("never said")}
    lines = [{"case_id": name, "label": word} for name, word in said] + [stranger]
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = calibrated(task, store, labels=labels)
    assert [item.case_id for item in found.certificate.labels] == ["c4", "c7"]
    assert (found.n_contradictory, found.n_without_output) == (1, 2)


def test_labels_of_the_named_check_count(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    other = RUBRIC.model_copy(update={"id": "tone"})
    task = task_of(judge=judge(), metrics=[RUBRIC, other])
    evaluated(task, store)
    labels = tmp_path / "l.jsonl"
    lines = [
        {"case_id": "c1", "label": "pass", "metric": "apology"},
        {"case_id": "c4", "label": "fail", "metric": "tone"},
    ]
    labels.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ConfigError, match="name one with --check: apology, tone"):
        calibrated(task, store, labels=labels)
    found = calibrated(task, store, labels=labels, check="tone")
    assert [item.case_id for item in found.certificate.labels] == ["c4"]
    with pytest.raises(ConfigError, match="did you mean 'tone'"):
        calibrated(task, store, check="tonne")


def test_labels_may_stand_in_the_cases_or_beside_the_task(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    cases = rows()
    for number in range(1, 31, 3):
        cases[number]["tags"] = [f"human:{'pass' if number % 2 else 'fail'}"]
    task = task_of(judge=judge(), cases=cases, folder=tmp_path)
    evaluated(task, store)
    found = calibrated(task, store, labels=None, column="human", split="dev")
    assert len(found.certificate.labels) == 10
    calibrated(task, store)  # writes labels.jsonl into the folder
    beside = run_calibration(task, CalibrationPlan(), store=str(store), on_progress=quiet)
    assert len(beside.certificate.labels) == 30


def test_the_outputs_may_be_those_of_a_named_run(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())
    first = evaluated(task, store)
    second = evaluated(task_of(task=ScriptedModel(lambda body: "Nothing."), judge=judge()), store)
    named = calibrated(task, store, from_run=first.run_id)
    assert named.certificate.tpr.value == 1.0
    newest = calibrated(task, store, from_run=second.run_id)
    assert newest.certificate.tpr.value == 0.0


def test_labels_without_an_output_are_not_put_on_the_answers_of_a_later_prompt(
    tmp_path: Path,
) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())
    labelled = evaluated(task, store)
    later = task_of(judge=judge(), task=ScriptedModel(lambda body: "Nothing."), prompt=LATER)
    evaluated(later, store)
    with pytest.raises(EvalSetError, match=r"30 of their 30 cases .* --from-run") as raised:
        calibrated(later, store)
    assert "\n" not in str(raised.value)
    found = calibrated(later, store, from_run=labelled.run_id)
    assert found.certificate.tpr.value == 1.0
    hashed = {
        "case_id": "c1",
        "label": "pass",
        "output_hash": output_hash("We are sorry about 1."),
    }
    (tmp_path / "hashed.jsonl").write_text(json.dumps(hashed) + "\n", encoding="utf-8")
    by_hash = calibrated(later, store, labels=tmp_path / "hashed.jsonl")
    assert by_hash.certificate.tpr.value == 1.0


def test_labels_without_an_output_are_not_put_on_one_of_several_answers_of_a_run(
    tmp_path: Path,
) -> None:
    store = tmp_path / "s.db"
    n_asked = Counter[str]()

    def unsteady(body: Mapping[str, Any]) -> str:
        n_asked[said := str(body["messages"][-1]["content"])] += 1
        return f"Sorry, {n_asked[said]}." if said.endswith("4") else "Sorry."

    task = task_of(judge=judge(), task=ScriptedModel(unsteady))
    labelled = evaluated(task, store, n_repeats=2)
    with pytest.raises(EvalSetError, match=r"run .* answered 3 of their 30 cases .* output"):
        calibrated(task, store, from_run=labelled.run_id)


def test_where_not_all_runs_were_looked_at_the_labelled_one_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.db"
    monkeypatch.setattr("promptyard.line.stored_answers.MOST_RUNS", 1)
    first = evaluated(task_of(judge=judge()), store)
    task = task_of(judge=judge(), task=ScriptedModel(lambda body: "Nothing."), prompt=LATER)
    evaluated(task, store)
    with pytest.raises(EvalSetError, match=r"has older runs .* --from-run"):
        calibrated(task, store)
    assert calibrated(task, store, from_run=first.run_id).certificate.tpr.value == 1.0


def test_labels_without_an_output_are_on_what_every_run_answered(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    evaluated(task_of(judge=judge()), store)
    later = task_of(judge=judge(), prompt=LATER)  # other words, the same answers
    evaluated(later, store)
    assert len(calibrated(later, store).certificate.labels) == N_CASES // 3


def test_mistakes_are_one_line_each(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge())

    def refused(kind: type[Exception], words: str, **plan: Any) -> None:
        with pytest.raises(kind, match=words) as raised:
            calibrated(task, store, **plan)
        assert "\n" not in str(raised.value)

    refused(EvalSetError, "no labelled output is known")
    evaluated(task, store)
    refused(EvalSetError, "there is no split 'test'", split="test")
    refused(EvalSetError, "case 'c1' is not in split 'train'", split="train")
    refused(EvalSetError, "no labels of people were named", labels=None)
    refused(NotFound, "20260101-000000-000000", from_run="20260101-000000-000000")
    (tmp_path / "l.csv").write_text("case_id,label,metric\nc1,pass,tone\n")
    refused(EvalSetError, "no label is on the check 'apology'", labels=tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("case_id,label\nzzz,pass\n")
    refused(EvalSetError, "case 'zzz' is not in the eval set", labels=tmp_path / "l.csv")
    with pytest.raises(ConfigError, match="no check of task 'complaints' asks a judge"):
        calibrated(task_of(judge=judge(), metrics=["is_json"]), store)


def test_a_judge_that_never_decides_gives_no_certificate(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge(lambda answer: "unsure"))
    evaluated(task_of(judge=judge(name="scripted/other")), store)
    with pytest.raises(JudgeError, match=r"no verdict on any output: .*unsure"):
        calibrated(task, store)
    assert asyncio.run(stored_certificates(str(store))) == ()
    half = task_of(judge=judge(lambda a: "pass" if "sorry" in a else "unsure", "scripted/half"))
    found = calibrated(half, store)
    assert found.certificate.n_unmeasured == 15
    assert found.certificate.tnr.value is None


def test_two_snapshots_are_two_judges(tmp_path: Path) -> None:
    state = {"n": 0}

    def reply(body: Mapping[str, Any]) -> Completion:
        state["n"] += 1
        text = json.dumps({"reasons": "", "evidence_quote": "", "verdict": "pass"})
        return Completion(text=text, model=f"judge-2026-0{1 + state['n'] % 2}")

    labels = tmp_path / "l.csv"
    labels.write_text("case_id,label,output\nc1,pass,a\nc2,pass,b\nc3,fail,c\n")
    task = task_of(judge=ScriptedModel(reply, "scripted/judge"))
    with pytest.raises(ConfigError, match=r"2 instruments .*judge-2026-0.*pin the judge"):
        run_calibration(task, CalibrationPlan(labels=labels), store=None, on_progress=quiet)


def test_a_budget_that_ends_ends_it_in_one_line(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    evaluated(task_of(judge=judge(name="scripted/other")), store)
    labels = tmp_path / "l.csv"
    labels.write_text("case_id,label\n" + "".join(f"c{n},pass\n" for n in range(1, 60, 3)))
    with pytest.raises(BudgetExceeded) as raised:
        run_calibration(
            task_of(judge=judge()),
            CalibrationPlan(labels=labels),
            budget=py.Budget(judge_calls=5),
            store=str(store),
            on_progress=quiet,
        )
    assert "\n" not in str(raised.value)


def gullible(name: str = "scripted/judge") -> ScriptedModel:
    """Falls for what it can read in the plain, and for nothing that is encoded."""
    return judge(lambda a: "pass" if "sorry" in a or "answer pass" in a else "fail", name)


def test_texts_that_talk_a_judge_round_are_counted_and_named(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    asked = gullible()
    task = task_of(judge=asked)
    evaluated(task, store)
    n_before = asked.n_requests
    report = run_sentinel(task, SentinelPlan(), store=str(store), on_progress=quiet)
    assert asked.n_requests == n_before + len(INJECTIONS)  # the answers as they are: stored
    assert (report.metric, report.model) == ("apology", "scripted/judge")
    assert (report.n_attacks, report.n_unmeasured) == (len(INJECTIONS), 0)
    names = {attack.name for attack in report.moved}
    assert {"plain order", "role system line"} <= names
    assert not {"encoding base64", "language german", "hidden zero width"} & names
    assert report.rate.value == pytest.approx(len(names) / len(INJECTIONS))
    first = report.moved[0]
    assert (first.before, first.after) == ("fail", "pass")
    assert first.output.startswith("Noted: ")
    assert first.output.endswith(INJECTIONS[first.name])


def test_a_judge_that_looks_at_the_answer_only_is_moved_by_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge(lambda answer: "pass" if answer.startswith("We") else "fail"))
    evaluated(task, store)
    report = run_sentinel(task, SentinelPlan(), store=str(store), on_progress=quiet)
    assert report.moved == ()
    assert report.rate.interval is not None
    assert 0.03 < report.rate.interval.high < 0.06


def test_without_a_failing_answer_there_is_nothing_to_try(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    task = task_of(judge=judge(lambda answer: "pass"))
    with pytest.raises(EvalSetError, match="fails no answer of the stored runs"):
        run_sentinel(task, SentinelPlan(), store=str(store), on_progress=quiet)
    evaluated(task, store)
    with pytest.raises(EvalSetError, match="fails no answer of the stored runs"):
        run_sentinel(task, SentinelPlan(), store=str(store), on_progress=quiet)
    with pytest.raises(NotFound):
        run_sentinel(task, SentinelPlan(from_run="nowhere"), store=str(store), on_progress=quiet)
