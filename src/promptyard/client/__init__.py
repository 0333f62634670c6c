"""The client of an application: gets prompts in its own process and records what came of them.

`Promptyard(source)` resolves prompts from a manifest file, `AsyncPromptyard` does so in an event
loop. Nothing is imported before it is used, and nothing beyond pydantic at all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptyard.client.asynchronous import AsyncPromptyard
    from promptyard.client.resolved import ResolvedPrompt
    from promptyard.client.sdk import Promptyard

_HOMES = {
    "AsyncPromptyard": "asynchronous",
    "Promptyard": "sdk",
    "ResolvedPrompt": "resolved",
}

__all__ = ["AsyncPromptyard", "Promptyard", "ResolvedPrompt"]


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives, once."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'promptyard.client' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"promptyard.client.{home}"), name)
    globals()[name] = value
    return value
