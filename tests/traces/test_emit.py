"""An eval as spans, sent by OTLP to a collector."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptyard.line.evaluation_plan import EvaluationPlan
from promptyard.line.sync import run_evaluation
from promptyard.line.task import load_task
from support.collector import Collector, attributes_of
from support.registered import version_of
from support.stores import on_store
from support.tiny_task import PROMPT, write_tiny_task


def test_every_trial_is_a_span_with_its_calls_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load_task(write_tiny_task(tmp_path / "tiny"))
    url = str(tmp_path / "s.db")
    on_store(url, lambda store: store.add_version(version_of(PROMPT, name="tiny")))
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        plan = EvaluationPlan(split="dev", spans=True)
        found = run_evaluation(task, plan, store=url, on_progress=lambda _: None)
        assert not found.notes
    trials = found.report.trials
    spans = [(span, attributes_of(span)) for span in collector.spans]
    roots = {
        values["promptyard.case.id"]: span for span, values in spans if not span.parent_span_id
    }
    assert sorted(roots) == sorted(trial.case_id for trial in trials)
    calls = [(span, values) for span, values in spans if span.parent_span_id]
    assert len(calls) == len(trials)
    for span, values in calls:
        root = roots[values["promptyard.case.id"]]
        assert (span.trace_id, span.parent_span_id) == (root.trace_id, root.span_id)
        assert values["gen_ai.operation.name"] == "chat"
        assert values["gen_ai.request.model"] == "lexical"
        assert values["gen_ai.response.finish_reasons"] == ["stop"]
    for _, values in spans:
        assert values["promptyard.run.id"] == found.run_id
        assert (values["gen_ai.prompt.name"], values["gen_ai.prompt.version"]) == ("tiny", "1")
        assert values["promptyard.prompt.digest"] == task.program.id
    told = {
        (log.span_id, attributes_of(log)["gen_ai.evaluation.name"]): attributes_of(log)
        for log in collector.logs
    }
    for trial in trials:
        event = told[roots[trial.case_id].span_id, "score"]
        assert event["gen_ai.evaluation.score.value"] == trial.score
        assert event["gen_ai.evaluation.score.label"] == ("pass" if trial.passed else "fail")
    assert len(told) == 2 * len(trials)  # the check, and the score of the case


def test_an_eval_does_not_depend_on_its_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    task = load_task(write_tiny_task(tmp_path / "tiny"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    plan = EvaluationPlan(split="dev", spans=True)
    url = str(tmp_path / "s.db")
    found = run_evaluation(task, plan, store=url, on_progress=lambda _: None)
    assert len(found.report.trials) == 6
    assert any("Failed to export" in record.getMessage() for record in caplog.records)
