"""The log of moves: which pointer went where, when, by whom, and why."""

from __future__ import annotations

from fastapi import APIRouter, Request

from promptyard.line import prompt_log
from promptyard.records.versions import Move
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import Cursor, JsonAnswer, Limit, Page, log_of
from promptyard.service.parameters import PointerFilter, PromptName
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=API, tags=["moves"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


@router.get("/prompts/{name}/moves", **needs("read"))
async def list_moves(
    request: Request,
    name: PromptName,
    pointer: PointerFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Move]:
    """List the moves of a prompt's pointers, newest first."""
    return log_of(await prompt_log.list_moves(store_of(request), name, pointer), cursor, limit)
