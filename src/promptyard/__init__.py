"""Promptyard: the production line for prompts.

Eval set, signals, candidates, funnel, registry, release. The public API is resolved on first use,
so that importing the package costs next to nothing; `promptyard.aio` has the async verbs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptyard import aio as aio
    from promptyard.errors import PromptyardError
    from promptyard.line.check import check
    from promptyard.line.sync import evaluate, optimize
    from promptyard.line.task import Models, Splits, Task, load_task
    from promptyard.records.budget import Budget, Spent
    from promptyard.records.cases import Case, CheckSpec, EvalSet
    from promptyard.records.events import Event
    from promptyard.records.messages import Completion, Message
    from promptyard.records.prompts import Demo, Program, Prompt
    from promptyard.records.runs import Run
    from promptyard.records.scores import Report, Score, Trial
    from promptyard.records.verdicts import GateSettings, Verdict

_HOMES = {
    "Budget": "records.budget",
    "Case": "records.cases",
    "CheckSpec": "records.cases",
    "Completion": "records.messages",
    "Demo": "records.prompts",
    "EvalSet": "records.cases",
    "Event": "records.events",
    "GateSettings": "records.verdicts",
    "Message": "records.messages",
    "Models": "line.task",
    "Program": "records.prompts",
    "Prompt": "records.prompts",
    "PromptyardError": "errors",
    "Report": "records.scores",
    "Run": "records.runs",
    "Score": "records.scores",
    "Spent": "records.budget",
    "Splits": "line.task",
    "Task": "line.task",
    "Trial": "records.scores",
    "Verdict": "records.verdicts",
    "check": "line.check",
    "evaluate": "line.sync",
    "load_task": "line.task",
    "optimize": "line.sync",
}

__version__ = "0.1.0"

__all__ = [
    "Budget",
    "Case",
    "CheckSpec",
    "Completion",
    "Demo",
    "EvalSet",
    "Event",
    "GateSettings",
    "Message",
    "Models",
    "Program",
    "Prompt",
    "PromptyardError",
    "Report",
    "Run",
    "Score",
    "Spent",
    "Splits",
    "Task",
    "Trial",
    "Verdict",
    "check",
    "evaluate",
    "load_task",
    "optimize",
]


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives, once."""
    if name == "aio":
        return importlib.import_module("promptyard.aio")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'promptyard' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"promptyard.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "aio"])
