"""Pareto fronts: who is best at something, and who is best at nothing that others are not.

An axis is a case, a dimension or a cost; on each, the front is everyone who ties at the best
value. Pure. Source: GEPA (arXiv 2507.19457).
"""

from __future__ import annotations

from collections.abc import Mapping

_TIE = 1e-6  # scores come back from 32-bit storage


def fronts(
    values: Mapping[str, Mapping[str, float]], *, tolerance: Mapping[str, float] | None = None
) -> dict[str, frozenset[str]]:
    """Return for each axis the names that tie at its highest value.

    `values` maps names to values by axis, higher is better; a name that lacks an axis is not on
    its front. `tolerance` widens the tie on an axis, in its own unit.
    """
    best: dict[str, float] = {}
    for axes in values.values():
        for axis, value in axes.items():
            best[axis] = max(value, best.get(axis, value))
    wide = tolerance or {}
    return {
        axis: frozenset(
            name
            for name, axes in values.items()
            if axis in axes and axes[axis] >= top - wide.get(axis, 0.0) - _TIE
        )
        for axis, top in best.items()
    }


def undominated(
    on_fronts: Mapping[str, frozenset[str]], strength: Mapping[str, float]
) -> tuple[str, ...]:
    """Return who is needed, strongest first; ties keep the order of `strength`.

    From the weakest upwards, a name goes when each of its fronts also has another one that is
    left. Names on no front go.
    """
    left = {name for names in on_fronts.values() for name in names}
    strongest_first = sorted((n for n in strength if n in left), key=lambda n: -strength[n])
    for name in reversed(strongest_first):
        own = [names for names in on_fronts.values() if name in names]
        if all((names & left) - {name} for names in own):
            left.discard(name)
    return tuple(name for name in strongest_first if name in left)


def front_counts(
    on_fronts: Mapping[str, frozenset[str]], strength: Mapping[str, float]
) -> dict[str, int]:
    """Return on how many fronts each undominated name is: its weight as a parent."""
    return {
        name: sum(name in names for names in on_fronts.values())
        for name in undominated(on_fronts, strength)
    }
