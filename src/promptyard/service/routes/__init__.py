"""The routes, one file a noun."""

from __future__ import annotations

from fastapi import APIRouter

from promptyard.service.paths import API as API
from promptyard.service.paths import PUBLIC as PUBLIC
from promptyard.service.routes import (
    audit,
    eval_sets,
    events,
    gates,
    health,
    jobs,
    keys,
    manifest,
    monitors,
    moves,
    ofrep,
    pointers,
    prompts,
    protections,
    rollouts,
    runs,
    tasks,
    traces,
    versions,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    audit.router,
    eval_sets.router,
    events.router,
    gates.router,
    health.router,
    jobs.router,
    keys.router,
    manifest.router,
    monitors.router,
    moves.router,
    ofrep.router,
    pointers.router,
    prompts.router,
    protections.router,
    rollouts.router,
    runs.router,
    tasks.router,
    traces.router,
    versions.router,
    webhooks.router,
)
"""All routes of the service."""
