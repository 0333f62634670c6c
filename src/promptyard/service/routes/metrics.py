"""Metrics for Prometheus."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from promptyard.service.access import needs
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(tags=["metrics"], route_class=ServiceRoute)

_TEXT: dict[str, Any] = {"content": {"text/plain": {}}, "description": "Prometheus' text format."}


@router.get(
    "/metrics", **needs("read"), response_class=Response, responses={200: _TEXT, **refusals()}
)
async def read_metrics(request: Request) -> Response:
    """Return the metrics of this replica: requests, what was taken in, background work, process."""
    from promptyard.service.metrics import CONTENT_TYPE, metrics_text

    return Response(await metrics_text(state_of(request)), headers={"Content-Type": CONTENT_TYPE})
