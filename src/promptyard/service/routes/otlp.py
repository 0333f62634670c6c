"""OpenTelemetry's own protocol: what exporters send to `OTEL_EXPORTER_OTLP_ENDPOINT`.

A request is answered when it is stored, never before. Refusals have OTLP's form, a
`google.rpc.Status`, in the encoding of the request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from promptyard.errors import TelemetryError
from promptyard.line.ingest import Taken, ingest_logs, ingest_spans
from promptyard.service.access import needs
from promptyard.service.problems import MEDIA_TYPE, PROBLEMS, Problem, RequestRefused
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import ServiceState, state_of
from promptyard.traces.decoded import Encoding
from promptyard.traces.otlp import (
    MEDIA_TYPES,
    encoding_of,
    logs_answer,
    spans_answer,
    status_answer,
)

_GRPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 415: 3, 421: 3, 429: 8, 503: 14}
_INTERNAL = 13
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MEDIA_TYPES["protobuf"]: {"schema": {"type": "string", "format": "binary"}},
            MEDIA_TYPES["json"]: {"schema": {"type": "object"}},
        },
    }
}


_ANSWER = {"schema": {"type": "string", "format": "binary"}}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": PROBLEMS[status],
        "content": {
            MEDIA_TYPES["protobuf"]: _ANSWER,
            MEDIA_TYPES["json"]: {"schema": {"type": "object"}},
            MEDIA_TYPE: {"schema": Problem.model_json_schema()},
        },
    }
    for status in _GRPC_CODES
    if status in PROBLEMS
}
"""Refusals in the encoding of the request, as a problem where that is none of OTLP's."""


class DirectRoute(APIRoute):
    """Calls its function with the request and nothing else: most of the requests come here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what checks the scope and calls the function."""
        checks = [item.dependency for item in self.dependencies if item.dependency is not None]
        answer = self.endpoint

        async def handle(request: Request) -> Response:
            for check in checks:
                await check(request)
            return await answer(request)

        return handle


class OtlpRoute(ServiceRoute, DirectRoute):
    """A route whose refusals are what exporters expect."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of all routes."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            response = await handle(request)
            encoding = encoding_of(request.headers.get("content-type", ""))
            if response.status_code < 400 or encoding is None or not response.body:
                return response  # without a body: the client has gone
            code = _GRPC_CODES.get(response.status_code, _INTERNAL)
            told = json.loads(bytes(response.body))["detail"]
            retry = response.headers.get("retry-after")
            return Response(
                status_answer(encoding, code, told),
                response.status_code,
                {} if retry is None else {"Retry-After": retry},
                MEDIA_TYPES[encoding],
            )

        return answer


router = APIRouter(tags=["otlp"], route_class=OtlpRoute)


def _post(path: str) -> Callable[[Any], Any]:
    scoped = needs("report")
    scoped["openapi_extra"] = {**scoped["openapi_extra"], **_BODY}
    return router.post(path, response_class=Response, responses=_REFUSALS, **scoped)


@_post("/v1/traces")
async def export_spans(request: Request) -> Response:
    """Store spans; those that name a version of a prompt count as its outcomes."""
    encoding = _encoding(request)
    state = state_of(request)
    try:
        taken = await ingest_spans(
            state.store,
            await request.body(),
            encoding,
            versions=state.versions,
            personal_data=state.settings.keep_personal_data,
        )
    except TelemetryError as error:
        raise RequestRefused(400, "not-otlp", str(error)) from None
    _count(state, taken)
    answer = spans_answer(encoding, taken.n_rejected, taken.message)
    return Response(answer, media_type=MEDIA_TYPES[encoding])


@_post("/v1/logs")
async def export_logs(request: Request) -> Response:
    """Store evaluations as feedback on the outcomes of their spans; other logs are not kept."""
    encoding = _encoding(request)
    state = state_of(request)
    try:
        taken = await ingest_logs(
            state.store,
            await request.body(),
            encoding,
            personal_data=state.settings.keep_personal_data,
        )
    except TelemetryError as error:
        raise RequestRefused(400, "not-otlp", str(error)) from None
    _count(state, taken)
    answer = logs_answer(encoding, taken.n_rejected, taken.message)
    return Response(answer, media_type=MEDIA_TYPES[encoding])


def _count(state: ServiceState, taken: Taken) -> None:
    """Add what was taken in to the metrics of this process."""
    state.counts.spans += taken.n_spans
    state.counts.events += taken.n_events
    state.counts.rejected += taken.n_rejected


def _encoding(request: Request) -> Encoding:
    found = request.headers.get("content-type", "")
    encoding = encoding_of(found)
    if encoding is None:
        known = " or ".join(MEDIA_TYPES.values())
        detail = f"the body is {known}; the Content-Type is {found[:100]!r}"
        raise RequestRefused(415, "media-type", detail)
    return encoding
