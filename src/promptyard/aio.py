"""The public API for async code: the same names as `promptyard`, to be awaited."""

from __future__ import annotations

from promptyard.line.api import evaluate, optimize

__all__ = ["evaluate", "optimize"]
