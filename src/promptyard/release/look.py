"""One look at a rollout: what was counted, held against the plan, becomes a decision. Pure.

Harm comes first, then health, then progress; no data is hold, and at the maximum age the rollout is
reverted: nothing is ever promoted for want of evidence. Numbers that are not sound stop whatever
goes forward, but not the way back: the control is always safe. Source: ADR 0017; anchors on
release, 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.records.guard_dimensions import is_proof_needed
from promptyard.records.rollouts import (
    ENGINE,
    Action,
    Decision,
    GuardReading,
    RatioReading,
    RolloutRecord,
    RolloutState,
)
from promptyard.records.verdicts import VerdictStatus
from promptyard.records.versions import Move
from promptyard.release.guards import is_less_seen, less_measured, read_guards
from promptyard.release.outlook import subjects_to_go
from promptyard.release.standing import Standing
from promptyard.release.tally import Tally, seconds
from promptyard.release.wording import listed, time_text
from promptyard.stats.sample_ratio import log_e_ratio, ratio_p_value

DOUBTFUL_RATIO = 0.01
"""The p-value of the arms' shares below which nothing is promoted.

The alarm is slow, as it may never be false: rollouts of equal prompts are promoted before a 53 : 47
split raises it. Putting off a promotion is no harm, so there an ordinary test will do.
"""

_VERDICTS: dict[Action, VerdictStatus] = {"promote": "pass", "roll_back": "fail"}
_AFTER: dict[Action, RolloutState] = {
    "promote": "promoted",
    "roll_back": "rolled_back",
    "abort": "aborted",
}


def look(
    record: RolloutRecord,
    tally: Tally,
    *,
    now: str,
    pointer_number: int | None,
    actor: str = ENGINE,
) -> Decision | None:
    """Return the decision that follows from the events in `tally` at `now`, or None for no change.

    `pointer_number` is where the rollout's pointer is: anywhere but at the control version, and the
    rollout is aborted. While it is paused or awaits approval only that and its age count. Not to be
    stored twice: the same arguments give the same decision, with the same number.

    Raises ValueError where the tally is another rollout's. Costs no calls.
    """
    if tally.rollout.id != record.rollout.id:
        raise ValueError(f"the tally is of rollout '{tally.rollout.id}', not '{record.rollout.id}'")
    standing = tally.standing(now)
    return look_at(record, standing, now=now, pointer_number=pointer_number, actor=actor)


def look_at(
    record: RolloutRecord,
    standing: Standing,
    *,
    now: str,
    pointer_number: int | None,
    actor: str = ENGINE,
) -> Decision | None:
    """As `look`, on numbers that were counted elsewhere."""
    if not record.is_active:
        return None
    seen = _Look(record, standing, now, actor)
    rollout = record.rollout
    if pointer_number != rollout.control:
        where = "is not set" if pointer_number is None else f"is at v{pointer_number}"
        sentence = f"The pointer '{rollout.pointer}' {where}, not at v{rollout.control}: aborted."
        decision = seen.decide("abort", sentence)
        return decision.model_copy(update={"pointer_at": pointer_number})
    if record.last.state != "running":
        return seen.revert(()) if seen.is_aged else None
    decision = _judge(seen, standing)
    return None if _is_old_news(record.last, decision, seen) else decision


@dataclass(frozen=True)
class _Step:
    """How far the present step is. `waits` says what it lacks; empty when it is complete."""

    is_last: bool
    waits: tuple[str, ...]


class _Look:
    """The arguments of a look and the decision that is made of them."""

    def __init__(self, record: RolloutRecord, standing: Standing, now: str, actor: str) -> None:
        self.record = record
        self.standing = standing
        self.plan = record.rollout.plan
        self.now = now
        self.actor = actor
        self.at_s = seconds(now)
        self.guards: tuple[GuardReading, ...] = ()
        self.ratio: RatioReading | None = None

    @property
    def is_aged(self) -> bool:
        """Whether the rollout has reached its maximum age."""
        return self.at_s - seconds(self.record.rollout.started_at) >= self.plan.max_age_s

    def step(self) -> _Step:
        """Measure the present step against the plan."""
        last, plan = self.record.last, self.plan
        waits: list[str] = []
        n_new = self.standing.smaller_arm - last.n_at_step
        percent = f"{plan.steps[last.step]:g} %"
        if n_new < plan.min_subjects:
            waits.append(
                f"the step at {percent} has {max(n_new, 0):,} of {plan.min_subjects:,} subjects "
                "in the smaller arm"
            )
        if self.at_s - seconds(last.step_at) < plan.min_step_s:
            waits.append(f"the step at {percent} lasts {time_text(plan.min_step_s)} at least")
        return _Step(last.step + 1 == len(plan.steps), tuple(waits))

    def revert(self, reasons: Sequence[str]) -> Decision:
        """Roll back for want of proof in time."""
        age_s = self.plan.max_age_s
        within = f"{age_s / 86400:g} days" if age_s >= 86400 else time_text(age_s)
        sentence = (
            f"Rolled back v{self.record.rollout.treatment}: no proof within {within} that it "
            "does no harm, so the control stays."
        )
        return self.decide("roll_back", sentence, reasons)

    def advance(self) -> Decision:
        """Go on to the next step."""
        step = self.record.last.step + 1
        share = self.plan.steps[step] / 100
        sentence = f"Nothing is shown to be worse: on to {100 * share:g} % of the subjects."
        return self.decide("advance", sentence).model_copy(
            update={
                "step": step,
                "enrolled": share,
                "step_at": self.now,
                "n_at_step": self.standing.smaller_arm,
            }
        )

    def promote(self) -> Decision:
        """Move the pointer to the treatment."""
        rollout = self.record.rollout
        proven = [guard.sentence for guard in self.guards if is_proof_needed(guard.dimension)]
        sentence = f"Promoted v{rollout.treatment}: no guard is worse by more than its margin."
        approvals = [d.actor for d in self.record.decisions if d.action == "approve"]
        move = Move(
            kind="promote",
            prompt=rollout.prompt,
            pointer=rollout.pointer,
            from_number=rollout.control,
            to_number=rollout.treatment,
            actor=self.actor,
            reason=sentence,
            evidence=listed(proven),
            approved_by=approvals[-1] if approvals else "",
            rollout_id=rollout.id,
        )
        return self.decide("promote", sentence, proven).model_copy(update={"move": move})

    def decide(self, action: Action, sentence: str, reasons: Sequence[str] = ()) -> Decision:
        """Write the decision down; one that ends the rollout enrols nobody any more."""
        last = self.record.last
        is_end = action in _AFTER
        return Decision(
            rollout_id=self.record.rollout.id,
            seq=last.seq + 1,
            at=self.now,
            actor=self.actor,
            action=action,
            state=_AFTER.get(action, last.state),
            step=last.step,
            enrolled=0.0 if is_end else last.enrolled,
            step_at=last.step_at,
            n_at_step=last.n_at_step,
            through=max(self.standing.through, last.through),
            rejected=sum(self.standing.rejected.values()),
            verdict=_VERDICTS.get(action, "inconclusive"),
            guards=self.guards,
            ratio=self.ratio,
            baseline=self.standing.baseline,
            sentence=sentence,
            reasons=tuple(reasons),
        )


def _judge(seen: _Look, standing: Standing) -> Decision:
    """Decide on a running rollout whose pointer is where it was."""
    seen.ratio = _ratio(seen)
    seen.guards = read_guards(seen.record.rollout, standing)
    unsound = _unsound(seen)
    harmed = [guard.sentence for guard in seen.guards if guard.status == "harmed"]
    version = seen.record.rollout.treatment
    if harmed:  # even on numbers that are not sound: a treatment that crashes makes them so
        sentence = f"Rolled back v{version}: {listed(harmed)}."
        return seen.decide("roll_back", sentence, [*harmed, *unsound])
    reasons = [*unsound, *_empty(standing)]
    if not reasons:
        step = seen.step()
        unknown = [guard.sentence for guard in seen.guards if guard.status == "no_data"]
        unproven = _unproven(seen) if step.is_last or seen.is_aged else []
        if not step.waits and not unknown:
            if not step.is_last:
                return seen.revert(unproven) if seen.is_aged else seen.advance()
            unproven += _doubts(seen)
            if not unproven:
                return seen.promote()
        reasons = [*step.waits, *unknown, *unproven]
    if seen.is_aged:
        return seen.revert(reasons)
    return seen.decide("hold", f"Held v{version}: {listed(reasons)}.", [*reasons, *_unused(seen)])


def _ratio(seen: _Look) -> RatioReading | None:
    """Check the shares of the arms; in shadow every request meets both and there are none."""
    if seen.plan.mode == "shadow":
        return None
    n_control, n_treatment = seen.standing.n_exposed
    log_e = log_e_ratio(n_control, n_treatment)
    return RatioReading(
        n_control=n_control,
        n_treatment=n_treatment,
        n_both=seen.standing.n_both,
        log_e=log_e,
        is_alarm=log_e >= math.log(seen.plan.ratio_alarm),
    )


def _unsound(seen: _Look) -> list[str]:
    """Say why these numbers let nothing go forward; harm that they show rolls back all the same."""
    standing, ratio = seen.standing, seen.ratio
    problems: list[str] = []
    if ratio is not None and ratio.is_alarm:
        problems.append(
            f"the arms do not get the same share of subjects ({ratio.n_treatment:,} and "
            f"{ratio.n_control:,}): subjects are lost before they are counted; mend that first"
        )
    n_all = sum(standing.n_exposed) + standing.n_both
    if n_all and standing.n_both > seen.plan.max_both * n_all:
        problems.append(
            f"{standing.n_both:,} of {n_all:,} subjects met both arms; subjects need names that "
            "stay the same"
        )
    return problems


def _empty(standing: Standing) -> list[str]:
    """Name the arms that have no outcome: nothing goes on without both."""
    arms = zip(("control", "treatment"), standing.n_subjects, strict=True)
    return [f"there is no outcome of the {name} yet" for name, n in arms if not n]


def _doubts(seen: _Look) -> list[str]:
    """Say why a promotion is put off although all guards are unharmed."""
    doubts = [guard.sentence for guard in seen.guards if is_less_seen(guard)]
    doubts += less_measured(seen.record.rollout, seen.standing)
    ratio = seen.ratio
    if ratio is None:
        return doubts
    p_value = ratio_p_value(ratio.n_control, ratio.n_treatment)
    if p_value >= DOUBTFUL_RATIO:
        return doubts
    return [
        *doubts,
        f"the arms hardly get the same share of subjects ({ratio.n_treatment:,} and "
        f"{ratio.n_control:,}, p = {p_value:.2g})",
    ]


def _unproven(seen: _Look) -> list[str]:
    """Say of each open guard what it lacks, and how many subjects that takes if one can tell."""
    sentences: list[str] = []
    for guard in seen.guards:
        if guard.status != "open" or not is_proof_needed(guard.dimension):
            continue
        column = seen.standing.columns.get(guard.dimension)
        needed = subjects_to_go(guard, seen.plan, column)
        told = "" if needed is None else f"; about {needed:,} subjects an arm are needed"
        sentences.append(f"{guard.sentence}{told}")
    return sentences


def _unused(seen: _Look) -> list[str]:
    """Say which events could not be used, if any."""
    rejected = seen.standing.rejected
    if not rejected:
        return []
    said = ", ".join(f"{name} {n:,}" for name, n in sorted(rejected.items()))
    return [f"events that could not be used: {said}"]


def _is_old_news(last: Decision, decision: Decision, seen: _Look) -> bool:
    """Say whether a hold says nothing that the last decision does not say.

    Without a new event only time can change something: subjects that waited too long. After another
    decision than a hold, silence is said once, when outcomes should have come.
    """
    if decision.action != "hold" or decision.through > last.through:
        return False
    if last.action != "hold":
        return seen.at_s - seconds(last.at) < seen.plan.outcome_window_s
    return (last.guards, last.ratio, last.reasons) == (
        decision.guards,
        decision.ratio,
        decision.reasons,
    )
