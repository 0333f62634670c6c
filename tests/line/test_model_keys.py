"""Which key goes where, and models of both protocols behind one line."""

from __future__ import annotations

import pytest

import promptyard as py
from promptyard.config import ProjectConfig
from promptyard.errors import ConfigError
from promptyard.line.role_models import build_models
from promptyard.protocols import Model
from promptyard.providers.anthropic import Anthropic
from support.messages_server import KEY, MessagesServer

PROMPT = "system:\nAnswer with the topic.\n\nuser:\n{{text}}\n"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (pytest calls it)
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PROMPTYARD_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def build(task: str, base_url: str | None = None) -> Model:
    return build_models(py.Models(task=task, base_url=base_url), ProjectConfig())["task"]


def test_anthropic_needs_its_own_key_at_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="set ANTHROPIC_API_KEY"):
        build("anthropic/claude-haiku-5-5")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    model = build("anthropic/claude-haiku-5-5")
    assert isinstance(model, Anthropic)
    assert (model.name, model.model) == ("anthropic/claude-haiku-5-5", "claude-haiku-5-5")
    assert model.base_url == "https://api.anthropic.com/v1"
    assert KEY not in repr(model)


def test_its_key_goes_to_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with MessagesServer() as server:
        with pytest.raises(py.PromptyardError, match="x-api-key header is required"):
            py.evaluate(task(server))
        assert "x-api-key" not in server.requests[0].headers


def test_a_task_runs_on_the_messages_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTYARD_API_KEY", KEY)
    with MessagesServer(lambda body: body["messages"][0]["content"].split()[0]) as server:
        report = py.evaluate(task(server))
        assert server.requests[0].body["system"] == "Answer with the topic."
    assert report.score == 1.0
    assert report.coverage == 1.0


def task(server: MessagesServer) -> py.Task:
    return py.Task(
        name="topics",
        prompt=PROMPT,
        cases=[
            {"input": {"text": f"{topic} in {split}"}, "expected": topic, "split": split}
            for topic in ("billing", "login")
            for split in ("train", "dev", "holdout")
        ],
        metrics=["exact_match"],
        models=py.Models(task="anthropic/m1", base_url=server.base_url),
    )
