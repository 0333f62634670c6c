"""Monitors: what live traffic looks like, and whether it left its limits or drifted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from promptyard.line import monitoring
from promptyard.line.live_traffic import list_live_events as live_events_of
from promptyard.line.monitoring import NumberedAlert, look_at_traffic
from promptyard.records.base import Record
from promptyard.records.live import StoredEvent
from promptyard.records.monitoring import MonitorLimits, MonitorPlan, MonitorReport
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, store_of
from promptyard.service.pages import Cursor, JsonAnswer, Limit, Page, number_of, page_of
from promptyard.service.parameters import MAX_NAME, NAME_PATTERN, PromptFilter, PromptName
from promptyard.service.paths import API
from promptyard.service.problems import NOT_FOUND
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["monitors"], route_class=ServiceRoute, default_response_class=JsonAnswer
)

_YEAR_S = 366 * 86_400.0


class MonitorLook(Record):
    """Which window is to be looked at, and against what."""

    window_s: float = Field(
        default=86_400.0, gt=0, le=_YEAR_S, description="Length of the window that ends now."
    )
    reference_s: float = Field(
        default=7 * 86_400.0, gt=0, le=_YEAR_S, description="Length of the time before it."
    )
    min_outcomes: int = Field(
        default=50, ge=1, le=1_000_000, description="Below this a window says nothing."
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=0.5, description="How often a limit may be found passed by chance."
    )
    limits: MonitorLimits = Field(default=MonitorLimits(), description="What is held to what.")


@router.post("/prompts/{name}/monitor", **needs("write"))
async def look_at_prompt(request: Request, name: PromptName, body: MonitorLook) -> MonitorReport:
    """Look at live traffic of a prompt now; what is found is stored as alerts, once a window."""
    actor_of(request, window_s=body.window_s)
    plan = MonitorPlan.model_validate(body.model_dump())
    return await look_at_traffic(store_of(request), name, plan)


@router.get("/alerts", responses=NOT_FOUND, **needs("read"))
async def list_alerts(
    request: Request, prompt: PromptFilter = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[NumberedAlert]:
    """List what monitors found, newest first."""
    found = await monitoring.alert_page(
        store_of(request), prompt, before=number_of(cursor), limit=limit + 1
    )
    return page_of(found, limit, lambda item: item.seq)


@router.get("/prompts/{name}/live-events", **needs("write"))
async def list_live_events(
    request: Request,
    name: PromptName,
    rollout: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_NAME,
            pattern=NAME_PATTERN,
            description="Only the events of this rollout, by its id.",
        ),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[StoredEvent]:
    """List a prompt's live events in the order of storing: exposures, outcomes and feedback."""
    found = await live_events_of(
        store_of(request), name, rollout_id=rollout, after=number_of(cursor) or 0, limit=limit + 1
    )
    return page_of(found, limit, lambda item: item.seq)
