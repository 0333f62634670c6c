"""The routes, one file a noun."""

from __future__ import annotations

from fastapi import APIRouter

from promptyard.service.paths import API as API
from promptyard.service.paths import PUBLIC as PUBLIC
from promptyard.service.routes import (
    audit,
    background,
    events,
    health,
    keys,
    manifest,
    metrics,
    ofrep,
    traffic,
    webhooks,
)

ROUTERS: tuple[APIRouter, ...] = (
    audit.router,
    background.router,
    events.router,
    health.router,
    keys.router,
    manifest.router,
    metrics.router,
    ofrep.router,
    traffic.router,
    webhooks.router,
)
"""All routes of the service."""
