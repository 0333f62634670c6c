"""Rollouts by hand: start, approve, pause, resume, abort, roll back. Each is published.

What decides by itself is in `line/rollout_engine`. A decision that another one came before is made
anew on what is there then, so that nobody's word is lost to a tick of the engine.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from promptyard.errors import ApprovalNeeded, ConfigError, Conflict, Tampered
from promptyard.line.publish import Publication, publish_after
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.line.rollout_finding import find_rollout
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.person_names import is_same_person
from promptyard.records.rollouts import (
    ENGINE,
    Action,
    Decision,
    Rollout,
    RolloutPlan,
    RolloutRecord,
    RolloutState,
    active_rollout,
)
from promptyard.records.versions import Move, PromptVersion
from promptyard.registry import versions as registry
from promptyard.registry.protection import protected_pointers
from promptyard.registry.versions import pointer_named, resolve_version

DecisionOn: TypeAlias = Callable[[Store, RolloutRecord], Awaitable[Decision]]

MAX_TRIES = 20
"""How often a decision is made anew when another one came first."""


class Decided(Record):
    """A decision on a rollout that was made, and where clients can see it.

    `move` is that of the pointer where the way back led past the rollout: after its end.
    """

    rollout: Rollout
    decision: Decision
    publication: Publication
    move: Move | None = None


@dataclass(frozen=True)
class By:
    """Who acts, and why; the reason goes into the log."""

    actor: str
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse the name of the engine: a replay would take a person's word for one of its own."""
        if is_same_person(self.actor, ENGINE):
            raise ConfigError(f"'{self.actor}' is the name of the engine; act under your own")


def utc_now() -> str:
    """The present time in UTC, ISO 8601 with microseconds, as the store writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


async def start_rollout(
    url: StoreOrUrl, name: str, reference: str, *, pointer: str, plan: RolloutPlan, by: By
) -> Decided:
    """Put a version beside the one that `pointer` is at, on the first step of the plan.

    Behind a protected pointer the rollout waits for the approval of a second person. Raises
    NotFound, Tampered or Conflict; nothing is then written.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        treatment = await resolve_version(store, name, reference)
        place = await pointer_named(store, name, pointer)
        if place is None:
            raise ConfigError(
                f"pointer '{pointer}' of prompt '{name}' is not set, so there is nothing to put "
                f"v{treatment.number} beside; `promptyard prompts promote {name} VERSION "
                f"--to {pointer}` sets it"
            )
        control = await store.version(name, place.number)
        if control.number == treatment.number:
            raise Conflict(f"{name}: {pointer} is at v{control.number} already; nothing to start")
        _require_same_inputs(control, treatment)
        rollout = Rollout(
            id=f"v{treatment.number}-{secrets.token_hex(4)}",
            prompt=name,
            pointer=pointer,
            control=control.number,
            treatment=treatment.number,
            control_digest=control.digest,
            treatment_digest=treatment.digest,
            plan=plan,
            started_at=utc_now(),
            started_by=by.actor,
            reason=by.reason,
        )
        waits = pointer in await protected_pointers(store, name)
        first = _first_decision(rollout, waits=waits)
        await store.start_rollout(rollout, first)
        return Decided(rollout=rollout, decision=first, publication=await publish_after(store))


def _require_same_inputs(control: PromptVersion, treatment: PromptVersion) -> None:
    """Raise ConfigError where who renders the control could not render the treatment."""
    known = set(control.program.variables)
    new = [name for name in treatment.program.variables if name not in known]
    if new:
        raise ConfigError(
            f"v{treatment.number} of '{treatment.name}' needs {{{{{new[0]}}}}}, which "
            f"v{control.number} does not use: applications do not give it; register it as "
            "another prompt"
        )


