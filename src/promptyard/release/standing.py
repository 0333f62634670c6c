"""What a look at a rollout sees: numbers of subjects and one column of values per dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptyard.records.guard_dimensions import MEASURED
from promptyard.records.rollouts import LiveBaseline, Rollout
from promptyard.stats.confidence_sequence import Sample


@dataclass(frozen=True)
class Column:
    """The values of one dimension, one a subject in each arm.

    `difference` holds the differences within subjects where each met both versions (shadow).
    """

    control: Sample
    treatment: Sample
    difference: Sample | None = None


@dataclass(frozen=True)
class Standing:
    """A rollout at one moment, counted over its events up to number `through`.

    `n_exposed` and `n_subjects` are pairs, control first: subjects that met an arm, and those of
    them with an outcome; in shadow mode pairs begun, and subjects with a whole one. `n_both` met
    both arms and are in neither. `columns` has an entry for each dimension with a value in either
    arm. `baseline_seen` is how many latencies and costs of the control went into their baseline,
    `slowest_s` the control's longest latency since then.
    """

    through: int
    n_exposed: tuple[int, int]
    n_subjects: tuple[int, int]
    columns: Mapping[str, Column]
    n_both: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict[str, int])
    baseline: LiveBaseline | None = None
    baseline_seen: tuple[int, int] = (0, 0)
    slowest_s: float | None = None

    @property
    def smaller_arm(self) -> int:
        """The subjects with an outcome in the arm that has fewer."""
        return min(self.n_subjects)


def score_names(rollout: Rollout) -> tuple[str, ...]:
    """Return the guards of a rollout that are live scores."""
    guards = rollout.plan.guards
    return tuple(guard.dimension for guard in guards if guard.dimension not in MEASURED)
