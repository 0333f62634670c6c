"""The background work there is: each piece calls the line, and says in one line what came of it."""

from __future__ import annotations

from pathlib import Path

from promptyard.line.live_judging import LiveJudging
from promptyard.line.monitoring import look_at_all_traffic
from promptyard.line.retention import prune
from promptyard.line.rollout_engine import Ticked
from promptyard.line.rollout_watch import RolloutWatch
from promptyard.line.webhook_delivery import deliver_due
from promptyard.service.background import Did, Turn, Worker
from promptyard.service.state import ServiceState


def _canary(state: ServiceState) -> Turn:
    watch = RolloutWatch(state.store)  # keeps what it has read: each event is read once

    async def turn() -> Did:
        ticked = await watch.tick()
        decisions = [item for item in ticked.looks if item.decision is not None]
        n_waiting = sum(bool(item.blocked) for item in ticked.looks)
        waiting = f", {n_waiting} promotions wait for approval" if n_waiting else ""
        return Did(
            f"looked at {len(ticked.looks)} rollouts, {len(decisions)} decisions{waiting}",
            trouble=_trouble(ticked),
            changed=bool(decisions),
        )

    return turn


def _trouble(ticked: Ticked) -> str:
    """Return what a person has to see to, in one line."""
    published = ticked.publication.warnings if ticked.publication is not None else ()
    damaged = (item.damaged for item in ticked.looks)
    return "; ".join(text for text in (ticked.trouble, *damaged, *published) if text)


def _monitors(state: ServiceState) -> Turn:
    async def turn() -> Did:
        found = await look_at_all_traffic(state.store, state.settings.monitors)
        n_alerts = sum(len(report.alerts) for report in found.reports)
        said = f"looked at {len(found.reports)} prompts, {n_alerts} alerts"
        return Did(said, trouble="; ".join(found.troubles))

    return turn


def _retention(state: ServiceState) -> Turn:
    async def turn() -> Did:
        found = await prune(state.store, state.settings.retention)
        n_events = found.n_outcomes + found.n_feedback + found.n_exposures
        trouble = f"{found.n_damaged} events cannot be read and stay" if found.n_damaged else ""
        traffic = f"{found.n_spans} spans, {n_events} live events"
        rest = f"{found.n_jobs} jobs, {found.n_audit} entries of the audit log"
        return Did(f"deleted {traffic}, {rest}", trouble=trouble)

    return turn


def _judges(state: ServiceState) -> Turn:
    tasks = state.settings.tasks
    judge_calls = state.settings.judge_calls
    judging = (
        None if tasks is None else LiveJudging(state.store, Path(tasks), judge_calls=judge_calls)
    )

    async def turn() -> Did:
        if judging is None:
            return Did("grades nothing: `service: tasks:` names no folder")
        done = await judging.round()
        said = f"graded {done.n_checked} answers by checks, {done.n_judged} by judges"
        later = f"; {done.stopped} rollouts have more for the next round" if done.stopped else ""
        alone = f"; {done.n_without_task} rollouts have no task" if done.n_without_task else ""
        return Did(f"{said} ({done.judge_calls} calls){later}{alone}", "; ".join(done.troubles))

    return turn


def _webhooks(state: ServiceState) -> Turn:
    async def turn() -> Did:
        told = await deliver_due(state.store, state.webhook_sender.send)
        waiting = f"; {told.n_waiting} webhooks wait for their next try" if told.n_waiting else ""
        disabled = f"; {told.n_disabled} are disabled" if told.n_disabled else ""
        given_up = f", {told.n_given_up} events given up" if told.n_given_up else ""
        return Did(
            f"told {told.n_delivered} times, {told.n_failed} tries failed{given_up}"
            f"{waiting}{disabled}",
            trouble="; ".join(told.troubles),
        )

    return turn


WORKERS: tuple[Worker, ...] = (
    Worker("canary", lambda settings: settings.canary_every_s, _canary),
    Worker("monitors", lambda settings: settings.monitor_every_s, _monitors),
    Worker("judges", lambda settings: settings.judge_every_s, _judges),
    Worker("webhooks", lambda settings: settings.webhook_every_s, _webhooks),
    Worker("retention", lambda settings: settings.retention_every_s, _retention),
)
"""All background work of the service; each runs in the replica that holds its lease."""
