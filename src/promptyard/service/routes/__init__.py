"""The routes, one file a noun."""

from __future__ import annotations

from fastapi import APIRouter

from promptyard.service.routes import events, health, manifest, ofrep

API = "/api/v1"

ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    health.router,
    manifest.router,
    ofrep.router,
)
"""All routes of the service."""

PUBLIC = frozenset({"/healthz", "/readyz", f"{API}/openapi.json"})
"""What is answered without a key: nothing that says anything of what is stored."""
