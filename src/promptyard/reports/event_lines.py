"""Events of a run as lines that a person reads: one an event, the same in progress and journal."""

from __future__ import annotations

from promptyard.records.events import (
    Accepted,
    Composed,
    Credited,
    Decided,
    Diagnosed,
    Eliminated,
    Event,
    Noted,
    Proposed,
    Rejected,
    Screened,
    Spending,
    Staged,
)
from promptyard.reports.figures import change, counted, percent, usd
from promptyard.reports.visible import one_line, visible

LINE_CHARS = 240

FOR_PROGRESS = (Accepted, Diagnosed, Noted, Staged)
"""Events that are shown while a run goes on; the others come too often."""


def event_line(event: Event) -> str:
    """Say in one line what happened. What models wrote in it is cut and made visible."""
    return visible(one_line(_said(event), LINE_CHARS))


def _said(event: Event) -> str:
    match event:
        case Diagnosed():
            return (
                f"baseline {percent(event.score)} on {counted(event.n_cases, 'train case')}, "
                f"{counted(event.n_buckets, 'failure bucket')}"
            )
        case Proposed():
            about = f" for {', '.join(event.evidence[:3])}" if event.evidence else ""
            return f"{event.generator} proposes {_short(event)}{about}: {event.hypothesis}"
        case Rejected():
            return f"{event.generator} rejected ({event.code}): {event.reason}"
        case Composed():
            named = ", ".join(event.buckets[:4]) or "earlier rounds"
            return f"composed {_short(event)} of {counted(event.n_atoms, 'sentence')} for {named}"
        case Eliminated():
            return f"out: {_short(event)}, {event.reason}"
        case Decided():
            return f"{event.verdict.status}: {event.verdict.sentence}"
        case Noted():
            return event.text
        case _:
            return _measured(event)


def _measured(event: Screened | Credited | Accepted | Staged | Spending) -> str:
    match event:
        case Screened():
            on = f"{counted(event.n_cases, 'case')} ({event.purpose})"
            return f"{_short(event)} {percent(event.score)} on {on}"
        case Credited():
            what = "mended" if event.moved else "not moved"
            return (
                f"{event.bucket}: {what}, {event.n_failing_before} → {event.n_failing_after} "
                f"failing on {counted(event.n_cases, 'case')}"
            )
        case Accepted():
            what = "serves" if event.served else "accepts"
            lead = "" if event.difference is None else f", {change('score', event.difference)}"
            on = counted(event.n_cases, "case")
            return f"{what} {_short(event)}{lead} on {on}: {event.reason}"
        case Staged():
            calls = counted(event.calls, "call")
            return f"{event.stage}: {event.n_tried} tried, {event.n_kept} kept, {calls}"
        case Spending():
            spent = event.spent
            price = f", {usd(spent.usd)}" if spent.usd else ""
            return (
                f"spent {counted(spent.task_calls, 'task call')}, "
                f"{counted(spent.optimizer_calls, 'optimizer call')}, "
                f"{counted(spent.judge_calls, 'judge call')}, {spent.tokens:,} tokens{price}"
            )


def _short(event: Proposed | Composed | Screened | Eliminated | Accepted) -> str:
    return event.candidate_id[:8]
