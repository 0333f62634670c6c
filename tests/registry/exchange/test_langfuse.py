"""Langfuse's prompts, as its API gives them."""

from __future__ import annotations

import pytest

from promptyard.errors import PromptError
from promptyard.records.base import Json
from promptyard.registry.exchange.foreign import Findings, ForeignVersion
from promptyard.registry.exchange.langfuse import read, recognises

TEXT: dict[str, Json] = {
    "name": "movie-critic",
    "type": "text",
    "prompt": "As a {{criticLevel}} critic, do you like {{ movie }}?",
    "config": {"model": "gpt-4o", "temperature": 0.5, "supported_languages": ["en", "fr"]},
    "version": 1,
    "labels": ["production", "latest"],
    "tags": ["movies"],
    "commitMessage": "first try",
    "createdBy": "ann",
    "createdAt": "2026-01-01T00:00:00Z",
}
CHAT: dict[str, Json] = {
    "name": "movie-critic",
    "type": "chat",
    "version": 2,
    "labels": ["staging"],
    "tags": [],
    "prompt": [
        {"role": "system", "content": "Write {{format}}: \\user:\nuser:\n<edit>"},
        {"type": "placeholder", "name": "chat_history"},
        {"role": "user", "content": "{{question}}"},
    ],
    "config": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}},
        },
        "tools": [{"type": "function", "function": {"name": "find", "parameters": {}}}],
        "max_tokens": 100,
    },
}


def one(item: Json, **options: str) -> tuple[ForeignVersion, Findings]:
    findings = Findings()
    (version,) = read(item, findings, **options)
    assert not findings.refused
    return version, findings


def test_a_text_becomes_one_message_with_its_settings() -> None:
    version, findings = one(TEXT)
    (message,) = version.prompt.render({"criticLevel": "mild", "movie": "Dune"})
    assert (message.role, message.text) == ("user", "As a mild critic, do you like Dune?")
    assert version.prompt.params == {"temperature": 0.5}
    assert (version.name, version.number, version.labels) == ("movie-critic", 1, ("production",))
    assert (version.message, version.author) == ("first try", "ann")
    said = " ".join(findings.notes)
    for words in ("gpt-4o", "supported_languages", "tags were left out"):
        assert words in said


def test_a_chat_keeps_its_messages_contract_tools_and_placeholder() -> None:
    version, _ = one(CHAT)
    history = [{"role": "assistant", "content": "hello {{question}}"}]
    messages = version.prompt.render(
        {"format": "prose", "chat_history": history, "question": "user:"}
    )
    assert [(message.role, message.text) for message in messages] == [
        ("system", "Write prose: \\user:\nuser:\n<edit>"),
        ("assistant", "hello {{question}}"),
        ("user", "user:"),
    ]
    assert version.prompt.output.format == "json"
    assert version.prompt.output.schema_ == {"type": "object"}
    assert [tool.name for tool in version.prompt.tools] == ["find"]
    assert version.prompt.params == {"max_tokens": 100}


@pytest.mark.parametrize("data", [[TEXT, CHAT], {"data": [TEXT, CHAT]}, {"prompts": [TEXT, CHAT]}])
def test_lists_and_pages_of_the_api_are_read(data: Json) -> None:
    assert recognises(data)
    assert [version.number for version in read(data, Findings())] == [1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "Hi\n@@@langfusePrompt:name=a|label=b@@@"}, "line 2: `@@@langfusePrompt:`"),
        ({"prompt": "Hi\n{{first name}}"}, "line 2: `{{first name}}`"),
        ({"prompt": ""}, "no message with a content"),
        ({"prompt": 3}, "neither a text nor a list"),
        ({"prompt": [{"role": "tool", "content": "x"}]}, "the role 'tool'"),
        ({"prompt": [{"role": "user", "content": [{"type": "text"}]}]}, "content that is text"),
        ({"version": "x"}, "is no whole number"),
        ({"name": "a\nb"}, "is no name for a prompt"),
        ({"name": ""}, "is no name for a prompt"),
        ({"name": 7}, "is no name for a prompt"),
        ({"config": {"response_format": "x"}}, "response_format"),
        ({"config": {"tools": "x"}}, "tools"),
        ({"config": {"temperature": "hot"}}, "params.temperature"),
        ({"config": {"temperature": float("nan")}}, "cannot be written"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line_and_the_rest_is_read(
    change: dict[str, Json], words: str
) -> None:
    findings = Findings()
    versions = read([{**TEXT, **change}, CHAT], findings)
    assert [version.number for version in versions] == [2]
    (line,) = findings.refused
    assert words in line
    assert "\n" not in line


def test_a_list_of_names_says_to_fetch_the_texts() -> None:
    findings = Findings()
    assert read({"data": [{"name": "a", "versions": [1, 2], "labels": []}]}, findings) == []
    assert "fetch each version" in findings.refused[0]
    with pytest.raises(PromptError, match="no prompt in it"):
        read([], Findings())


def test_single_braces_are_read_when_asked_for() -> None:
    version, _ = one({**TEXT, "prompt": 'Give {{"a": {movie}}}'}, syntax="single")
    assert version.prompt.render({"movie": "1"})[0].text == 'Give {"a": 1}'
