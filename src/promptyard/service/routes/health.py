"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from fastapi import APIRouter, Request

from promptyard.records.base import Record
from promptyard.service.problems import RequestRefused
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(tags=["health"], route_class=ServiceRoute)

STORE_S = 5.0
"""So long the store may take to answer: it waits for others' locks at times."""


class Health(Record):
    """That it lives, or serves."""

    status: str


@router.get("/healthz")
async def health() -> Health:
    """Say that the process lives; looks at nothing else."""
    return Health(status="ok")


@router.get("/readyz")
async def readiness(request: Request) -> Health:
    """Say whether requests can be served: the store answers, and the process is not ending.

    The store is asked twice a second, not for each who wants to know.
    """
    state = state_of(request)
    if state.stopping.is_set():
        raise RequestRefused(503, "stopping", "this process is ending", retry_after_s=1)
    try:
        await state.changes.check(timeout_s=STORE_S)
    except TimeoutError:
        detail = f"the store has not answered within {STORE_S:g} s"
        raise RequestRefused(503, "store-slow", detail, retry_after_s=1) from None
    if state.manifest.trouble:  # of what is stored nothing is said here: the log has it
        return Health(status="ready, but the manifest could not be renewed: see the log")
    return Health(status="ready")
