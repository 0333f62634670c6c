"""The OpenAPI document says of every operation who may call it, what it takes, and how it fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute

from promptyard.service.access import SCOPE_FIELD
from promptyard.service.openapi import ServiceApp, operations
from promptyard.service.paths import PUBLIC
from promptyard.service.requests import ServiceRoute
from promptyard.service.routes import ROUTERS

Document = Mapping[str, Any]
SCOPES = {"read", "report", "write", "release", "admin"}
RELEASE_TAGS = {"gates", "moves", "pointers", "prompts", "protections", "rollouts", "versions"}
MEASURING_TAGS = {"eval sets", "jobs", "monitors", "runs", "tasks", "traces"}


@pytest.fixture(scope="module")
def document() -> Document:
    return ServiceApp().openapi()


def test_every_route_is_documented_and_checks_keys(document: Document) -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert all(isinstance(route, ServiceRoute) for route in routes)
    paths = {route.path for route in routes if isinstance(route, APIRoute)}
    assert paths == set(document["paths"])


def test_every_operation_has_a_scope_an_id_of_its_own_and_words(document: Document) -> None:
    ids: Counter[str] = Counter()
    for path, method, operation in operations(document):
        label = f"{method} {path}"
        ids[operation["operationId"]] += 1
        assert re.fullmatch(r"[a-z][a-z0-9_]*", operation["operationId"]), label
        assert operation["summary"], label
        assert operation["tags"], label
        if path in PUBLIC:
            assert SCOPE_FIELD not in operation, label
            continue
        assert operation[SCOPE_FIELD] in SCOPES, label
        assert operation["security"], label
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_operation_documents_its_errors_as_problems(document: Document) -> None:
    for path, method, operation in operations(document):
        label = f"{method} {path}"
        statuses = set(operation["responses"])
        wanted = {"421", "503"}
        if path not in PUBLIC:
            wanted |= {"401", "403", "429"}
        if "requestBody" in operation:
            wanted |= {"400", "413", "415", "422"}
        if "{" in path:
            wanted |= {"404", "422"}
        assert wanted <= statuses, label
        for status, given in operation["responses"].items():
            name = given.get("$ref", "").removeprefix("#/components/responses/")
            response = document["components"]["responses"][name] if name else given
            assert response["description"], label
            if status >= "400" and path.startswith("/api/v1"):
                assert "application/problem+json" in response["content"], (label, status)


def test_every_parameter_and_every_field_that_is_sent_is_described(document: Document) -> None:
    missing: list[str] = []
    for path, method, operation in operations(document):
        label = f"{method} {path}"
        missing += [
            f"{label}: {item['name']}"
            for item in operation.get("parameters", ())
            if not item.get("description")
        ]
        missing += [f"{label}: {name}" for name in _undescribed(document, _sent(operation))]
    assert missing == []


def test_every_field_of_an_answer_about_releases_and_measurements_is_described(
    document: Document,
) -> None:
    missing: set[str] = set()
    for _, _, operation in operations(document):
        if (RELEASE_TAGS | MEASURING_TAGS) & set(operation["tags"]):
            missing |= set(_undescribed(document, operation["responses"]))
    assert missing == set()


def test_paths_and_bodies_have_examples_that_a_reader_can_send(document: Document) -> None:
    parameters = [
        item
        for _, _, operation in operations(document)
        if (RELEASE_TAGS | MEASURING_TAGS) & set(operation["tags"])
        for item in operation.get("parameters", ())
        if item["in"] == "path"
    ]
    assert parameters
    assert [item["name"] for item in parameters if not item["schema"].get("examples")] == []


def _sent(operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return [body for kind, body in content.items() if kind == "application/json"]


def _undescribed(document: Document, node: Any) -> Iterator[str]:
    """Fields without a description in all schemas that a part of the document leads to."""
    schemas = document["components"]["schemas"]
    seen: set[str] = set()
    pending = [node]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += cast("list[Any]", value)
        if not isinstance(value, dict):
            continue
        given = cast("dict[str, Any]", value)
        place, _, name = str(given.get("$ref", "")).rpartition("/")
        if place.endswith("schemas") and name not in seen:
            seen.add(name)
            pending.append(schemas[name])
            fields: Mapping[str, Any] = schemas[name].get("properties", {})
            yield from (
                f"{name}.{key}" for key, item in fields.items() if "description" not in item
            )
        pending += given.values()
