"""The page of the HTTP API: every operation with the scope that its key needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docs.generator.text import page, sentences, table


def http_api_page(document: Mapping[str, Any]) -> str:
    """List the operations of an OpenAPI document, a table for each of their tags."""
    from promptyard.service.access import SCOPE_FIELD, STREAM_FIELD
    from promptyard.service.openapi import operations
    from promptyard.service.problems import PROBLEMS

    out = [
        "What `promptyard serve` answers. Bodies, parameters and answers are in "
        "[openapi.json](openapi.json), which a running service gives at "
        "`/api/v1/openapi.json`. A key is sent as `Authorization: Bearer py_...`; the scopes "
        "`write` and `release` include `read`, `admin` includes all. As long as there is no key, "
        "only loopback is answered, and nobody needs one. The name of the key is who acts.\n\n"
        "Lists come in pages: `limit` items, and `next` is the `cursor` of the page that follows. "
        "Single things have an ETag. A slash in a name is written `%2F`. A version is named by its "
        "number, a pointer or `latest`. Errors are `application/problem+json`.\n\n"
    ]
    by_tag: dict[str, list[tuple[str, str, str, str]]] = {}
    for path, method, operation in operations(document):
        summary = sentences(operation["summary"])
        streams = " (a stream of events)" if operation.get(STREAM_FIELD) else ""
        scope = operation.get(SCOPE_FIELD)
        row = (
            method.upper(),
            f"`{path}`",
            f"`{scope}`" if scope else "none",
            f"{summary}{streams}",
        )
        by_tag.setdefault(operation["tags"][0], []).append(row)
    for tag in sorted(by_tag):
        title = tag.replace("-", " ").capitalize()
        out.append(f"## {title}\n\n")
        out.append(table(("method", "path", "scope", "what it does"), by_tag[tag]))
    out.append("## Errors\n\n")
    rows = [(str(status), meaning) for status, meaning in PROBLEMS.items()]
    out.append(table(("status", "when"), rows))
    return page("HTTP API", out)
