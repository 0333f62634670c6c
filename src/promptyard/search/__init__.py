"""Station 3, the order of things: who proposes next and who survives. One file a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import SearchPolicy
from promptyard.search.auto import Auto

POLICIES: Mapping[str, Callable[[], SearchPolicy]] = {
    "auto": Auto,
}
