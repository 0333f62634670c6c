"""Station 3, the order of things: who proposes next and who survives. One file a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.protocols import SearchPolicy
from promptyard.search.auto import Auto
from promptyard.search.beam import Beam
from promptyard.search.halving import Halving
from promptyard.search.opro import Opro
from promptyard.search.pareto import Pareto
from promptyard.search.racing import Racing

POLICIES: Mapping[str, Callable[[], SearchPolicy]] = {
    "auto": Auto,
    "pareto": Pareto,
    "beam": Beam,
    "opro": Opro,
    "halving": Halving,
    "racing": Racing,
}