async def approve_rollout(
    url: StoreOrUrl, reference: str, *, pointer: str | None, by: By
) -> Decided:
    """Let a rollout behind a protected pointer run, as somebody other than who started it.

    Where the pointer was protected later, this lets it promote. Raises ApprovalNeeded for whoever
    started it, Conflict where no approval is waited for.
    """

    async def approved(store: Store, record: RolloutRecord) -> Decision:
        rollout = record.rollout
        if rollout.pointer not in await protected_pointers(store, rollout.prompt) and (
            record.last.state != "awaiting_approval"
        ):
            raise Conflict(f"rollout '{rollout.id}' waits for no approval")
        if is_same_person(by.actor, rollout.started_by):
            raise ApprovalNeeded(
                f"rollout '{rollout.id}' was started by {rollout.started_by}: somebody else must "
                "approve it"
            )
        sentence = f"{by.actor} approved it{_because(by.reason)}."
        if record.last.state != "awaiting_approval":
            return _by_hand(record, "approve", record.last.state, by, sentence)
        now = _not_before(record)
        return _by_hand(record, "approve", "running", by, sentence).model_copy(
            update={"at": now, "step_at": now, "enrolled": rollout.plan.steps[0] / 100}
        )

    return await _decide(url, reference, pointer, approved)


async def pause_rollout(url: StoreOrUrl, reference: str, *, pointer: str | None, by: By) -> Decided:
    """Let nothing be decided for now; subjects stay in their arms, and its age goes on."""

    async def paused(_: Store, record: RolloutRecord) -> Decision:
        _require_state(record, "running", "pause")
        return _by_hand(
            record, "pause", "paused", by, f"{by.actor} paused it{_because(by.reason)}."
        )

    return await _decide(url, reference, pointer, paused)


async def resume_rollout(
    url: StoreOrUrl, reference: str, *, pointer: str | None, by: By
) -> Decided:
    """Let a paused rollout be decided on again."""

    async def resumed(_: Store, record: RolloutRecord) -> Decision:
        _require_state(record, "paused", "resume")
        said = f"{by.actor} resumed it{_because(by.reason)}."
        return _by_hand(record, "resume", "running", by, said)

    return await _decide(url, reference, pointer, resumed)


async def abort_rollout(url: StoreOrUrl, reference: str, *, pointer: str | None, by: By) -> Decided:
    """End a rollout without a verdict on its version; everybody gets the control again."""

    async def aborted(_: Store, record: RolloutRecord) -> Decision:
        return _by_hand(
            record, "abort", "aborted", by, f"{by.actor} aborted it{_because(by.reason)}."
        )

    return await _decide(url, reference, pointer, aborted)


async def roll_back_rollout(
    url: StoreOrUrl, reference: str, *, pointer: str | None, by: By
) -> Decided:
    """Take a version back: end its rollout or, after its promotion, move the pointer back.

    Needs the store and nothing else: no approval, no gate, no model. Raises Conflict where the
    rollout was not promoted or the pointer has moved on since.
    """
    async with opened(url) as store:
        record = await find_rollout(store, reference, pointer)
        if record.is_active:
            try:
                return await _decide_on(store, record, _rolled_back_by(by))
            except Conflict:  # it has ended in this moment: promoted, perhaps
                record = await store.rollout(record.rollout.id, last_only=True)
                if record.is_active:
                    raise
        rollout = record.rollout
        if record.last.state != "promoted":
            raise Conflict(f"rollout '{rollout.id}' has ended already: {record.last.state}")
        place = await pointer_named(store, rollout.prompt, rollout.pointer)
        if place is None or place.number != rollout.treatment:
            raise Conflict(
                f"{rollout.pointer} has moved on from v{rollout.treatment} since rollout "
                f"'{rollout.id}'; `promptyard prompts rollback {rollout.prompt}` goes one back"
            )
        move = await registry.rollback(
            store,
            rollout.prompt,
            pointer=rollout.pointer,
            to_number=rollout.control,
            actor=by.actor,
            reason=by.reason or f"v{rollout.treatment} taken back after its rollout",
        )
        return Decided(
            rollout=rollout,
            decision=record.last,
            publication=await publish_after(store),
            move=move,
        )


