"""The simulated optimizer model: knows a plan's skills, and of a world what requests say."""

from __future__ import annotations

from search_worlds.optimizer.model import OptimizerModel

__all__ = ["OptimizerModel"]
