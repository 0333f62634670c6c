"""Which version is served, to whom, and what the answer says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from promptyard.client import Promptyard
from promptyard.errors import ConfigError, NotFound, PromptError
from promptyard.records.messages import Message
from promptyard.stats.assignment import arm_of, is_enrolled
from support.manifests import ROLLOUT, TEXTS, manifest_of, program_of, write_manifest

SUBJECTS = [f"user-{number}" for number in range(2_000)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    write_manifest(path, manifest_of(pointers={"production": 1, "staging": 3}))
    return path


def with_rollout(path: Path, *, enrolled: float, revision: int = 2, mode: str = "split") -> None:
    rollout = ROLLOUT.model_copy(update={"enrolled": enrolled, "mode": mode})
    write_manifest(path, manifest_of(revision=revision, rollouts=[rollout]))


def test_the_version_behind_the_pointer_is_served(source: Path) -> None:
    with Promptyard(source) as client:
        prompt = client.prompt("support")
        assert (prompt.name, prompt.version, prompt.reason) == ("support", 1, "pointer")
        assert prompt.digest == program_of(TEXTS[1]).id
        assert prompt.program == program_of(TEXTS[1])
        assert prompt.text == TEXTS[1]
        assert prompt.arm is prompt.rollout_id is prompt.shadow is None
        assert prompt.age_s is not None
        assert 0.0 <= prompt.age_s < 60.0
        assert client.prompt("support", pointer="staging").version == 3
        assert "v1: the pointer is at this version" in repr(prompt)


def test_a_version_can_be_asked_for_by_number(source: Path) -> None:
    with Promptyard(source) as client:
        prompt = client.prompt("support", version=2, subject="ann")
        assert (prompt.version, prompt.reason, prompt.arm) == (2, "static", None)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"name": "sales"}, "no prompt 'sales' in .*; it has: support"),
        ({"name": "support", "pointer": "canary"}, "no pointer 'canary'.*: production, staging"),
        ({"name": "support", "version": 9}, "no v9 of 'support'.*: v1, v2, v3"),
    ],
)
def test_what_does_not_exist_is_said_with_what_does(
    source: Path, asked: dict[str, object], said: str
) -> None:
    with Promptyard(source) as client, pytest.raises(NotFound, match=said):
        client.prompt(**asked)  # pyright: ignore[reportArgumentType]


def test_the_enrolled_get_their_arm_and_the_others_the_pointer(source: Path) -> None:
    with_rollout(source, enrolled=0.3)
    with Promptyard(source) as client:
        for subject in SUBJECTS:
            prompt = client.prompt("support", subject=subject)
            if is_enrolled("r1", subject, 0.3):
                arm = arm_of("r1", subject)
                assert (prompt.arm, prompt.reason, prompt.rollout_id) == (arm, "split", "r1")
                assert prompt.version == (2 if arm == "treatment" else 1)
            else:
                assert (prompt.version, prompt.reason) == (1, "pointer")
                assert prompt.arm is prompt.rollout_id is None


@pytest.mark.parametrize("subject", [None, ""])
def test_without_a_subject_a_rollout_serves_the_pointer(source: Path, subject: str | None) -> None:
    with_rollout(source, enrolled=1.0)
    with Promptyard(source) as client:
        prompt = client.prompt("support", subject=subject)
        assert (prompt.version, prompt.reason, prompt.arm) == (1, "pointer", None)


def test_a_subject_that_is_no_text_is_refused_before_a_rollout_runs(source: Path) -> None:
    with Promptyard(source) as client, pytest.raises(TypeError, match="subject is a text, got int"):
        client.prompt("support", subject=7)  # pyright: ignore[reportArgumentType]


def arms(client: Promptyard) -> dict[str, str]:
    prompts = {subject: client.prompt("support", subject=subject) for subject in SUBJECTS}
    return {subject: prompt.arm for subject, prompt in prompts.items() if prompt.arm}


def test_assignment_is_sticky_over_steps_and_enrolment_only_grows(source: Path) -> None:
    before: dict[str, str] = {}
    with_rollout(source, enrolled=0.02)
    with Promptyard(source) as client:
        client.prompt("support")
        for revision, share in enumerate((0.02, 0.1, 0.25, 0.5, 1.0), start=3):
            with_rollout(source, enrolled=share, revision=revision)
            assert client.refresh()
            now = arms(client)
            assert before.items() <= now.items()
            assert abs(len(now) - share * len(SUBJECTS)) <= 80
            before = now
    counts = Counter(before.values())
    assert abs(counts["treatment"] - counts["control"]) < 200


def test_assignment_is_sticky_over_restarts_and_processes(source: Path) -> None:
    with_rollout(source, enrolled=0.5)
    code = (
        "import json, sys\n"
        "from promptyard.client import Promptyard\n"
        "client = Promptyard(sys.argv[1])\n"
        "names = [f'user-{number}' for number in range(2_000)]\n"
        "prompts = {name: client.prompt('support', subject=name) for name in names}\n"
        "print(json.dumps({name: p.arm for name, p in prompts.items() if p.arm}))\n"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(source)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        )
        with Promptyard(source) as client:
            assert json.loads(done.stdout) == arms(client)


def test_a_rollout_in_shadow_mode_serves_the_control_and_gives_the_treatment_beside(
    source: Path,
) -> None:
    with_rollout(source, enrolled=0.3, mode="shadow")
    with Promptyard(source) as client:
        pairs: set[str] = set()
        for subject in SUBJECTS[:300]:
            prompt = client.prompt("support", subject=subject)
            assert prompt.version == 1
            if not is_enrolled("r1", subject, 0.3):
                assert prompt.shadow is prompt.pair is prompt.arm is None
                continue
            shadow = prompt.shadow
            assert shadow is not None
            assert (prompt.arm, shadow.arm, shadow.version) == ("control", "treatment", 2)
            assert shadow.pair is not None
            assert prompt.pair == shadow.pair
            assert (prompt.rollout_id, shadow.rollout_id) == ("r1", "r1")
            pairs.add(shadow.pair)
        assert 50 < len(pairs) < 130


def test_a_shadow_can_be_given_for_a_share_of_the_calls(source: Path) -> None:
    with_rollout(source, enrolled=1.0, mode="shadow")
    with Promptyard(source, shadow_rate=0.2) as client:
        prompts = [client.prompt("support", subject="ann") for _ in range(1_000)]
        shadows = [prompt for prompt in prompts if prompt.shadow]
        assert 120 < len(shadows) < 280
        assert {prompt.version for prompt in prompts} == {1}
        assert {p.arm for p in prompts if not p.shadow} == {None}  # not in the sample of pairs
    with Promptyard(source, shadow_rate=0.0) as client:
        assert client.prompt("support", subject="ann").shadow is None


def test_a_prompt_renders_to_messages_and_to_plain_dicts(source: Path) -> None:
    with Promptyard(source) as client:
        prompt = client.prompt("support")
        assert prompt.render(question="How?") == (
            Message.of("system", "Be brief."),
            Message.of("user", "How?"),
        )
        assert prompt.messages(question="{{question}}") == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "{{question}}"},
        ]
        with pytest.raises(PromptError, match="which is missing; the inputs given: none"):
            prompt.render()
        with pytest.raises(PromptError, match="is neither text nor JSON"):
            prompt.render(question=object())
        with pytest.raises(PromptError, match="no step 'draft'"):
            prompt.render("draft", question="How?")


def test_images_become_parts_and_params_are_read(source: Path) -> None:
    text = "---\nparams: {temperature: 0}\n---\nuser:\nLook: {{picture}} {{self}}\n"
    write_manifest(source, manifest_of(texts={1: text}))
    with Promptyard(source) as client:
        prompt = client.prompt("support")
        assert prompt.params == {"temperature": 0}
        url = "data:image/png;base64,AAAA"
        (message,) = prompt.messages(picture={"image": url}, self="it")
        assert message["content"] == [
            {"type": "text", "text": "Look: "},
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": " it"},
        ]


@pytest.mark.parametrize(
    "options",
    [
        {"deadline_s": 0},
        {"poll_s": -1},
        {"stale_after_s": float("nan")},
        {"queue_size": 0},
        {"spool_bytes": 0},
        {"shadow_rate": 1.5},
        {"fallback": {"support": 7}},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_meant_is_refused(
    source: Path, options: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        Promptyard(source, **options)  # pyright: ignore[reportArgumentType]


def test_status_says_what_is_served_why_and_since_when(source: Path) -> None:
    with_rollout(source, enrolled=0.25)
    with Promptyard(source) as client:
        assert client.status()["prompts"] == {}
        client.prompt("support")
        status = client.status()
        assert json.loads(json.dumps(status)) == status
        served = status["prompts"]["support"]["production"]
        assert (served["version"], served["reason"]) == (1, "pointer")
        assert served["rollout"] == {"id": "r1", "treatment": 2, "enrolled": 0.25, "mode": "split"}
        assert (status["revision"], status["origin"]) == (2, "source")
        assert status["source"]["state"] == "ok"
        assert status["recording"] is None
        since = served["since"]
        with_rollout(source, enrolled=0.5, revision=3)
        assert client.refresh()
        served = client.status()["prompts"]["support"]["production"]
        assert served["since"] == since  # the version is the same one
        assert served["rollout"]["enrolled"] == 0.5


@pytest.mark.parametrize("snapshot", [".", "", "/"])
def test_a_snapshot_that_is_a_folder_is_refused_at_once(snapshot: str) -> None:
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        Promptyard("manifest.json", snapshot=snapshot)
