"""What is found in a text that should not be there."""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """One thing that should not be in a text: its kind, and the characters at which it stands.

    `key` is the form in which it is compared with what is allowed.
    """

    kind: str
    key: str
    start: int
    end: int
