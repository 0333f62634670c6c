"""Prompts as flags, asked for by OpenFeature's own SDK."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.track import TrackingEventDetails

from promptyard.client.openfeature_provider import PromptyardProvider
from promptyard.records.pseudonym import pseudonym
from promptyard.stats.assignment import arm_of, is_enrolled
from promptyard.traces.collect import Rejected, read_segment, segments
from support.manifests import ROLLOUT, TEXTS, manifest_of, write_manifest


@pytest.fixture
def flags(tmp_path: Path) -> Generator[OpenFeatureClient]:
    write_manifest(tmp_path / "m.json", manifest_of(rollouts=[ROLLOUT]))
    provider = PromptyardProvider(tmp_path / "m.json", record_to=tmp_path / "spool", poll_s=0.05)
    api.set_provider_and_wait(provider)
    yield api.get_client()
    api.shutdown()
    api.clear_providers()


def subject_in(arm: str | None) -> str:
    """A subject that the rollout puts there; None: one that takes no part."""
    for number in range(1_000):
        name = f"u{number}"
        enrolled = is_enrolled(ROLLOUT.id, name, ROLLOUT.enrolled)
        if (arm_of(ROLLOUT.id, name) if enrolled else None) == arm:
            return name
    raise AssertionError(arm)


def test_a_subject_gets_its_arm_with_reason_and_metadata(flags: OpenFeatureClient) -> None:
    for arm, version, reason in (
        ("treatment", 2, "SPLIT"),
        ("control", 1, "SPLIT"),
        (None, 1, "STATIC"),
    ):
        subject = subject_in(arm)
        details = flags.get_object_details("support", {}, EvaluationContext(subject))
        value = cast("dict[str, Any]", details.value)
        assert details.error_code is None
        assert (details.variant, details.reason) == (f"v{version}", reason)
        assert (value["version"], value["text"]) == (version, TEXTS[version])
        assert value["messages"][-1] == {"role": "user", "content": "{{question}}"}
        metadata = details.flag_metadata
        assert (metadata["version"], metadata["digest"]) == (version, value["digest"])
        assert metadata.get("arm") == arm
        assert metadata.get("rolloutId") == (ROLLOUT.id if arm else None)
        assert metadata["contextId"] == pseudonym(subject)
        text = flags.get_string_details("support", "mine", EvaluationContext(subject))
        assert (text.value, text.variant) == (TEXTS[version], f"v{version}")


def test_what_cannot_be_resolved_is_the_default_with_its_code(flags: OpenFeatureClient) -> None:
    missing = flags.get_object_details("suport", {"mine": True})
    assert missing.value == {"mine": True}
    assert missing.error_code is ErrorCode.FLAG_NOT_FOUND
    assert "it has: support" in str(missing.error_message)
    elsewhere = EvaluationContext(attributes={"pointer": "staging"})
    assert flags.get_object_details("support", {}, elsewhere).error_code is (
        ErrorCode.FLAG_NOT_FOUND
    )
    for details in (
        flags.get_boolean_details("support", False),
        flags.get_integer_details("support", 3),
        flags.get_float_details("support", 0.5),
    ):
        assert details.error_code is ErrorCode.TYPE_MISMATCH


def test_a_provider_without_anything_to_serve_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(ProviderNotReadyError, match=r"none\.json does not exist"):
        api.set_provider_and_wait(PromptyardProvider(tmp_path / "none.json", deadline_s=0.2))
    details = api.get_client().get_string_details("support", "mine")
    assert (details.value, details.error_code) == ("mine", ErrorCode.PROVIDER_NOT_READY)
    api.shutdown()
    api.clear_providers()


def test_what_is_tracked_is_recorded(flags: OpenFeatureClient, tmp_path: Path) -> None:
    who = EvaluationContext(subject_in("treatment"))
    flags.get_object_details("support", {}, who)
    flags.track("support", who, TrackingEventDetails(0.5, {"latency_s": 1.5, "model": "m"}))
    flags.track("support", who, TrackingEventDetails(1.0, {"outcome_id": "o1"}))
    flags.track("checkout", who, TrackingEventDetails(3.0))
    api.shutdown()
    found = [event for item in segments(tmp_path / "spool") for event in read_segment(item)]
    kept = {event.kind: event for event in found if not isinstance(event, Rejected)}
    assert sorted(kept) == ["exposure", "feedback", "outcome"]
    outcome = cast("Any", kept["outcome"])
    assert (outcome.scores, outcome.latency_s, outcome.model) == ({"score": 0.5}, 1.5, "m")
    assert (outcome.arm, outcome.rollout_id, outcome.version) == ("treatment", ROLLOUT.id, 2)
    feedback = cast("Any", kept["feedback"])
    assert (feedback.outcome_id, feedback.scores) == ("o1", {"score": 1.0})


def test_the_sdk_is_told_of_changes(flags: OpenFeatureClient, tmp_path: Path) -> None:
    told: list[ProviderEvent] = []
    for kind in (ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, ProviderEvent.PROVIDER_STALE):

        def note(details: EventDetails, kind: ProviderEvent = kind) -> None:
            assert details.provider_name == "promptyard"
            told.append(kind)

        flags.add_handler(kind, note)
    write_manifest(tmp_path / "m.json", manifest_of(revision=2, pointers={"production": 3}))
    until(lambda: ProviderEvent.PROVIDER_CONFIGURATION_CHANGED in told)
    assert flags.get_string_value("support", "mine") == TEXTS[3]
    (tmp_path / "m.json").unlink()
    until(lambda: ProviderEvent.PROVIDER_STALE in told)
    details = flags.get_string_details("support", "mine")
    assert (details.value, details.reason) == (TEXTS[3], "CACHED")


def until(holds: Any) -> None:
    end_s = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)