async def end_rollout_behind(store: Store, name: str, pointer: str, by: By) -> Decision | None:
    """End the rollout behind a pointer as rolled back; None where none is running.

    A rollout that cannot be read any more keeps nobody from going back: it is left as it is, and
    out of the manifest as soon as its pointer moves.
    """
    try:
        record = active_rollout(await store.rollouts(name, last_only=True), pointer)
    except Tampered:
        return None
    if record is None:
        return None
    try:
        return (await _decide_on(store, record, _rolled_back_by(by))).decision
    except Conflict:
        if (await store.rollout(record.rollout.id, last_only=True)).is_active:
            raise
        return None  # it has ended in this moment


async def _decide(
    url: StoreOrUrl, reference: str, pointer: str | None, decision_on: DecisionOn
) -> Decided:
    async with opened(url) as store:
        record = await find_rollout(store, reference, pointer, active=True)
        return await _decide_on(store, record, decision_on)


async def _decide_on(store: Store, record: RolloutRecord, decision_on: DecisionOn) -> Decided:
    """Store a decision, made anew where another one came first, and publish it."""
    for _ in range(MAX_TRIES):
        decision = await decision_on(store, record)
        try:
            stored = await store.decide(decision)
        except Conflict:
            before, record = record, await store.rollout(record.rollout.id, last_only=True)
            if not record.is_active or record.last.seq == before.last.seq:
                raise
            continue
        return Decided(
            rollout=record.rollout, decision=stored, publication=await publish_after(store)
        )
    raise Conflict(
        f"rollout '{record.rollout.id}' is decided on faster than this can be said; try again"
    )


def _rolled_back_by(by: By) -> DecisionOn:
    async def rolled_back(_: Store, record: RolloutRecord) -> Decision:
        said = f"{by.actor} rolled v{record.rollout.treatment} back{_because(by.reason)}."
        return _by_hand(record, "roll_back", "rolled_back", by, said).model_copy(
            update={"verdict": "fail"}
        )

    return rolled_back


def _first_decision(rollout: Rollout, *, waits: bool) -> Decision:
    percent = f"{rollout.plan.steps[0]:g} %"
    sentence = (
        f"Waits for the approval of somebody other than {rollout.started_by}: "
        f"{rollout.pointer} is protected."
        if waits
        else f"Started at {percent} of the subjects."
    )
    return Decision(
        rollout_id=rollout.id,
        seq=1,
        at=rollout.started_at,
        actor=rollout.started_by,
        action="start",
        state="awaiting_approval" if waits else "running",
        step=0,
        enrolled=0.0 if waits else rollout.plan.steps[0] / 100,
        step_at=rollout.started_at,
        sentence=sentence,
    )


def _not_before(record: RolloutRecord) -> str:
    """Return the present time, or that of the last decision where its clock was ahead of ours.

    Were time to go back, the next look would see less than was seen, and no replay be as it was.
    """
    return max(record.last.at, utc_now())


def _by_hand(
    record: RolloutRecord, action: Action, state: RolloutState, by: By, sentence: str
) -> Decision:
    """Write a person's decision; what was measured and seen so far stays as it was."""
    last = record.last
    is_end = state in {"aborted", "rolled_back"}
    return Decision(
        rollout_id=record.rollout.id,
        seq=last.seq + 1,
        at=_not_before(record),
        actor=by.actor,
        action=action,
        state=state,
        step=last.step,
        enrolled=0.0 if is_end else last.enrolled,
        step_at=last.step_at,
        n_at_step=last.n_at_step,
        through=last.through,
        rejected=last.rejected,
        guards=last.guards,
        ratio=last.ratio,
        baseline=last.baseline,
        sentence=sentence,
    )


def _require_state(record: RolloutRecord, state: RolloutState, verb: str) -> None:
    if record.last.state != state:
        raise Conflict(
            f"rollout '{record.rollout.id}' is {record.last.state.replace('_', ' ')}: only one "
            f"that is {state} can be {verb}d"
        )


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
