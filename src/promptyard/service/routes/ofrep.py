"""OpenFeature's remote evaluation protocol (OFREP): prompts as flags, for every language.

A flag's key is a prompt's name, the targeting key the subject. Two attributes of the context are
ours: `pointer` chooses another pointer than production, `form: text` asks for the text of a prompt
of one step instead of an object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from promptyard.client.flags import Flag, flag_of
from promptyard.client.sdk import PRODUCTION
from promptyard.errors import NotFound
from promptyard.records.base import Json, Record, as_object
from promptyard.service.access import caller_of, needs
from promptyard.service.http_words import http_line
from promptyard.service.pages import json_bytes
from promptyard.service.problems import RequestRefused
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix="/ofrep/v1", tags=["ofrep"], route_class=ServiceRoute)

MIN_POLL_MS = 1_000
MAX_SUBJECT = 1_000
_REQUEST: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "context": {
                            "type": "object",
                            "description": "`targetingKey` is the subject; `pointer` and `form` "
                            "are ours; what else stands here is passed over.",
                        }
                    },
                }
            }
        }
    }
}


FlagKey = Annotated[
    str, Path(description="The prompt's name.", max_length=200, examples=["support-tickets"])
]
_NO_CONTEXT: Mapping[str, Json] = {}


class FlagAnswer(Record):
    """One flag. `value` is an object, or the text of the prompt where that was asked for."""

    key: str
    value: dict[str, Any] | str
    reason: str = Field(description="STATIC, or SPLIT for a subject of a rollout.")
    variant: str = Field(description="The version, as `v7`.")
    metadata: dict[str, bool | int | float | str]


class FlagFailure(Record):
    """Why there is no flag, in OpenFeature's words and in one sentence."""

    key: str = ""
    errorCode: str  # noqa: N815 (the protocol's name)
    errorDetails: str  # noqa: N815


class FlagAnswers(Record):
    """All flags."""

    flags: tuple[FlagAnswer | FlagFailure, ...]


class _Context(NamedTuple):
    subject: str | None
    pointer: str
    as_text: bool


@router.post(
    "/evaluate/flags/{key}",
    response_model=FlagAnswer,
    responses={
        400: {"model": FlagFailure, "description": "The context cannot be used."},
        404: {"model": FlagFailure, "description": "There is no such prompt or pointer."},
    },
    **needs("read", **_REQUEST),
)
async def evaluate_flag(request: Request, key: FlagKey) -> Response:
    """Resolve one prompt; a subject that meets an arm of a rollout is recorded.

    Recording needs the scope `report`, too.
    """
    try:
        context = await _context(request)
        state = state_of(request)
        resolved = await state.resolver.resolve(
            key,
            subject=context.subject,
            pointer=context.pointer,
            expose=caller_of(request).allows("report"),
        )
        answer = _answer(key, flag_of(resolved), context)
    except NotFound as error:
        return _failure(404, key, "FLAG_NOT_FOUND", http_line(error))
    except RequestRefused as error:
        if error.status not in (400, 415):
            raise
        return _failure(400, key, error.kind, str(error))
    return Response(json_bytes(answer.model_dump()), media_type="application/json")


@router.post(
    "/evaluate/flags",
    response_model=FlagAnswers,
    responses={
        304: {"description": "Nothing has changed for this context."},
        400: {"model": FlagFailure, "description": "The context cannot be used."},
    },
    **needs("read", **_REQUEST),
)
async def evaluate_flags(request: Request) -> Response:
    """Resolve all prompts that have the pointer.

    Whoever asks for all keeps the answers and shows few of them: so no exposure is recorded here.
    What was shown is to be reported by spans or events with rollout and arm.
    """
    try:
        context = await _context(request)
    except RequestRefused as error:
        if error.status not in (400, 415):
            raise
        return _failure(400, "", error.kind, str(error))
    resolver = state_of(request).resolver
    view = await resolver.view()
    flags: list[FlagAnswer | FlagFailure] = []
    for name, pointer in sorted(view.entries):
        if pointer != context.pointer:
            continue
        resolved = await resolver.resolve(
            name, subject=context.subject, pointer=pointer, expose=False
        )
        try:
            flags.append(_answer(name, flag_of(resolved), context))
        except RequestRefused as error:
            failure = FlagFailure(key=name, errorCode=error.kind, errorDetails=str(error))
            flags.append(failure)
    body = json_bytes(FlagAnswers(flags=tuple(flags)).model_dump())
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = [item.strip() for item in request.headers.get("if-none-match", "").split(",")]
    if tag in known:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(body, media_type="application/json", headers={"ETag": tag})


@router.get("/configuration", **needs("read"))
async def read_configuration() -> dict[str, Json]:
    """Say what providers should know: which types there are, and how often to ask."""
    return {
        "name": "promptyard",
        "capabilities": {
            "cacheInvalidation": {
                "polling": {"enabled": True, "minPollingIntervalMs": MIN_POLL_MS}
            },
            "flagEvaluation": {"supportedTypes": ["object", "string"]},
            "caching": {"enabled": False},
        },
    }


async def _context(request: Request) -> _Context:
    """Read the context. Raises RequestRefused whose kind is OpenFeature's error code."""
    body = await request.body()
    try:
        given = as_object(await request.json()) if body.strip() else _NO_CONTEXT
    except RequestRefused as error:
        raise RequestRefused(400, "PARSE_ERROR", str(error)) from None
    context = None if given is None else as_object(given.get("context", {}))
    if context is None:
        raise RequestRefused(400, "INVALID_CONTEXT", "the body is an object with a `context`")
    subject = context.get("targetingKey")
    if subject is not None and not _is_name(subject):
        detail = f"targetingKey is a text of 1 to {MAX_SUBJECT} characters"
        raise RequestRefused(400, "INVALID_CONTEXT", detail)
    pointer = context.get("pointer", PRODUCTION)
    if not _is_name(pointer):
        raise RequestRefused(400, "INVALID_CONTEXT", "pointer is the name of a pointer")
    form = context.get("form", "object")
    if form not in ("object", "text"):
        raise RequestRefused(400, "INVALID_CONTEXT", "form is `object` or `text`")
    return _Context(subject, pointer, as_text=form == "text")


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT


def _answer(key: str, flag: Flag, context: _Context) -> FlagAnswer:
    value: dict[str, Any] | str = flag.value
    if context.as_text:
        text = flag.value.get("text")
        if text is None:
            detail = f"'{key}' has several steps: ask for an object"
            raise RequestRefused(400, "TYPE_MISMATCH", detail)
        value = str(text)
    metadata: Mapping[str, bool | int | float | str] = flag.metadata
    return FlagAnswer(
        key=key, value=value, reason=flag.reason, variant=flag.variant, metadata=dict(metadata)
    )


def _failure(status: int, key: str, code: str, details: str) -> Response:
    content = FlagFailure(key=key, errorCode=code, errorDetails=" ".join(details.split()))
    return Response(json.dumps(content.model_dump()), status, media_type="application/json")
