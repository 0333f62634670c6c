"""scipy, the oracle of these tests. It has no type stubs, so it enters as Any, here only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

scipy_stats: Any = import_module("scipy.stats")
scipy_special: Any = import_module("scipy.special")
