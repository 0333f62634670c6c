"""Prompts: which there are, what points where, how they measured."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from promptyard.line import prompt_log
from promptyard.line.prompt_log import PromptOverview, PromptSummary, VersionScore
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    page_of,
    place_of,
    slice_of,
    tagged,
)
from promptyard.service.parameters import PromptName
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["prompts"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


@router.get("/prompts", **needs("read"))
async def list_prompts(
    request: Request, cursor: Cursor = None, limit: Limit = 100
) -> Page[PromptSummary]:
    """List the registered prompts by name: what points where, which rollouts have not ended."""
    after = place_of(cursor, str) or ""
    found = await prompt_log.list_prompts(store_of(request), after=after, limit=limit + 1)
    return page_of(found, limit, lambda item: item.name)


@router.get("/prompts/{name}", response_model=PromptOverview, responses=TAGGED, **needs("read"))
async def show_prompt(request: Request, name: PromptName) -> Response:
    """Show one prompt: pointers, newest version, scores, rollouts that have not ended."""
    return tagged(request, await prompt_log.prompt_overview(store_of(request), name))


@router.get("/prompts/{name}/scores", **needs("read"))
async def list_scores(
    request: Request, name: PromptName, cursor: Cursor = None, limit: Limit = 100
) -> Page[VersionScore]:
    """List what the versions of a prompt came to on eval sets, by version.

    Of a version on a split the newest measurement counts.
    """
    return slice_of(await prompt_log.list_scores(store_of(request), name), cursor, limit)
