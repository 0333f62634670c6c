"""Rollouts (canaries): start, watch, decide by hand, decide again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from promptyard.line import rollouts as line
from promptyard.line.rollout_engine import Replayed, replay_in_short
from promptyard.line.rollout_finding import list_decisions as decisions_of
from promptyard.line.rollout_finding import list_rollouts as rollouts_of
from promptyard.line.rollout_finding import show_rollout as one_rollout
from promptyard.line.rollout_plan import expectation, plan_for, plan_of
from promptyard.line.rollout_status import RolloutReport, rollout_status
from promptyard.line.rollouts import By, Decided
from promptyard.records.base import Record
from promptyard.records.rollouts import Decision, Rollout, RolloutMode, RolloutPlan, RolloutRecord
from promptyard.records.versions import Move
from promptyard.registry.versions import PRODUCTION
from promptyard.release.plan import PlannedRollout
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, changed, store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    log_of,
    number_of,
    page_of,
    tagged,
)
from promptyard.service.parameters import (
    MAX_NAME,
    PointerFilter,
    PointerText,
    PromptFilter,
    PromptName,
    Reason,
    RolloutReference,
    VersionText,
)
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

TEN_YEARS_S = 10 * 366 * 86_400.0
MAX_SUBJECTS = 10_000_000
_DEFAULT = RolloutPlan()

router = APIRouter(
    prefix=API, tags=["rollouts"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


class GuardBody(Record):
    """What must not get worse, and by how much it may."""

    dimension: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$",
        max_length=MAX_NAME,
        description="`score` or another live score, `hard_failures`, `latency`, `cost`.",
        examples=["score"],
    )
    margin: float | None = Field(
        default=None,
        ge=1e-4,
        lt=10,
        description="How much worse it may be, in the dimension's unit (`0.03` is 3 points of a "
        "score); left out, as task.yaml has it by default.",
        examples=[0.03],
    )


class PlanBody(Record):
    """How a rollout goes on and what it must show; what is left out is as in task.yaml."""

    mode: RolloutMode = Field(
        default=_DEFAULT.mode,
        description="`split`: half of the enrolled subjects get the new version; `shadow`: all get "
        "the old one, and the application runs both.",
    )
    steps: tuple[Annotated[float, Field(ge=1e-3, le=100)], ...] = Field(
        default=_DEFAULT.steps,
        min_length=1,
        max_length=50,
        description="Share of the subjects that take part at each step, in percent, ascending.",
        examples=[[10, 50, 100]],
    )
    guards: tuple[GuardBody, ...] = Field(
        default=tuple(GuardBody(**guard.model_dump()) for guard in _DEFAULT.guards),
        min_length=1,
        max_length=50,
        description="What must not get worse, each dimension once.",
        examples=[[{"dimension": "score", "margin": 0.03}, {"dimension": "hard_failures"}]],
    )
    min_subjects: int = Field(
        default=_DEFAULT.min_subjects,
        ge=2,
        le=MAX_SUBJECTS,
        description="New subjects with an outcome that each step needs in the smaller arm.",
    )
    min_step_s: float = Field(
        default=_DEFAULT.min_step_s,
        ge=0,
        le=TEN_YEARS_S,
        description="Seconds that each step lasts at least.",
    )
    max_age_s: float = Field(
        default=_DEFAULT.max_age_s,
        gt=0,
        le=TEN_YEARS_S,
        description="Seconds after which a rollout without proof is rolled back.",
    )
    alpha: float = Field(
        default=_DEFAULT.alpha,
        ge=1e-6,
        lt=0.5,
        description="Chance of a false rollback, and of a false promotion, at most.",
    )
    horizon: int = Field(
        default=_DEFAULT.horizon,
        ge=10,
        le=MAX_SUBJECTS,
        description="Subjects for which the bounds are narrowest; matters little.",
    )
    outcome_window_s: float = Field(
        default=_DEFAULT.outcome_window_s,
        gt=0,
        le=TEN_YEARS_S,
        description="Seconds after which a subject without an outcome counts as missing.",
    )
    missing_margin: float = Field(
        default=_DEFAULT.missing_margin,
        ge=1e-4,
        lt=1,
        description="How many more subjects without an outcome, or answers without a score, the "
        "new version may have, as a share.",
    )


class NewRollout(Record):
    """A version that is to be put beside the one that a pointer is at."""

    version: VersionText = "latest"
    pointer: PointerText = PRODUCTION
    plan: PlanBody = Field(
        default_factory=PlanBody, description="How it goes on, and what it must show."
    )
    reason: Reason = ""


class PlanQuestion(Record):
    """A rollout that is thought of, and what is expected of both versions alike."""

    version: VersionText = "latest"
    pointer: PointerText = PRODUCTION
    plan: PlanBody = Field(
        default_factory=PlanBody, description="How it would go on, and what it would have to show."
    )
    subjects_per_day: float | None = Field(
        default=None,
        ge=1e-3,
        le=1e12,
        description="New subjects of the application a day, enrolled or not.",
        examples=[5000],
    )
    score: float = Field(
        default=0.8, ge=0, le=1, description="The mean live score that is expected."
    )
    failing: float = Field(
        default=0.01, ge=0, le=1, description="The share of hard failures that is expected."
    )
    correlation: float = Field(
        default=0.5,
        ge=-1,
        lt=1,
        description="Of both versions on one input: what shadow mode gains by.",
    )


class Because(Record):
    """Why it is done."""

    reason: Reason = ""


class RolloutState(Record):
    """A rollout and the last decision on it, which says how it stands.

    `left` is the move with which its pointer went on or back since it was promoted.
    """

    rollout: Rollout
    last: Decision
    left: Move | None

    @classmethod
    def of(cls, record: RolloutRecord) -> RolloutState:
        """Leave all decisions out but the last."""
        return cls(rollout=record.rollout, last=record.last, left=record.left)


Verb = Callable[..., Awaitable[Decided]]


@router.get("/rollouts", **needs("read"))
async def list_rollouts(
    request: Request,
    prompt: PromptFilter = None,
    active: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[RolloutState]:
    """List rollouts of one prompt or of all, newest first, each with its last decision."""
    records = await rollouts_of(store_of(request), prompt)
    shown = [RolloutState.of(item) for item in records if item.is_active or not active]
    return log_of(shown, cursor, limit)


@router.post("/prompts/{name}/rollouts", status_code=201, **needs("release"))
async def start_rollout(request: Request, name: PromptName, body: NewRollout) -> Decided:
    """Put a version beside the one that a pointer is at, on the first step of its plan.

    Behind a protected pointer it waits for the approval of a second name.
    """
    by = By(actor_of(request, version=body.version, pointer=body.pointer), body.reason)
    plan = plan_of(body.plan.model_dump())
    decided = await line.start_rollout(
        store_of(request), name, body.version, pointer=body.pointer, plan=plan, by=by
    )
    changed(request)
    return decided


@router.post("/prompts/{name}/rollout-plans", **needs("read"))
async def plan_rollout(request: Request, name: PromptName, body: PlanQuestion) -> PlannedRollout:
    """Say how many subjects and days a rollout would take; nothing is started."""
    plan = plan_of(body.plan.model_dump())
    expected = expectation(
        plan, score=body.score, failing=body.failing, correlation=body.correlation
    )
    return await plan_for(
        store_of(request),
        name,
        reference=body.version,
        pointer=body.pointer,
        plan=plan,
        expected=expected,
        subjects_per_day=body.subjects_per_day,
    )


@router.get("/rollouts/{rollout}", response_model=RolloutState, responses=TAGGED, **needs("read"))
async def show_rollout(
    request: Request, rollout: RolloutReference, pointer: PointerFilter = None
) -> Response:
    """Show a rollout and the last decision on it."""
    record = await one_rollout(store_of(request), rollout, pointer=pointer)
    return tagged(request, RolloutState.of(record))


@router.get("/rollouts/{rollout}/decisions", **needs("read"))
async def list_decisions(
    request: Request, rollout: RolloutReference, cursor: Cursor = None, limit: Limit = 100
) -> Page[Decision]:
    """List the decisions on a rollout with their numbers, newest first."""
    found = await decisions_of(
        store_of(request), rollout, before=number_of(cursor), limit=limit + 1
    )
    return page_of(found, limit, lambda item: item.seq)


@router.get("/rollouts/{rollout}/status", **needs("read"))
async def explain_rollout(
    request: Request,
    rollout: RolloutReference,
    pointer: PointerFilter = None,
    curve: Annotated[
        bool, Query(description="Also what the curves over time are drawn of.")
    ] = False,
) -> RolloutReport:
    """Explain how a rollout stands, what is shown so far, and what is still needed."""
    return await rollout_status(store_of(request), rollout, pointer=pointer, with_curve=curve)


@router.get("/rollouts/{rollout}/replay", **needs("read"))
async def replay_rollout(
    request: Request, rollout: RolloutReference, pointer: PointerFilter = None
) -> Replayed:
    """Decide a rollout again from its stored events, and say where that differs."""
    return await replay_in_short(store_of(request), rollout, pointer=pointer)


@router.post("/rollouts/{rollout}/approve", **needs("release"))
async def approve_rollout(
    request: Request, rollout: RolloutReference, body: Because, pointer: PointerFilter = None
) -> Decided:
    """Let somebody else's rollout behind a protected pointer run."""
    return await _decide(line.approve_rollout, request, rollout, pointer, body)


