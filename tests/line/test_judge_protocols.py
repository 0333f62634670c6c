"""A verdict is forced on a judge whichever protocol its model speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

import promptyard as py
from promptyard.metrics import METRICS
from promptyard.providers.schema_rules import MESSAGES_FORMAT, STRICT_CHAT, misfit
from promptyard.records.cases import CheckSpec
from promptyard.testing import ScriptedModel
from support.chat_server import ChatServer
from support.messages_server import KEY, MessagesServer

SCHEMAS = {
    name: schema
    for name, factory in METRICS.items()
    if (schema := getattr(factory, "schema", None)) is not None
}
VERDICT = json.dumps({"reasons": "It is.", "evidence_quote": "blue", "verdict": "pass"})


def test_there_are_judges_to_look_at() -> None:
    assert len(SCHEMAS) >= 5


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_of_a_judge_can_be_forced_on_every_protocol(name: str) -> None:
    assert misfit(SCHEMAS[name], STRICT_CHAT) is None
    assert misfit(SCHEMAS[name], MESSAGES_FORMAT) is None


def judged(judge: str, base_url: str) -> py.Report:
    rubric: dict[str, Any] = {"rubric": "It names a colour.", "repeat_share": 0}
    task = py.Task(
        name="sky",
        prompt="user:\n{{text}}\n",
        cases=[
            {"id": split, "input": {"text": f"Sky in {split}?"}, "split": split}
            for split in ("train", "dev", "holdout")
        ],
        metrics=[CheckSpec(type="llm_rubric", options=rubric)],
        models=py.Models(
            task=ScriptedModel(lambda _: "It is blue."), judge=judge, base_url=base_url
        ),
    )
    return py.evaluate(task, split="dev")


def test_a_judge_behind_chat_completions() -> None:
    with ChatServer(lambda _: VERDICT) as server:
        report = judged("openai_compatible/judge", server.base_url)
        (asked,) = server.requests
    assert (report.score, report.coverage) == (1.0, 1.0)
    assert asked.body["response_format"]["json_schema"]["strict"] is True


def test_a_judge_behind_the_messages_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTYARD_API_KEY", KEY)
    with MessagesServer(lambda _: VERDICT) as server:
        report = judged("anthropic/judge", server.base_url)
        (asked,) = server.requests
    assert (report.score, report.coverage) == (1.0, 1.0)
    assert asked.body["output_config"]["format"]["type"] == "json_schema"
    assert asked.headers["anthropic-version"] == "2023-06-01"  # judges set temperature to 0
