"""What a keeper knows of its reads: the last one, and those of its start."""

from __future__ import annotations

from dataclasses import dataclass, field

from promptyard.client.source import Mark, SourceFault
from promptyard.client.tasks import Task


@dataclass
class Known:
    """What was last read of the source: by what it is recognised, and whether it was good."""

    mark: Mark
    content: bytes
    fault: SourceFault | None


@dataclass
class FirstRead:
    """The reads of a start: what has come of them so far."""

    end_s: float
    source: Task
    snapshot: Task
    fallback: Task
    is_settled: bool = field(default=False)
