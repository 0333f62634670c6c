"""What the control did at first, frozen: the limit of latency and the cap of cost.

Both are known once and kept: a limit that moved along with the control could not show it slowing.
"""

from __future__ import annotations

import math
from collections import Counter

from promptyard.records.rollouts import LiveBaseline, RolloutPlan
from promptyard.stats.intervals import percentile

CHEAPEST_USD = 1e-6
"""Costs below a millionth of a dollar count as that: a free answer has no logarithm."""


MOST_OF_ONE = 3
"""Values of one subject that go into a baseline: else a single machine could make all of it."""


class FrozenBaseline:
    """Takes the plan's baseline, or else that of the control's first `plan.baseline_outcomes`.

    Outcomes out of which it is made are not measured by it, and neither are those of the treatment
    that came before it was known. Latency and cost are frozen each by itself, as an outcome may
    have one without the other. Of one subject at most `MOST_OF_ONE` values go into either.
    """

    def __init__(self, plan: RolloutPlan) -> None:
        given = plan.baseline
        self._wanted = plan.baseline_outcomes
        self._given = given
        self._p95_s = None if given is None else given.latency_p95_s
        self._cap_usd = None if given is None else given.cost_p999_usd
        self._latencies: list[float] = []
        self._costs: list[float] = []
        self.slowest_s: float | None = None
        self._taken: Counter[tuple[str, str]] = Counter()

    @property
    def frozen(self) -> LiveBaseline | None:
        """The baseline as far as it is known."""
        if self._p95_s is None and self._cap_usd is None:
            return self._given
        n_outcomes = self._wanted if self._given is None else self._given.n_outcomes
        return LiveBaseline(
            n_outcomes=n_outcomes, latency_p95_s=self._p95_s, cost_p999_usd=self._cap_usd
        )

    @property
    def seen(self) -> tuple[int, int]:
        """How many latencies and costs of the control it has been made of so far."""
        return len(self._latencies), len(self._costs)

    def measure(
        self, unit: str, latency_s: float | None, cost_usd: float | None, *, is_control: bool
    ) -> tuple[float | None, float | None]:
        """Return 1.0 for slower than the limit or 0.0, and ln of the capped cost; None if unknown.

        While a baseline is missing, the value of a control outcome goes into it; `unit` is whose
        outcome it is.
        """
        slow: float | None = None
        if latency_s is not None:
            if self._p95_s is not None:
                slow = float(latency_s > self._p95_s)
                if is_control:
                    self.slowest_s = max(self.slowest_s or 0.0, latency_s)
            elif is_control and self._may_take("latency", unit):
                self._latencies.append(latency_s)
                if len(self._latencies) == self._wanted:
                    self._p95_s = percentile(self._latencies, 0.95)
        log_cost: float | None = None
        if cost_usd is not None:
            if self._cap_usd is not None:
                capped = min(cost_usd, self._cap_usd)
                if self._cap_usd <= CHEAPEST_USD:  # a control for free would hide what costs
                    capped = cost_usd
                log_cost = math.log(max(capped, CHEAPEST_USD))
            elif is_control and self._may_take("cost", unit):
                self._costs.append(cost_usd)
                if len(self._costs) == self._wanted:
                    self._cap_usd = percentile(self._costs, 0.999)
        return slow, log_cost

    def _may_take(self, kind: str, unit: str) -> bool:
        """Say whether a subject has a value left to give, and count it."""
        self._taken[kind, unit] += 1
        return self._taken[kind, unit] <= MOST_OF_ONE
