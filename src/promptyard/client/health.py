"""How the source of a client is: what came of the last look at it, and of all looks so far."""

from __future__ import annotations

import time
from dataclasses import dataclass

from promptyard.client.source import SourceFault, SourceState


@dataclass
class Health:
    """How the source is, and what became of the looks at it."""

    state: SourceState = "unread"
    message: str = ""
    checked_s: float | None = None
    revision: int | None = None
    n_checks: int = 0
    n_faults: int = 0
    fallback_message: str = ""

    def note_good(self, revision: int) -> None:
        """Count a look that found a good manifest."""
        self.state, self.message, self.revision = "ok", "", revision
        self.checked_s = time.monotonic()
        self.n_checks += 1

    def note(self, fault: SourceFault) -> None:
        """Count a look that found none."""
        self.state, self.message = fault.state, str(fault)
        self.checked_s = time.monotonic()
        self.n_checks += 1
        self.n_faults += 1
