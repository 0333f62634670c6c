"""The OpenAPI document: what FastAPI knows of the routes, and what all of them have in common.

Common are the keys, the errors, and ETags; a route need not repeat them. What a field means is told
in the docstring of its record, where people who read the code look for it: from there it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from promptyard import __version__
from promptyard.service.access import SCOPE_FIELD
from promptyard.service.field_words import FIELD_WORDS
from promptyard.service.measured_words import MEASURED_WORDS
from promptyard.service.paths import API
from promptyard.service.problems import MEDIA_TYPE, PROBLEMS, Problem
from promptyard.service.routes import BUSY, ROUTERS

_WORDS = {**FIELD_WORDS, **MEASURED_WORDS}
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_SENTENCE = re.compile(r"(?<=[.:])\s+(?=[`A-Z])")
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


class ServiceApp(FastAPI):
    """The application with all routes, and the document that describes them."""

    def __init__(self, **more: Any) -> None:
        super().__init__(
            title="Promptyard",
            version=__version__,
            summary="Serves prompts, takes traces, watches releases.",
            openapi_url=f"{API}/openapi.json",
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            generate_unique_id_function=_operation_id,
            **more,
        )
        for router in (*BUSY, *(router for router in ROUTERS if router not in BUSY)):
            self.include_router(router)

    def openapi(self) -> dict[str, Any]:
        """Return the document; it is made once."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """All operations of a document: path, method, what is said of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Add what all routes have in common; returns the same document."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["responses"] = {
        f"Problem{status}": {"description": meaning, "content": _PROBLEM}
        for status, meaning in PROBLEMS.items()
    }
    components["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key: `Authorization: Bearer py_...`.",
        },
        "header": {
            "type": "apiKey",
            "in": "header",
            "name": "X-API-Key",
            "description": "A key, where the other header is not free.",
        },
    }
    for path, method, operation in operations(document):
        _say(operation)
        _add_errors(path, method, operation)
    for name, schema in schemas.items():
        _describe_fields(name, schema)
    return document


def _operation_id(route: APIRoute) -> str:
    return route.name


def _say(operation: dict[str, Any]) -> None:
    """Take the summary from the first sentence, and say which key is needed."""
    text = " ".join(operation.get("description", "").split())
    operation["summary"] = _SENTENCE.split(text)[0].removesuffix(".")
    scope = operation.get(SCOPE_FIELD)
    if scope is not None:
        operation["description"] = f"{text} Needs the scope `{scope}`."
        operation["security"] = [{"bearer": []}, {"header": []}]


def _add_errors(path: str, method: str, operation: dict[str, Any]) -> None:
    responses: dict[str, Any] = operation["responses"]
    if "422" in responses and "HTTPValidationError" in str(responses["422"]):
        del responses["422"]
    statuses = {421, 503}
    if SCOPE_FIELD in operation:
        statuses |= {401, 403, 429}
    if operation.get("parameters"):
        statuses |= {400, 404, 422}  # a filter may name what is not there
    if "{" in path:
        statuses |= {404}
    if method != "get":
        statuses |= {404, 409}
    if "requestBody" in operation:
        statuses |= {400, 413, 415, 422}
    if "304" in responses:
        operation.setdefault("parameters", []).extend(_CONDITIONS)
    for status, response in responses.items():
        if status[0] in "45":
            response.setdefault("content", _PROBLEM)
    for status in sorted(statuses):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/Problem{status}"})


_CONDITIONS = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": meaning,
        "schema": {"type": "string"},
    }
    for name, meaning in (
        ("If-None-Match", "ETags that the caller has: 304 where one of them is the present one."),
        ("If-Match", "ETags that the caller means: 412 where none of them is the present one."),
    )
]


def _describe_fields(record: str, schema: dict[str, Any]) -> None:
    """Say of each field that says nothing what the docstring of its record says of it."""
    sentences = _SENTENCE.split(" ".join(schema.get("description", "").split()))
    for name, field in schema.get("properties", {}).items():
        if "description" not in field:
            said = [sentence for sentence in sentences if f"`{name}`" in sentence]
            known = _WORDS.get(f"{record}.{name}") or _WORDS.get(name)
            text = " ".join(said) or known
            if text:
                field["description"] = text
