"""How the steps of a program run. One file a workflow, one line in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import Workflow
from promptyard.records.base import Json
from promptyard.workflows.chain import Chain
from promptyard.workflows.single import Single

WorkflowFactory = Callable[[Mapping[str, Json]], Workflow]

WORKFLOWS: Mapping[str, WorkflowFactory] = {
    "single": Single,
    "chain": Chain,
}
