"""Simulated worlds to search prompts in: task and optimizer models that repeat exactly."""

from __future__ import annotations

from functools import lru_cache

from search_worlds.plan import Plan
from search_worlds.plans import clinic_notes, crew_handbook, freight_bills, lease_clauses
from search_worlds.world import World, with_options

PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (clinic_notes.PLAN, lease_clauses.PLAN, freight_bills.PLAN, crew_handbook.PLAN)
}
WORLD_NAMES = tuple(PLANS)


@lru_cache(maxsize=64)
def world_of(name: str, seed: int = 0) -> World:
    """The world of a name, with options as in `clinic-notes+weak+terse`, and a seed.

    Raises ValueError for a name or an option that does not exist.
    """
    base, *options = name.split("+")
    if base not in PLANS:
        raise ValueError(f"no world {base!r}; there are {', '.join(WORLD_NAMES)}")
    return World(with_options(PLANS[base], frozenset(options)), seed)
