"""MLflow's prompt versions, as its objects and its REST API say them."""

from __future__ import annotations

import json

import pytest

from promptyard.records.base import Json
from promptyard.registry.exchange import langfuse
from promptyard.registry.exchange.foreign import Findings, ForeignVersion
from promptyard.registry.exchange.mlflow import read, recognises

OBJECT: dict[str, Json] = {
    "name": "support",
    "version": 3,
    "template": [
        {"role": "system", "content": "Be {{ tone }}."},
        {"role": "user", "content": "{{ticket.text}}"},
    ],
    "commit_message": "politer",
    "creation_timestamp": 1767225600000,
    "tags": {"team": "a", "mlflow.prompt.is_prompt": "true"},
    "aliases": ["production"],
    "user_id": "ann",
    "response_format": {"type": "object", "properties": {"a": {"type": "string"}}},
    "model_config": {
        "provider": "openai",
        "model_name": "gpt-4",
        "temperature": 0.7,
        "stop_sequences": ["END"],
        "extra_params": {"seed": 1},
    },
}
REST: dict[str, Json] = {
    "name": "support",
    "version": "3",
    "description": "politer",
    "creation_timestamp": 1767225600000,
    "user_id": "ann",
    "tags": [
        {"key": "mlflow.prompt.is_prompt", "value": "true"},
        {"key": "mlflow.prompt.text", "value": json.dumps(OBJECT["template"])},
        {"key": "_mlflow_prompt_type", "value": "chat"},
        {
            "key": "_mlflow_prompt_model_config",
            "value": json.dumps(
                {"model_name": "gpt-4", "temperature": 0.7, "stop_sequences": ["END"], "seed": 1}
            ),
        },
        {
            "key": "_mlflow_prompt_response_format",
            "value": json.dumps(OBJECT["response_format"]),
        },
        {"key": "team", "value": "a"},
    ],
    "aliases": ["production"],
}


def one(data: Json) -> tuple[ForeignVersion, Findings]:
    findings = Findings()
    (version,) = read(data, findings)
    assert not findings.refused
    return version, findings


@pytest.mark.parametrize("data", [OBJECT, REST, [REST], {"model_version": REST}])
def test_objects_and_answers_of_the_api_give_the_same_version(data: Json) -> None:
    assert recognises(data)
    assert not langfuse.recognises(data)
    version, findings = one(data)
    messages = version.prompt.render({"tone": "kind", "ticket.text": "late"})
    assert [(m.role, m.text) for m in messages] == [("system", "Be kind."), ("user", "late")]
    assert version.prompt.params == {"temperature": 0.7, "stop": ["END"], "seed": 1}
    assert version.prompt.output.schema_ == OBJECT["response_format"]
    assert (version.name, version.number, version.labels) == ("support", 3, ("production",))
    assert (version.message, version.author) == ("politer", "ann")
    assert version.created_at == "2026-01-01T00:00:00+00:00"
    assert any("team" in note for note in findings.notes)


def test_aliases_beside_the_versions_are_theirs() -> None:
    bare: dict[str, Json] = {**OBJECT, "aliases": None}
    for aliases in ([{"alias": "champion", "version": "3"}], {"champion": 3}):
        version, _ = one({"prompt_versions": [bare], "aliases": aliases})
        assert version.labels == ("champion",)


def test_a_text_without_blocks_is_taken_as_it_stands_and_one_with_blocks_is_refused() -> None:
    version, _ = one({**OBJECT, "template": "{# kept #} {{x}}", "response_format": None})
    assert version.prompt.render({"x": "1"})[0].text == "{# kept #} 1"
    findings = Findings()
    assert read({**OBJECT, "template": "a\n{% if x %}b{% endif %}"}, findings) == []
    assert "line 2: `{% if x %}`" in findings.refused[0]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "three"},
        {"template": None},
        {"template": "x", "tags": {"_mlflow_prompt_model_config": "{"}, "model_config": "{"},
        {"model_config": "[" * 100_000},
        {"creation_timestamp": 1e300, "template": 4},
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(change: dict[str, Json]) -> None:
    findings = Findings()
    assert read({**OBJECT, **change}, findings) == []
    assert len(findings.refused) == 1
    assert "\n" not in findings.refused[0]
