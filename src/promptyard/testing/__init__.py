"""Public tools for tests: a scripted model and a contract suite for each seam.

    from promptyard.testing import ModelContract, ScriptedModel

Names are resolved when first used, so that a suite costs nothing to those who do not run it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptyard.testing.metric_contract import MetricContract
    from promptyard.testing.model_contract import ModelContract
    from promptyard.testing.scripted_model import ScriptedModel
    from promptyard.testing.store_contract import StoreContract

_MODULES = {
    "MetricContract": "metric_contract",
    "ModelContract": "model_contract",
    "ScriptedModel": "scripted_model",
    "StoreContract": "store_contract",
}

__all__ = ["MetricContract", "ModelContract", "ScriptedModel", "StoreContract"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
