# pyright: reportMissingTypeStubs=false
"""Prompts as flags over HTTP, asked for by the OFREP provider of OpenFeature and by hand."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from promptyard.protocols import Store
from promptyard.records.live import Exposure
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan
from promptyard.records.versions import Move
from promptyard.stats.assignment import arm_of, is_enrolled
from support.registered import TEXTS, first_move, version_of
from support.served import Answer, Service, served
from support.stores import on_store

PATH = "/ofrep/v1/evaluate/flags"
AT = "2026-11-27T10:00:00.000000+00:00"


async def with_rollout(store: Store) -> None:
    """Version 1 in production, version 2 beside it for half of the subjects."""
    versions = [await store.add_version(version_of(text)) for text in TEXTS[:2]]
    move = Move(
        prompt="p", pointer="production", from_number=None, to_number=1, actor="a", reason=""
    )
    await store.move_pointer(move)
    rollout = Rollout(
        id="r1",
        prompt="p",
        pointer="production",
        control=1,
        treatment=2,
        control_digest=versions[0].digest,
        treatment_digest=versions[1].digest,
        plan=RolloutPlan(),
        started_at=AT,
        started_by="a",
    )
    first = Decision(
        rollout_id="r1",
        seq=1,
        at=AT,
        actor="a",
        action="start",
        state="running",
        step=0,
        enrolled=0.5,
        step_at=AT,
        sentence="Started.",
    )
    await store.start_rollout(rollout, first)


@pytest.fixture
def service(tmp_path: Path) -> Generator[Service]:
    on_store(str(tmp_path / "service.db"), with_rollout)
    with served(tmp_path) as running:
        running.key = running.new_key("read", "report")
        yield running


def evaluate(service: Service, subject: str | None, **context: Any) -> Answer:
    if subject is not None:
        context["targetingKey"] = subject
    return service.post(f"{PATH}/p", {"context": context})


def test_subjects_get_the_arm_that_any_client_would_give_them(service: Service) -> None:
    met: set[str] = set()
    for number in range(40):
        subject = f"u{number}"
        flag = evaluate(service, subject).json
        arm = arm_of("r1", subject) if is_enrolled("r1", subject, 0.5) else None
        version = 2 if arm == "treatment" else 1
        assert (flag["variant"], flag["reason"]) == (f"v{version}", "SPLIT" if arm else "STATIC")
        assert flag["value"]["text"] == TEXTS[version - 1]
        assert flag["metadata"].get("arm") == arm
        met.add(str(arm))
        again = evaluate(service, subject).json
        assert again == flag
    assert met == {"treatment", "control", "None"}

    async def exposures(store: Store) -> list[str]:
        events = [item.event for item in await store.live_events("p", rollout_id="r1")]
        return [event.arm for event in events if isinstance(event, Exposure)]

    arms = service.in_store(exposures)
    enrolled = [f"u{n}" for n in range(40) if is_enrolled("r1", f"u{n}", 0.5)]
    assert sorted(arms) == sorted(arm_of("r1", name) for name in enrolled)


def test_who_may_only_read_exposes_nobody(service: Service) -> None:
    who = next(f"u{n}" for n in range(99) if is_enrolled("r1", f"u{n}", 0.5))
    reader = service.new_key("read", name="bob")
    body = {"context": {"targetingKey": who}}
    assert service.post(f"{PATH}/p", body, key=reader).json["reason"] == "SPLIT"
    assert not service.in_store(lambda store: store.live_events("p"))


def test_a_move_of_another_process_is_seen(service: Service) -> None:
    assert evaluate(service, None).json["variant"] == "v1"

    async def add(store: Store) -> None:
        await store.add_version(version_of(TEXTS[2]))
        move = Move(
            prompt="p", pointer="staging", from_number=None, to_number=3, actor="a", reason=""
        )
        await store.move_pointer(move)

    missing = evaluate(service, None, pointer="staging")
    assert (missing.status, missing.json["errorCode"]) == (404, "FLAG_NOT_FOUND")
    service.in_store(add)
    end_s = time.monotonic() + 10
    while (found := evaluate(service, None, pointer="staging")).status != 200:
        assert time.monotonic() < end_s
        time.sleep(0.02)
    assert found.json["variant"] == "v3"


def test_a_text_can_be_asked_for(service: Service) -> None:
    assert evaluate(service, None, form="text").json["value"] == TEXTS[0]


def test_a_text_that_utf_8_cannot_say_is_escaped_and_hides_no_other_flag(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        for name, text in (("p", "user:\nA \ud800 {{x}}\n"), ("q", TEXTS[1])):
            await store.add_version(version_of(text, name))
            await store.move_pointer(first_move(name))

    on_store(str(tmp_path / "service.db"), fill)
    with served(tmp_path) as service:
        service.key = service.new_key("read")
        assert evaluate(service, None, form="text").json["value"] == "user:\nA \ud800 {{x}}\n"
        flags = service.post(PATH, {"context": {}}).json["flags"]
        assert [flag["value"]["text"] for flag in flags] == ["user:\nA \ud800 {{x}}\n", TEXTS[1]]


def test_all_flags_come_with_a_tag_and_expose_nobody(service: Service) -> None:
    who = next(f"u{n}" for n in range(99) if is_enrolled("r1", f"u{n}", 0.5))
    body = {"context": {"targetingKey": who}}
    answer = service.post(PATH, body)
    (flag,) = answer.json["flags"]
    assert (flag["key"], flag["reason"]) == ("p", "SPLIT")
    tag = answer.headers["etag"]
    assert service.post(PATH, body, headers={"If-None-Match": tag}).status == 304
    other = service.post(PATH, {"context": {"targetingKey": "x"}}, headers={"If-None-Match": tag})
    assert other.status == 200
    assert not service.in_store(lambda store: store.live_events("p"))
    configuration = service.get("/ofrep/v1/configuration").json
    assert configuration["capabilities"]["flagEvaluation"] == {
        "supportedTypes": ["object", "string"]
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "PARSE_ERROR"),
        (b'{"context": {"targetingKey": NaN}}', "PARSE_ERROR"),
        (b"[]", "INVALID_CONTEXT"),
        (b'{"context": []}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": 3}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": ""}}', "INVALID_CONTEXT"),
        (b'{"context": {"pointer": null}}', "INVALID_CONTEXT"),
        (b'{"context": {"form": "html"}}', "INVALID_CONTEXT"),
        (b'{"context": {"targetingKey": "' + b"x" * 2000 + b'"}}', "INVALID_CONTEXT"),
    ],
)
def test_a_context_that_cannot_be_used_is_refused(service: Service, body: bytes, code: str) -> None:
    for path in (PATH, f"{PATH}/p"):
        refused = service.post(path, body=body, headers={"Content-Type": "application/json"})
        assert (refused.status, refused.json["errorCode"]) == (400, code)
    assert service.post(f"{PATH}/p", body=b"").status == 200


def test_the_provider_of_openfeature_is_the_other_side(service: Service) -> None:
    headers = {"Authorization": f"Bearer {service.key}"}
    provider = OFREPProvider(service.url, headers_factory=lambda: headers)
    api.set_provider_and_wait(provider)
    try:
        client = api.get_client()
        for subject in ("u1", "u2", "u3", "u4"):
            details = client.get_object_details("p", {}, EvaluationContext(subject))
            value = cast("dict[str, Any]", details.value)
            assert details.error_code is None
            assert details.variant == f"v{value['version']}"
            assert details.flag_metadata["digest"] == value["digest"]
        text = client.get_string_details(
            "p", "mine", EvaluationContext(attributes={"form": "text"})
        )
        assert text.value == TEXTS[0]
        missing = client.get_object_details("q", {"mine": True})
        assert (missing.value, missing.error_code) == ({"mine": True}, ErrorCode.FLAG_NOT_FOUND)
        headers["Authorization"] = "Bearer py_none_none"
        refused = client.get_object_details("p", {})
        assert (refused.error_code, refused.error_message) == (ErrorCode.GENERAL, "unauthorized")
    finally:
        provider.session.close()
        api.shutdown()
        api.clear_providers()
