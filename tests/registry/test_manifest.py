"""The manifest holds what clients need and nothing else, and proves its bytes."""

from __future__ import annotations

import json

import pytest

from promptyard.errors import Tampered
from promptyard.records.manifest import Manifest
from promptyard.records.prompts import Program
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan, RolloutRecord, RolloutState
from promptyard.records.versions import Pointer, PromptVersion
from promptyard.registry.manifest import PromptSnapshot, build_manifest, manifest_text
from support.registered import version_of


def version(number: int, text: str = "user:\n{{x}} é") -> PromptVersion:
    return version_of(f"{text} {number}").model_copy(update={"number": number})


def pointer(name: str, number: int) -> Pointer:
    return Pointer(prompt="p", pointer=name, number=number, moved_at="")


def rollout(
    control: int, treatment: int, *, state: RolloutState = "running", enrolled: float = 0.1
) -> RolloutRecord:
    started = Rollout(
        id=f"r-{control}-{treatment}",
        prompt="p",
        pointer="production",
        control=control,
        treatment=treatment,
        control_digest="",
        treatment_digest="",
        plan=RolloutPlan(),
        started_at="",
        started_by="me",
    )
    decision = Decision(
        rollout_id=started.id,
        seq=1,
        at="",
        actor="me",
        action="start",
        state=state,
        step=0,
        enrolled=enrolled,
        step_at="",
    )
    return RolloutRecord(rollout=started, decisions=(decision,))


def built(snapshot: PromptSnapshot) -> Manifest:
    return build_manifest({"p": snapshot}, revision=7, issued_at="2026-01-01T00:00:00+00:00")


def test_the_file_gives_back_every_program_byte_for_byte_and_its_checksum_holds() -> None:
    numbers = (2, 10, 11)  # as text, 10 comes before 2
    text = "user:\r\nA 👩‍👩‍👧 e\u0301 {{x}}"
    snapshot = PromptSnapshot(
        versions=[version(number, text) for number in numbers],
        pointers=[pointer(f"at-{number}", number) for number in numbers],
    )
    file = manifest_text(built(snapshot)).encode("utf-8")
    value = json.loads(file)
    assert Manifest.checksum_of(value) == value["checksum"]
    read = Manifest.model_validate(value)
    for number in numbers:
        there = read.prompts["p"].versions[number]
        program = Program.model_validate(there.program)
        assert program.id == there.digest
        assert program.prompt.text == f"{text} {number}"


def test_only_versions_that_something_refers_to_are_in_it() -> None:
    snapshot = PromptSnapshot(
        versions=[version(number) for number in range(1, 9)],
        pointers=[pointer("production", 3), pointer("staging", 5)],
        rollouts=[rollout(3, 7)],
    )
    prompt = built(snapshot).prompts["p"]
    assert sorted(prompt.versions) == [3, 5, 7]
    assert prompt.pointers == {"production": 3, "staging": 5}
    assert [(item.id, item.enrolled, item.mode) for item in prompt.rollouts] == [
        ("r-3-7", 0.1, "split")
    ]


@pytest.mark.parametrize(
    "record",
    [
        rollout(3, 7, state="promoted"),
        rollout(3, 7, state="rolled_back"),
        rollout(3, 7, state="awaiting_approval", enrolled=0.0),
        rollout(2, 7),  # the pointer was moved by hand: nobody is to get version 2 or 7
    ],
    ids=["promoted", "rolled back", "awaiting approval", "pointer moved"],
)
def test_a_rollout_that_does_not_run_is_not_in_it(record: RolloutRecord) -> None:
    snapshot = PromptSnapshot(
        versions=[version(number) for number in (2, 3, 7)],
        pointers=[pointer("production", 3)],
        rollouts=[record],
    )
    prompt = built(snapshot).prompts["p"]
    assert prompt.rollouts == ()
    assert sorted(prompt.versions) == [3]


def test_a_prompt_without_pointers_is_not_in_it() -> None:
    assert built(PromptSnapshot(versions=[version(1)], pointers=[])).prompts == {}


def test_a_lone_surrogate_can_be_published_and_comes_back() -> None:
    snapshot = PromptSnapshot(
        versions=[version(1, "user:\n\ud800 {{x}}")], pointers=[pointer("production", 1)]
    )
    read = Manifest.model_validate(json.loads(manifest_text(built(snapshot)).encode("utf-8")))
    there = read.prompts["p"].versions[1]
    assert Program.model_validate(there.program).id == there.digest


def test_bytes_that_do_not_have_their_digest_are_refused() -> None:
    tampered = version(1).model_copy(update={"digest": version(2).digest})
    with pytest.raises(Tampered, match="version 1 of prompt 'p'"):
        built(PromptSnapshot(versions=[tampered], pointers=[pointer("production", 1)]))
