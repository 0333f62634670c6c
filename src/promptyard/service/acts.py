"""What every act does beside the act: it says who acts, leaves a note, and tells the others."""

from __future__ import annotations

from fastapi import Request

from promptyard.protocols import Store
from promptyard.records.base import Json
from promptyard.service.access import caller_of
from promptyard.service.state import state_of


def store_of(request: Request) -> Store:
    """Return the open store that the line works on."""
    return state_of(request).store


def actor_of(request: Request, **detail: Json) -> str:
    """Return the name that acts; `detail` is what the audit log says of the act beside its path."""
    request.state.audit = detail
    return caller_of(request).name


def changed(request: Request) -> None:
    """Let clients know at once: a pointer or a rollout is not where it was."""
    state_of(request).changes.look()
