"""An image file beside the cases reaches a model of either protocol, bytes unchanged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import promptyard as py
from support.chat_server import Body, ChatServer
from support.messages_server import KEY, MessagesServer
from support.service_images import PIXEL, PIXEL_URL

PROMPT = "system:\nSay what is shown.\n\nuser:\nLook: {{picture}} Well?\n"
CHAT_PROMPT = "system:\nAnswer the last question.\n\nuser:\n{{talk}}\n"
SPLITS = ("train", "dev", "holdout")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] (pytest calls it)
    monkeypatch.setenv("PROMPTYARD_API_KEY", KEY)


def folder_of(tmp_path: Path, prompt: str, value: Mapping[str, Any]) -> Path:
    rows = [{"input": value, "expected": "a pixel", "split": s, "id": s} for s in SPLITS]
    (tmp_path / "picture.png").write_bytes(PIXEL)
    (tmp_path / "prompt.md").write_text(prompt)
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = {"prompt": "prompt.md", "cases": "cases.jsonl", "checks": [{"type": "exact_match"}]}
    (tmp_path / "task.yaml").write_text(json.dumps(task))
    return tmp_path


def evaluate(folder: Path, model: str, base_url: str) -> py.Report:
    models = py.Models(task=model, base_url=base_url)
    return py.evaluate(py.load_task(folder, models=models), split="dev")


def content_of(bodies: list[Body]) -> Any:
    (body,) = bodies
    return body["messages"][-1]["content"]


def test_a_file_is_sent_in_the_chat_completions_format(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PROMPT, {"picture": {"image": "picture.png"}})
    with ChatServer(lambda _: "a pixel") as server:
        report = evaluate(folder, "openai_compatible/m1", server.base_url)
    assert (report.score, report.coverage) == (1.0, 1.0)
    assert content_of([item.body for item in server.requests]) == [
        {"type": "text", "text": "Look: "},
        {"type": "image_url", "image_url": {"url": PIXEL_URL}},
        {"type": "text", "text": " Well?"},
    ]


def test_a_file_is_sent_in_the_messages_format(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, PROMPT, {"picture": {"image": "picture.png"}})
    with MessagesServer(lambda _: "a pixel") as server:
        report = evaluate(folder, "anthropic/m1", server.base_url)
    assert (report.score, report.coverage) == (1.0, 1.0)
    data = PIXEL_URL.partition(",")[2]
    assert content_of([item.body for item in server.requests]) == [
        {"type": "text", "text": "Look: "},
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": data},
        },
        {"type": "text", "text": " Well?"},
    ]


@pytest.mark.parametrize("protocol", ["chat", "messages"])
def test_a_variable_of_messages_becomes_the_conversation(tmp_path: Path, protocol: str) -> None:
    talk = [
        {"role": "user", "content": "What is smallest?"},
        {"role": "assistant", "content": "On a screen?"},
        {"role": "user", "content": "Yes."},
    ]
    folder = folder_of(tmp_path, CHAT_PROMPT, {"talk": talk})
    if protocol == "chat":
        with ChatServer(lambda _: "a pixel") as server:
            report = evaluate(folder, "openai_compatible/m1", server.base_url)
        system = {"role": "system", "content": "Answer the last question."}
        assert server.requests[0].body["messages"] == [system, *talk]
    else:
        with MessagesServer(lambda _: "a pixel") as server:
            report = evaluate(folder, "anthropic/m1", server.base_url)
        assert server.requests[0].body["system"] == "Answer the last question."
        assert server.requests[0].body["messages"] == talk
    assert report.score == 1.0


def test_one_wrong_image_fails_its_case_and_no_other() -> None:
    cases = [
        {"id": str(n), "input": {"picture": {"image": url}}, "expected": "a pixel", "split": "dev"}
        for n, url in enumerate((PIXEL_URL, "picture.png", PIXEL_URL.replace("png", "gif")))
    ]
    others = [
        {"input": {"picture": split}, "expected": "", "split": split}
        for split in ("train", "holdout")
    ]
    with MessagesServer(lambda _: "a pixel") as server:
        task = py.Task(
            name="pictures",
            prompt=PROMPT,
            cases=[*cases, *others],
            metrics=["exact_match"],
            models=py.Models(task="anthropic/m1", base_url=server.base_url),
        )
        report = py.evaluate(task, split="dev")
    by_id = {trial.case_id: trial for trial in report.trials}
    assert by_id["0"].score == 1.0
    assert by_id["1"].failure is not None
    assert by_id["1"].failure.kind == "prompt_error"
    assert "must be an http(s) or data: URL, not 'picture.png'" in by_id["1"].failure.message
    assert by_id["2"].failure is not None
    assert "does not match the provided media type" in by_id["2"].failure.message
