"""How errors are answered: `application/problem+json` (RFC 9457), one line for a person."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from promptyard.errors import (
    ApprovalNeeded,
    Conflict,
    NameRefused,
    NotFound,
    PromptyardError,
    StorageError,
    Tampered,
)
from promptyard.records.base import Record
from promptyard.service.http_words import http_line, http_lines
from promptyard.service.wrong_values import wrong_parameters

MEDIA_TYPE = "application/problem+json"

log = logging.getLogger("promptyard.service")

PROBLEMS: Mapping[int, str] = {
    400: "The request cannot be read: its JSON, its cursor, its encoding.",
    401: "No key, or one that is unknown, revoked or expired.",
    403: "The key lacks the scope, or the act needs the consent of a second name.",
    404: "There is nothing of this name or number; the detail says what there is.",
    409: "It is not in the state that this needs, or somebody else was first; look again.",
    413: "The body is too large.",
    415: "The body is of another type or encoding.",
    421: "Without keys only loopback is answered.",
    422: "Something in the request is not as it has to be; the detail says what and where.",
    429: "Too many requests; `Retry-After` says when to try again.",
    503: "The store does not answer, too much is under way, or the process is ending; "
    "`Retry-After` says when.",
}
"""Errors that routes have in common; `openapi` documents them where a route can have them."""

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": PROBLEMS[404]}}
"""For `responses=` where something may be missing that no path names."""

_STATUS: tuple[tuple[type[PromptyardError], int, str], ...] = (
    (NotFound, 404, "not-found"),
    (ApprovalNeeded, 403, "approval-needed"),
    (Conflict, 409, "conflict"),
    (NameRefused, 422, "invalid"),
    (Tampered, 500, "tampered"),
    (StorageError, 503, "store-failed"),
    (PromptyardError, 422, "refused"),
)
"""What an error of the line is answered with; the first that fits counts."""


class Problem(Record):
    """What went wrong. `type` names the kind, `detail` says what, where and what to do."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[str, ...] = ()
    request_id: str = ""


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """Return what `responses=` of a route gets: the statuses that all have, and `more`."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    statuses = sorted({400, 401, 403, 408, 413, 415, 422, 429, 503, *more})
    return {
        status: {"description": HTTPStatus(status).phrase}
        | ({} if status == 304 else {"content": content})
        for status in statuses
    }


class RequestRefused(Exception):
    """A request that is answered with a problem; `kind` names it in `Problem.type`."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[str] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)
        self.status = status
        self.kind = kind
        self.retry_after_s = retry_after_s


def problem_of(request: Request, error: Exception) -> Response:
    """Answer a request that failed. What nobody foresaw says nothing of its inside."""
    if isinstance(error, RequestRefused):
        retry = error.retry_after_s
        headers = {} if retry is None else {"Retry-After": f"{max(1, round(retry))}"}
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return problem(
            request, error.status, error.kind, str(error), errors=error.errors, headers=headers
        )
    if isinstance(error, RequestValidationError):
        lines = wrong_parameters(error.errors())
        return problem(request, 422, "invalid", lines[0], errors=lines)
    if isinstance(error, HTTPException):
        kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        headers = dict(error.headers or {})
        return problem(request, error.status_code, kind, str(error.detail), headers=headers)
    for known, status, kind in _STATUS:
        if isinstance(error, known):
            assert isinstance(error, PromptyardError)
            headers = {"Retry-After": "1"} if status == 503 else {}
            if isinstance(error, StorageError):
                _note(request, error)
            lines = http_lines(error)
            return problem(request, status, kind, http_line(error), errors=lines, headers=headers)
    return problem(request, 500, "internal", "The service failed; its log has the reason.")


def _note(request: Request, error: StorageError) -> None:
    """Count that the store failed a request, and say so in the log now and then."""
    service = request.app.state.service
    service.counts.store_errors += 1
    line = service.store_failures.line(http_line(error))
    if line is not None:
        log.error("%s", line)


def problem(
    request: Request,
    status: int,
    kind: str,
    detail: str,
    *,
    errors: tuple[str, ...] | list[str] = (),
    headers: dict[str, str] | None = None,
) -> Response:
    """Return one problem as a response."""
    content = Problem(
        type=f"urn:promptyard:problem:{kind}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=" ".join(detail.split()),
        errors=tuple(errors) if len(errors) > 1 else (),
        request_id=str(getattr(request.state, "request_id", "")),
    )
    return Response(problem_body(content), status, headers=headers, media_type=MEDIA_TYPE)


def problem_body(content: Problem) -> bytes:
    """Write a problem as JSON; ASCII, whatever a hostile request has put into it."""
    return json.dumps(content.model_dump(exclude_defaults=True)).encode()
