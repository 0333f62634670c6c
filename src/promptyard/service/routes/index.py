"""The first page: what answers here, and where everything else lies."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from promptyard import __version__
from promptyard.records.base import Record
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(tags=["health"], route_class=ServiceRoute)

HTML = "text/html"
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {HTML: {"schema": {"type": "string"}}}, "description": "As JSON or a page."}
}


class ServiceIndex(Record):
    """What answers, and where things lie."""

    name: str = Field(default="Promptyard", description="What answers.")
    version: str = Field(default=__version__, description="Its version.")
    summary: str = Field(
        default="Serves prompts, takes traces, watches releases.", description="What it does."
    )
    openapi: str = Field(
        default=f"{API}/openapi.json", description="All operations (OpenAPI); needs no key."
    )
    health: str = Field(default="/healthz", description="Whether the process lives; no key.")
    readiness: str = Field(default="/readyz", description="Whether it can serve; no key.")
    metrics: str = Field(default="/metrics", description="Metrics for Prometheus; scope `read`.")
    keys: str = Field(
        default="Authorization: Bearer py_... (`promptyard keys create` makes one)",
        description="What all other requests need once there are keys.",
    )


@router.get("/", response_model=ServiceIndex, responses=_ANSWERS)
async def show_index(request: Request) -> Response:
    """Say what answers here and where everything else lies: as JSON, to browsers as a page."""
    index = ServiceIndex()
    if HTML in request.headers.get("accept", ""):
        return Response(_page(index), media_type=HTML, headers={"Vary": "Accept"})
    body = index.model_dump_json()
    return Response(body, media_type="application/json", headers={"Vary": "Accept"})


def _page(index: ServiceIndex) -> str:
    rows = [
        f"<li><a href='{escape(path)}'>{escape(path)}</a>: "
        f"{escape(str(ServiceIndex.model_fields[name].description))}</li>"
        for name in ("openapi", "health", "readiness", "metrics")
        if (path := getattr(index, name))
    ]
    title = f"{index.name} {index.version}"
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<h1>{escape(title)}</h1><p>{escape(index.summary)}</p><ul>{''.join(rows)}</ul>"
        f"<p>Other requests need a key: <code>{escape(index.keys)}</code></p></html>"
    )
