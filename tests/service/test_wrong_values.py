"""What is wrong with a request is said in one line: where, what is expected, what came."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from promptyard.service.wrong_values import MAX_LINES
from support.job_service import task_service
from support.served import Service

JOBS = "/api/v1/jobs"
KEYS = "/api/v1/keys"
WEBHOOKS = "/api/v1/webhooks"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    with task_service(tmp_path_factory.mktemp("wrong"), requests_per_s=1e6, burst=10**6) as running:
        yield running


def refused(service: Service, path: str, body: Any = None) -> list[str]:
    answer = service.get(path) if body is None else service.post(path, body)
    assert answer.status == 422, answer.body
    said = answer.json
    lines = said.get("errors", [said["detail"]])
    assert lines[0] == said["detail"]
    for line in lines:
        for raw in ("Input should", "discriminator", "literal", "tuple", "Field required", "union"):
            assert raw not in line
    return lines


def job(**options: Any) -> dict[str, Any]:
    return {"kind": "eval", "task": "tiny", "options": options}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"kind": "evil", "task": "tiny"},
            "/kind: expected 'eval', 'gate' or 'optimize', got 'evil'; did you mean 'eval'?",
        ),
        (
            {"task": "tiny"},
            "/kind: required key is missing; add it: 'eval', 'gate' or 'optimize'",
        ),
        (job(splitt="dev"), "/options/splitt: unknown key; did you mean 'split'?"),
        (job(candidate="1"), "/options/candidate: unknown key; known: split, n_repeats,"),
        (
            {"kind": "gate", "task": "tiny", "options": {"candidat": "1"}},
            "/options/candidat: unknown key; did you mean 'candidate'?",
        ),
        (job(split="dve"), "/options/split: expected 'train', 'dev' or 'holdout' or 'all', got"),
        (job(n_repeats=0), "/options/n_repeats: must be at least 1, got 0"),
        (job(n_repeats=False), "/options/n_repeats: expected a whole number, got false"),
        (job(n_repeats="2"), "/options/n_repeats: expected a whole number, got '2'"),
        (job(budget={"usd": False}), "/options/budget/usd: expected a number, got false"),
        (job(itself="yes"), "/options/itself: expected true or false, got 'yes'"),
        (job(itself=True, compare="last"), "/options: give one of compare, itself and"),
        (
            {"kind": "optimize", "task": "tiny", "options": {"resume": 5}},
            "/options/resume: expected true or false or text, got 5",
        ),
        (
            {"kind": "gate", "task": "tiny", "options": {"targets": "x"}},
            "/options/targets: expected a list, got 'x'",
        ),
        ({"kind": "eval"}, "/task: required key is missing; add it"),
        ([], "the body: expected keys and values, got []"),
    ],
    ids=str,
)
def test_a_wrong_body_is_worded_like_a_wrong_file(
    service: Service, body: Any, expected: str
) -> None:
    assert refused(service, JOBS, body)[0].startswith(expected)


def test_a_slip_is_told_once_and_all_mistakes_are_told(service: Service) -> None:
    slip = refused(service, KEYS, {"nmae": "x", "scopes": ["read"]})
    assert slip == ["/nmae: unknown key; did you mean 'name'?"]
    several = refused(service, KEYS, {"name": "x", "scopes": ["raed", "read"], "a/b~c": 1})
    assert several[0].startswith("/a~1b~0c: unknown key; known: name, scopes")
    assert several[1].startswith("/scopes/0: expected ")
    assert several[1].endswith("did you mean 'read'?")
    many = refused(service, KEYS, {f"n{number}": 1 for number in range(5_000)})
    assert len(many) == MAX_LINES + 1
    assert many[-1].endswith(" more")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limt=5", "query parameter 'limt': unknown; did you mean 'limit'?"),
        ("limit=5&limit=6", "query parameter 'limit': is given 2 times; give it once"),
        ("limit=x", "query parameter 'limit': expected a whole number, got 'x'"),
        ("limit=false", "query parameter 'limit': expected a whole number, got 'false'"),
        ("limit=0", "query parameter 'limit': must be at least 1, got '0'"),
        ("active=perhaps", "query parameter 'active': expected true or false, got 'perhaps'"),
        ("zzz", "query parameter 'zzz': unknown; known: active, cursor, limit"),
    ],
)
def test_a_wrong_query_is_refused_naming_the_parameter(
    service: Service, query: str, expected: str
) -> None:
    assert refused(service, f"{JOBS}?{query}") == [expected]


def test_a_missing_parameter_and_a_wrong_name_in_a_path_are_named(service: Service) -> None:
    assert refused(service, "/api/v1/traffic") == ["query parameter 'prompt': is required; add it"]
    [said] = refused(service, f"/api/v1/prompts/p/pointers/{'p' * 80}")
    assert said == "path parameter 'pointer': must have at most 64 characters"


def test_a_request_without_a_body_is_told_what_is_expected_and_where_it_stands(
    service: Service,
) -> None:
    [said] = refused_without_body(service, JOBS)
    assert said.startswith("a JSON body is expected (Content-Type: application/json); its schema")
    assert "`order_job` in /api/v1/openapi.json" in said
    [said] = refused_without_body(service, "/api/v1/prompts/p/pointers/production/rollback")
    assert "; {} will do; " in said
    schema = service.get("/api/v1/openapi.json").json["paths"][JOBS]["post"]
    assert schema["operationId"] == "order_job"
    wrong = service.post(JOBS, body=b"{}", headers={"Content-Type": "text/plain"})
    assert wrong.status == 415
    assert wrong.json["detail"] == "the body is application/json, not 'text/plain'"
    unsaid = service.post(JOBS, body=b"{}")
    assert unsaid.json["detail"].startswith("the body is application/json: say so (Content-Type")


def refused_without_body(service: Service, path: str) -> list[str]:
    answer = service.post(path)
    assert answer.status == 422
    return [answer.json["detail"]]
