"""The background work of all replicas: who does what, and how it stands."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field

from promptyard.line.background import list_leases
from promptyard.records.base import Record
from promptyard.records.leases import Lease
from promptyard.service.access import needs
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix="/api/v1/background", tags=["background"], route_class=ServiceRoute)


class BackgroundWork(Record):
    """Who does what.

    The notes of canary, monitors, judges, webhooks and retention say when they were last and are
    next at work (`last_at`, `next_at`, UTC), how long it took (`took_s`), what they did (`did`),
    what failed (`error`), and how often (`n_turns`, `n_failed`).
    """

    replica: str = Field(description="Who answers; the owner of some of the leases, perhaps.")
    leases: tuple[Lease, ...]


@router.get("", **needs("read"), responses=refusals())
async def list_background(request: Request) -> BackgroundWork:
    """Return the leases of all replicas with what their owners last said of the work."""
    state = state_of(request)
    return BackgroundWork(replica=state.replica, leases=tuple(await list_leases(state.store)))
