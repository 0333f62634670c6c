"""The check `skip`: a check of another tool that cannot be run here, kept and counted."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import CheckSkipped
from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class Skip(Check):
    """Stand for a check that was imported from another tool and cannot be run here.

    It neither passes nor fails: the case is left to its other checks, and reports count how often
    and why it was skipped. A case with no other check is unscored.

    Options:
        reason: why it cannot be run, such as `unsupported: promptfoo javascript`.
        source: the check as the other tool wrote it; kept, never read.

    Never fails. Soft, accuracy.
    """

    name = "skip"
    option_names = ("reason", "source")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.reason = self.options.text("reason")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Raise CheckSkipped, always."""
        del case, completion
        raise CheckSkipped(self.reason)
