"""Monitors: what a window of live traffic looks like, and where it left its limits or drifted."""

from __future__ import annotations

from promptyard.release.monitors.report import monitor

__all__ = ["monitor"]
