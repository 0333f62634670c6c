"""Who listens to the events of a run: a callback of the caller, whose mistakes must not end it."""

from __future__ import annotations

from promptyard.protocols import EventSink
from promptyard.records.events import Event


class Listener:
    """Passes events on. What the callback raises first is kept; it is called on all the same."""

    def __init__(self, on_event: EventSink | None) -> None:
        self._on_event = on_event
        self._has_failed = False

    def tell(self, event: Event) -> str | None:
        """Tell an event; returns what went wrong as a note, the first time that something did."""
        if self._on_event is None:
            return None
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 (the callback is code of others)
            if not self._has_failed:
                self._has_failed = True
                return f"on_event raised {type(error).__name__}: {error}; the run went on without"
        return None
