"""What a replica counts of itself, for its metrics: whole numbers, added to as things happen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Since the start of the process; `open_streams` is how many there are now."""

    spans: int = 0
    events: int = 0
    rejected: int = 0
    store_errors: int = 0
    open_streams: int = 0
