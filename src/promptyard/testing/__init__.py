"""Public tools for tests: a scripted model and a contract suite for each seam.

    from promptyard.testing import ModelContract, ScriptedModel

A suite is a subclass whose name begins with Test. It gives the methods that the contract leaves to
it: these raise NotImplementedError, so that one that is forgotten fails the tests that need it,
with a line that says what it has to give.

Names are resolved when first used, so that a suite costs nothing to those who do not run it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptyard.testing.foreign_importer_contract import ForeignImporterContract
    from promptyard.testing.gate_contract import GateContract, SuperiorityGateContract
    from promptyard.testing.generator_contract import GeneratorContract
    from promptyard.testing.importer_contract import ImporterContract
    from promptyard.testing.metric_contract import MetricContract
    from promptyard.testing.model_contract import ModelContract
    from promptyard.testing.policy_contract import PolicyContract
    from promptyard.testing.replying_bench import ReplyingBench
    from promptyard.testing.scripted_model import ScriptedModel
    from promptyard.testing.stage_contract import StageContract
    from promptyard.testing.store_contract import StoreContract, TransientStoreContract
    from promptyard.testing.workflow_contract import WorkflowContract

_MODULES = {
    "ForeignImporterContract": "foreign_importer_contract",
    "GateContract": "gate_contract",
    "GeneratorContract": "generator_contract",
    "ImporterContract": "importer_contract",
    "MetricContract": "metric_contract",
    "ModelContract": "model_contract",
    "PolicyContract": "policy_contract",
    "ReplyingBench": "replying_bench",
    "ScriptedModel": "scripted_model",
    "StageContract": "stage_contract",
    "StoreContract": "store_contract",
    "SuperiorityGateContract": "gate_contract",
    "TransientStoreContract": "store_contract",
    "WorkflowContract": "workflow_contract",
}

__all__ = [
    "ForeignImporterContract",
    "GateContract",
    "GeneratorContract",
    "ImporterContract",
    "MetricContract",
    "ModelContract",
    "PolicyContract",
    "ReplyingBench",
    "ScriptedModel",
    "StageContract",
    "StoreContract",
    "SuperiorityGateContract",
    "TransientStoreContract",
    "WorkflowContract",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
