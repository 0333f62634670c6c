"""Webhooks: addresses that are told of moves, decisions and alerts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from promptyard.line import webhooks
from promptyard.line.webhook_addresses import MAX_URL_CHARS
from promptyard.line.webhooks import (
    create_webhook,
    delete_webhook,
    list_webhooks,
    try_webhook,
)
from promptyard.records.base import Record
from promptyard.records.webhooks import (
    WEBHOOK_EVENTS,
    Delivered,
    MadeWebhook,
    WebhookEvent,
    WebhookInfo,
)
from promptyard.service.access import caller_of, needs
from promptyard.service.pages import Cursor, Limit, Page, slice_of
from promptyard.service.paths import API
from promptyard.service.problems import refusals
from promptyard.service.requests import ServiceRoute
from promptyard.service.state import state_of

router = APIRouter(prefix=f"{API}/webhooks", tags=["webhooks"], route_class=ServiceRoute)

WebhookId = Annotated[str, Path(pattern="^wh_[0-9a-f]{16}$", description="The webhook's id.")]


class NewWebhook(Record):
    """What webhook is to be made."""

    url: str = Field(
        min_length=1,
        max_length=MAX_URL_CHARS,
        description="http or https; all addresses of its host are public, or allowed by "
        "PROMPTYARD_WEBHOOK_ALLOW.",
    )
    events: tuple[WebhookEvent, ...] = Field(
        default=WEBHOOK_EVENTS,
        min_length=1,
        max_length=10,
        description="What it is told of: moves of pointers, decisions on rollouts, alerts.",
    )
    prompt: str | None = Field(
        default=None, min_length=1, max_length=200, description="Of this prompt only."
    )


@router.get("", **needs("admin"), responses=refusals())
async def list_all_webhooks(
    request: Request, cursor: Cursor = None, limit: Limit = 100
) -> Page[WebhookInfo]:
    """List webhooks, oldest first, with failed tries, what was given up, and which are disabled."""
    return slice_of(await list_webhooks(state_of(request).store), cursor, limit)


@router.post("", status_code=201, **needs("admin"), responses=refusals())
async def make_webhook(request: Request, response: Response, wanted: NewWebhook) -> MadeWebhook:
    """Make a webhook; what it is signed with is in this answer and nowhere else."""
    made = await create_webhook(
        state_of(request).store,
        wanted.url,
        actor=caller_of(request).name,
        events=wanted.events,
        prompt=wanted.prompt,
    )
    request.state.audit = {"webhook": made.webhook.id}
    response.headers["Cache-Control"] = "no-store"
    return made


@router.delete("/{webhook_id}", status_code=204, **needs("admin"), responses=refusals(404))
async def remove_webhook(request: Request, webhook_id: WebhookId) -> None:
    """Tell an address no longer."""
    await delete_webhook(state_of(request).store, webhook_id)


@router.post("/{webhook_id}/enable", **needs("admin"), responses=refusals(404))
async def enable_webhook(request: Request, webhook_id: WebhookId) -> WebhookInfo:
    """Tell a webhook again that was disabled or waits for its next try, from where it was."""
    return await webhooks.enable_webhook(state_of(request).store, webhook_id)


@router.post("/{webhook_id}/test", **needs("admin"), responses=refusals(404))
async def send_test(request: Request, webhook_id: WebhookId) -> Delivered:
    """Send a webhook a delivery of the type `test`, and say how it went; takes up to 10 s."""
    state = state_of(request)
    return await try_webhook(state.store, webhook_id, state.webhook_sender.send)
