"""The routes, one file a noun."""

from __future__ import annotations

from fastapi import APIRouter

from promptyard.service.paths import API as API
from promptyard.service.paths import PUBLIC as PUBLIC
from promptyard.service.routes import (
    audit,
    background,
    eval_sets,
    events,
    exchange,
    gates,
    health,
    index,
    jobs,
    keys,
    manifest,
    metrics,
    monitors,
    moves,
    ofrep,
    otlp,
    pointers,
    prompts,
    protections,
    rollouts,
    runs,
    tasks,
    traces,
    traffic,
    versions,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    audit.router,
    background.router,
    eval_sets.router,
    events.router,
    exchange.router,
    gates.router,
    health.router,
    index.router,
    jobs.router,
    keys.router,
    manifest.router,
    metrics.router,
    monitors.router,
    moves.router,
    ofrep.router,
    otlp.router,
    pointers.router,
    prompts.router,
    protections.router,
    rollouts.router,
    runs.router,
    tasks.router,
    traces.router,
    traffic.router,
    versions.router,
    webhooks.router,
)
"""All routes of the service."""

BUSY: tuple[APIRouter, ...] = (
    manifest.router,
    otlp.router,
    events.router,
    ofrep.router,
)
"""Those that applications ask all the time are matched first: each router before costs time."""
