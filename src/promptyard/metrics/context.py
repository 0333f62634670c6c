"""What a metric may know of its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from promptyard.protocols import Judge, Metric
from promptyard.records.cases import CheckSpec
from promptyard.records.messages import OutputContract, Tool


@dataclass(frozen=True)
class MetricContext:
    """The surroundings of a check.

    `output` is the contract of the prompt that gives the answer (`json_schema` takes its schema
    from it and `enum` its labels when the check names none), `tools` are that prompt's tools.
    `judge` is None where no judge model is named. `build` makes the metric of a nested check;
    `folder` is the task's, from which relative names are resolved.
    """

    output: OutputContract = field(default_factory=OutputContract)
    tools: tuple[Tool, ...] = ()
    judge: Judge | None = None
    build: Callable[[CheckSpec], Metric] | None = None
    folder: Path | None = None
