"""Station 4: the stages that candidates pass. One file a stage, one line in the table.

Early stages reject and order on few cases; only `decide`, on the sealed holdout, makes a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from promptyard.funnel.decide import Decide
from promptyard.funnel.full import Full
from promptyard.funnel.regress import Regress
from promptyard.funnel.screen import Screen
from promptyard.funnel.settings import FunnelSettings
from promptyard.protocols import Stage

StageFactory = Callable[[FunnelSettings], Stage]

STAGES: Mapping[str, StageFactory] = {
    "screen": Screen,
    "regress": Regress,
    "full": Full,
    "decide": Decide,
}
