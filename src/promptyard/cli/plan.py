"""Draws the plan of a run: calls by phase, price, what the cases can show, and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptyard.cli.draw import table
from promptyard.reports.figures import usd

if TYPE_CHECKING:
    from rich.console import Console

    from promptyard.line.forecast import RunPlan
    from promptyard.line.planned_phases import PlannedCalls

ROLES = ("task", "optimizer", "judge")


def draw_plan(out: Console, plan: RunPlan) -> None:
    """Draw the plan; what is expected are means of simulated runs, no promise."""
    n_cases = ", ".join(f"{split} {n:,}" for split, n in plan.n_by_split.items())
    out.print(f"{plan.task}: strategy {plan.strategy}; cases: {n_cases}", markup=False)
    _draw_calls(out, plan)
    _draw_price(out, plan)
    _draw_power(out, plan)
    for note in plan.warnings:
        out.print(f"Warning: {note}", style="yellow", markup=False)
    for note in plan.left_out:
        out.print(f"Left out: {note}", style="yellow", markup=False)
    out.print("Nothing was spent. What the store has already is not paid again.", markup=False)


def _draw_calls(out: Console, plan: RunPlan) -> None:
    roles = [role for role in ROLES if getattr(plan.expected, role) != 0]
    columns = (
        "phase",
        "split",
        *(f"{role} calls" for role in roles),
        *(f"{role} at most" for role in roles),
    )
    rows = [
        (
            phase.phase,
            phase.split,
            *(_count(phase.expected, role) for role in roles),
            *(_count(phase.maximum, role, "no limit") for role in roles),
        )
        for phase in plan.phases
    ]
    total = (
        *(_count(plan.expected, role) for role in roles),
        *(_count(plan.maximum, role, "no limit") for role in roles),
    )
    right = range(2, len(columns))
    title = "Expected calls, and the most that the budget allows"
    out.print(table(title, columns, [*rows, ("all", "", *total)], right=right))


def _count(calls: PlannedCalls, role: str, unknown: str = "unknown") -> str:
    n: int | None = getattr(calls, role)
    return unknown if n is None else f"{n:,}"


def _draw_price(out: Console, plan: RunPlan) -> None:
    sizes = ", ".join(f"{role} {n:,}" for role, n in plan.tokens_per_call.items())
    known = plan.measured
    source = (
        "estimated from the texts"
        if known is None or "tokens" not in known.dimensions
        else f"of the task model as measured in run {known.run_id}"
    )
    tokens = "unknown" if plan.tokens is None else f"about {plan.tokens:,}"
    out.print(f"Tokens: {tokens} ({sizes} a call, {source}).", markup=False)
    if plan.unpriced:
        named = ", ".join(plan.models.get(role, f"the {role} model") for role in plan.unpriced)
        out.print(f"Cost: unknown; no price is known for {named}.", markup=False)
    elif plan.usd is not None:
        most = "no limit is set" if plan.max_usd is None else f"at most about {usd(plan.max_usd)}"
        out.print(f"Cost: about {usd(plan.usd)}; {most}.", markup=False)


def _draw_power(out: Console, plan: RunPlan) -> None:
    rows = [
        (
            f"{power.split} ({power.n_cases:,} cases)",
            *(
                "none" if row.difference is None else f"{100 * row.difference:.1f} points"
                for row in power.differences
            ),
        )
        for power in plan.power
    ]
    shares = [row.changed_share for row in plan.power[0].differences] if plan.power else []
    columns = ("split", *(f"if {100 * share:.0f} % change" for share in shares))
    if rows:
        title = "Smallest gain found four times in five"
        out.print(table(title, columns, rows, right=range(1, len(columns))))