@router.post("/rollouts/{rollout}/pause", **needs("release"))
async def pause_rollout(
    request: Request, rollout: RolloutReference, body: Because, pointer: PointerFilter = None
) -> Decided:
    """Let nothing be decided for now; subjects stay in their arms."""
    return await _decide(line.pause_rollout, request, rollout, pointer, body)


@router.post("/rollouts/{rollout}/resume", **needs("release"))
async def resume_rollout(
    request: Request, rollout: RolloutReference, body: Because, pointer: PointerFilter = None
) -> Decided:
    """Let a paused rollout be decided on again."""
    return await _decide(line.resume_rollout, request, rollout, pointer, body)


@router.post("/rollouts/{rollout}/abort", **needs("release"))
async def abort_rollout(
    request: Request, rollout: RolloutReference, body: Because, pointer: PointerFilter = None
) -> Decided:
    """End a rollout without a verdict; everybody gets the old version again."""
    return await _decide(line.abort_rollout, request, rollout, pointer, body)


@router.post("/rollouts/{rollout}/rollback", **needs("release"))
async def roll_back_rollout(
    request: Request, rollout: RolloutReference, body: Because, pointer: PointerFilter = None
) -> Decided:
    """Take the new version back: end its rollout or, after its promotion, move the pointer back.

    Needs no approval, no gate and no model.
    """
    return await _decide(line.roll_back_rollout, request, rollout, pointer, body)


async def _decide(
    verb: Verb, request: Request, rollout: str, pointer: str | None, body: Because
) -> Decided:
    by = By(actor_of(request, pointer=pointer, reason=body.reason), body.reason)
    decided = await verb(store_of(request), rollout, pointer=pointer, by=by)
    changed(request)
    return decided
