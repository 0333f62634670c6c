"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random


class Backoff:
    """Waits that double from `first_s` to `most_s`, and differ between clients. For one thread."""

    def __init__(self, *, first_s: float, most_s: float, longest_s: float = 600.0) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._longest_s = longest_s
        self._next_s = first_s
        self._chance = random.Random()  # seeded by the system: clients must not come in step

    def next(self, asked_s: float | None = None) -> float:
        """Return the next wait; at least what the other side asked for, within `longest_s`."""
        wait_s = self._next_s * self._chance.uniform(0.5, 1.0)
        self._next_s = min(self._most_s, 2.0 * self._next_s)
        if asked_s is not None:
            wait_s = max(wait_s, asked_s * self._chance.uniform(1.0, 1.1))
        return min(wait_s, self._longest_s)

    def reset(self) -> None:
        """Begin with the first wait: it went well."""
        self._next_s = self._first_s
