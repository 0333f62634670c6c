"""A manifest is proved to the byte: what is not whole, not known or not true is not served."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from promptyard.client.contents import (
    MAX_DEPTH,
    MODES,
    Contents,
    contents_of,
    contents_of_bytes,
    contents_of_texts,
)
from promptyard.client.source import SourceFault
from promptyard.records import manifest as records
from promptyard.records.rollouts import RolloutMode
from support.manifests import ROLLOUT, TEXTS, manifest_of, program_of, sealed

WHOLE = manifest_of(revision=7, rollouts=[ROLLOUT], pointers={"production": 1, "staging": 3})
BYTES = json.dumps(WHOLE).encode()


def facts(contents: Contents) -> Any:
    return [
        contents.revision,
        contents.issued_at,
        {
            name: (
                dict(prompt.pointers),
                prompt.rollouts,
                {n: (s.version, s.digest, s.value) for n, s in prompt.versions.items()},
            )
            for name, prompt in contents.prompts.items()
        },
    ]


def fault_of(value: Any) -> SourceFault:
    with pytest.raises(SourceFault) as caught:
        contents_of(value)
    return caught.value


def test_what_the_registry_writes_is_read_whole() -> None:
    contents = contents_of_bytes(BYTES)
    said = records.Manifest.model_validate(WHOLE)
    assert contents.revision == said.revision == 7
    prompt, stated = contents.prompts["support"], said.prompts["support"]
    assert prompt.pointers == stated.pointers
    assert [r.id for r in prompt.rollouts] == [r.id for r in stated.rollouts]
    assert {n: served.digest for n, served in prompt.versions.items()} == {
        n: version.digest for n, version in stated.versions.items()
    }
    assert prompt.versions[2].program == program_of(TEXTS[2])


def test_format_and_modes_are_those_of_the_records() -> None:
    assert contents_of(WHOLE).revision == 7
    assert WHOLE["format"] == records.FORMAT
    assert set(MODES) == set(RolloutMode.__args__)


@given(st.integers(0, len(BYTES) - 1))
def test_a_truncated_manifest_is_refused(length: int) -> None:
    with pytest.raises(SourceFault) as caught:
        contents_of_bytes(BYTES[:length])
    assert caught.value.state == "corrupt"


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
def test_a_manifest_with_a_changed_byte_is_refused(place: int, change: int) -> None:
    changed = bytearray(BYTES)
    changed[place] ^= change
    try:
        contents = contents_of_bytes(bytes(changed))
    except SourceFault:
        return
    assert facts(contents) == facts(contents_of_bytes(BYTES))  # a blank for a blank


def test_program_bytes_that_are_not_of_their_digest_are_refused_with_any_checksum() -> None:
    value = json.loads(BYTES)
    step = value["prompts"]["support"]["versions"]["2"]["program"]["steps"][0]
    step["prompt"]["text"] = step["prompt"]["text"].replace("kind", "rude")
    assert fault_of(value).state == "tampered"
    fault = fault_of(sealed(value))
    assert fault.state == "tampered"
    assert "v2 of 'support'" in str(fault)


def test_another_normal_form_of_a_text_is_not_the_same_text() -> None:
    value = manifest_of(texts={1: "user:\ncaf\u00e9 {{question}}\n"})
    step = value["prompts"]["support"]["versions"]["1"]["program"]["steps"][0]
    step["prompt"]["text"] = step["prompt"]["text"].replace("\u00e9", "e\u0301")
    assert sealed(value)["checksum"] == value["checksum"]  # the checksum alone cannot tell
    assert fault_of(value).state == "tampered"


def test_another_format_is_refused_before_anything_else_is_read() -> None:
    fault = fault_of({"format": 2, "everything": "else"})
    assert fault.state == "other_format"
    assert "bring promptyard up to date" in str(fault)
    assert fault_of({}).state == "other_format"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 100_000])
def test_a_deep_manifest_is_refused(opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    text = f'{{"format": 1, "x": {opening * depth}1{closing * depth}}}'
    with pytest.raises(SourceFault, match="nested deeper") as caught:
        contents_of_bytes(text.encode())
    assert caught.value.state == "corrupt"


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe{", b"null", b"[]", b'{"a": NaN}', b'{"a": 1' + b"0" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_corrupt(data: bytes) -> None:
    with pytest.raises(SourceFault) as caught:
        contents_of_bytes(data)
    assert caught.value.state == "corrupt"


Change = Callable[[dict[str, Any]], Any]


def rollout_with(**fields: Any) -> Change:
    return lambda prompt: prompt["rollouts"][0].update(fields)


CHANGES: dict[str, Change] = {
    "no pointers": lambda prompt: prompt.pop("pointers"),
    "no versions": lambda prompt: prompt.pop("versions"),
    "a pointer to nowhere": lambda prompt: prompt["pointers"].update(production=9),
    "a pointer that is no number": lambda prompt: prompt["pointers"].update(production="1"),
    "a pointer that is true": lambda prompt: prompt["pointers"].update(production=True),
    "rollouts that are no list": lambda prompt: prompt.update(rollouts={}),
    "a version under another number": lambda prompt: prompt["versions"].update(
        {"4": prompt["versions"]["1"]}
    ),
    "a version without program": lambda prompt: prompt["versions"]["1"].pop("program"),
    "a version without steps": lambda prompt: prompt["versions"]["1"].update(program={}),
    "more than everybody": rollout_with(enrolled=1.5),
    "fewer than nobody": rollout_with(enrolled=-0.1),
    "a share that is text": rollout_with(enrolled="half"),
    "a share that is true": rollout_with(enrolled=True),
    "no treatment": rollout_with(treatment=None),
    "an unknown treatment": rollout_with(treatment=9),
    "an unknown mode": rollout_with(mode="mirror"),
    "a rollout without id": lambda prompt: prompt["rollouts"][0].pop("id"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_manifest_that_does_not_hang_together_is_refused(change: Change) -> None:
    value = json.loads(BYTES)
    change(value["prompts"]["support"])
    fault = fault_of(sealed(value))
    assert fault.state == "corrupt"
    assert "prompts.support" in str(fault)


@pytest.mark.parametrize("field", ["revision", "issued_at", "prompts", "checksum"])
@pytest.mark.parametrize("value", [None, -1, [], True])
def test_a_wrong_field_at_the_top_is_refused_by_client_and_record(field: str, value: Any) -> None:
    changed = {**WHOLE, field: value}
    if field != "checksum":
        changed = sealed(changed)
    assert fault_of(changed).state == "corrupt"
    with pytest.raises(ValidationError):
        records.Manifest.model_validate(changed, strict=True)


def test_a_field_that_is_not_known_yet_does_not_matter() -> None:
    contents = contents_of(sealed({**WHOLE, "signed_by": "ann"}))
    assert facts(contents) == facts(contents_of(WHOLE))


def test_bare_texts_are_prompts_without_number() -> None:
    served = contents_of_texts({"support": TEXTS[1]}).prompts["support"].versions[0]
    assert served.version == 0
    assert served.digest == program_of(TEXTS[1]).id
    assert served.program == program_of(TEXTS[1])
