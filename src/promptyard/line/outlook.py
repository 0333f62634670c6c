"""What is said before money is spent: can the cases show a gain, and is there one to be had?"""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.evalset.power import MeasuredSplit, SplitPower, split_power
from promptyard.line.plan import keep_decision_calls
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.records.measurements import Measurement
from promptyard.registry.versions import PRODUCTION
from promptyard.search.settings import AutoSettings
from promptyard.stats.power import (
    cases_for_effect,
    minimal_detectable_effect,
    smallest_significant_win,
)

LIKELY_GAIN = 0.10
"""The gain that a test should find four times in five, for a run to be worth its price."""


def powers(task: Task) -> tuple[SplitPower, ...]:
    """Return what dev and holdout can show, of the splits that have cases."""
    names: tuple[MeasuredSplit, ...] = ("dev", "holdout")
    return tuple(
        split_power(
            name,
            n_cases=len(cases),
            n_clusters=len({(case.cluster, case.cluster or case.id) for case in cases}),
            alpha=task.gates.alpha,
        )
        for name in names
        if (cases := task.eval_set.split(name))
    )


def same_program(task: Task, model: str, measured: Sequence[Measurement]) -> Measurement | None:
    """Return the newest whole measurement of the task's own program by its model.

    Train does not count: the holdout and dev say more of what is left to gain.
    """
    own = [
        item
        for item in measured
        if item.program_id == task.program.id
        and item.model == model
        and item.score is not None
        and item.split != "train"
    ]
    return own[-1] if own else None


async def starting_notes(task: Task, session: Session) -> tuple[str, ...]:
    """Set the calls of dev and the decision aside; returns what to know before anything is spent.

    On a resume it is what was said at the start: measurements of the run itself do not count.
    """
    unpaid = keep_decision_calls(task, session)
    measured = await session.store.measurements(task.name, program_id=task.program.id)
    earlier = [item for item in measured if item.run_id != session.header.id]
    known = same_program(task, session.header.task_model, earlier)
    served = await _other_is_served(task, session)
    said = (note for note in (unpaid, served) if note is not None)
    return (*said, *outlook_notes(task, known))


async def _other_is_served(task: Task, session: Session) -> str | None:
    """Say that production has another prompt than the one that is searched from."""
    pointers = await session.store.pointers(task.name)
    number = next((item.number for item in pointers if item.pointer == PRODUCTION), None)
    versions = await session.store.versions(task.name)
    others = {item.number for item in versions if item.digest != task.program.id}
    if number not in others:
        return None
    return (
        f"{PRODUCTION} is at v{number}, another prompt than the task's own, which this run begins "
        f"with and compares with; `promptyard prompts show {task.name} {PRODUCTION}` prints the "
        "one that is served, for the task's prompt file"
    )


def outlook_notes(task: Task, known: Measurement | None) -> tuple[str, ...]:
    """Say `low headroom` and `under-powered` where it is so; both cost no call to know."""
    found = (_low_headroom(known), _under_powered(task, known))
    return tuple(note for note in found if note is not None)


def _low_headroom(known: Measurement | None) -> str | None:
    if known is None or known.score is None:
        return None
    if 1 - known.score > AutoSettings().low_headroom:
        return None
    return (
        f"low headroom: this prompt scored {100 * known.score:.1f} % on {known.n_cases} cases of "
        f"{known.split}; harder cases would show more than another prompt"
    )


def _under_powered(task: Task, known: Measurement | None) -> str | None:
    decided = [item for item in powers(task) if item.n_cases]
    if not decided:
        return None
    power, alpha = decided[-1], task.gates.alpha
    n = power.n_clusters
    unit = "case" if n == power.n_cases else "independent cluster"
    unit += "" if n == 1 else "s"
    needed = smallest_significant_win(alpha)
    if n < needed:
        return (
            f"under-powered: {n} {power.split} {unit} cannot show any gain, not even if all are "
            f"mended; it takes at least {needed}"
        )
    gain = LIKELY_GAIN
    if known is not None and known.score is not None:
        gain = min(gain, max(0.0, 1 - known.score))
    # Where nothing breaks, the share of cases that change is the gain itself.
    if not gain or minimal_detectable_effect(n, gain, alpha=alpha) is not None:
        return None
    wanted = cases_for_effect(gain, gain, alpha=alpha)
    return (
        f"under-powered: {n} {power.split} {unit} miss a gain of {100 * gain:.0f} points more than "
        f"once in five times, even where nothing breaks; {wanted} would not"
    )
