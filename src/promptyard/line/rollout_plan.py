"""Where the plan of a rollout comes from: task.yaml, then what is said at its start."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from promptyard.config import ReleaseConfig, load_task_config
from promptyard.config.release_shape import default_guard, guard_of, refuse_slip
from promptyard.errors import ConfigError
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.rollouts import Guard, Rollout, RolloutMode, RolloutPlan
from promptyard.registry.versions import pointer_named, resolve_version
from promptyard.release.plan import Expected, PlannedRollout, plan_rollout

MAX_TIME_S = 3650 * 86400.0
"""Ten years: no time of a plan is longer."""

_UNITS_S: Mapping[str, float] = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "": 1}


@dataclass(frozen=True)
class PlanChanges:
    """What is said at the start of a rollout; None leaves what task.yaml says.

    `steps` as `2,10,100`, `guards` as `score` or `score=0.05`, times as `90`, `30m`, `1h`, `7d`.
    """

    mode: RolloutMode | None = None
    steps: str | None = None
    guards: Sequence[str] = ()
    min_subjects: int | None = None
    min_step: str | None = None
    max_age: str | None = None
    outcome_window: str | None = None
    alpha: float | None = None


def rollout_plan(task: Path | None, changes: PlanChanges | None = None) -> RolloutPlan:
    """Return the plan that a task's `release` section gives, with changes.

    Without a task the defaults stand. Raises ConfigError in one line for what cannot be meant.
    """
    release = ReleaseConfig() if task is None else load_task_config(task).release
    said = changes or PlanChanges()
    values: dict[str, Any] = {
        "mode": said.mode,
        "steps": None if said.steps is None else _steps(said.steps),
        "guards": _guards(said.guards) or None,
        "min_subjects": said.min_subjects,
        "min_step_s": _seconds("--min-step", said.min_step, may_be_none=True),
        "max_age_s": _seconds("--max-age", said.max_age),
        "outcome_window_s": _seconds("--outcome-window", said.outcome_window),
        "alpha": said.alpha,
    }
    if said.min_subjects is not None and said.min_subjects < 2:
        raise ConfigError(f"--min-subjects {said.min_subjects}: expected 2 or more")
    if said.alpha is not None and not 0 < said.alpha < 0.5:
        raise ConfigError(f"--alpha {said.alpha:g}: expected a chance above 0 and below 0.5")
    given = {name: value for name, value in values.items() if value is not None}
    return plan_of({**release.plan.model_dump(), **given})


def plan_of(values: Mapping[str, Json]) -> RolloutPlan:
    """Return a plan of what is given; else the defaults stand. Raises ConfigError in one line.

    A guard may lack its margin: it is then as task.yaml has it by default.
    """
    guards = [_with_margin(guard) for guard in as_list(values.get("guards")) or ()]
    given = {**values, "guards": guards} if guards else values
    try:
        plan = RolloutPlan.model_validate(given)
        for guard in plan.guards:
            refuse_slip(guard.dimension)
    except ValueError as error:
        if not isinstance(error, ValidationError):
            raise ConfigError(f"guards: {error}") from None
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        said_why = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {said_why}" if where else said_why) from None
    return plan


def _with_margin(guard: Json) -> Json:
    given = as_object(guard)
    return guard if given is None or given.get("margin") is not None else default_guard(given)


def expectation(plan: RolloutPlan, *, score: float, failing: float, correlation: float) -> Expected:
    """Return what is expected of both versions: `score` is the mean of every live score.

    Raises ConfigError for what is outside its range.
    """
    if not -1 <= correlation < 1:
        raise ConfigError(f"--correlation {correlation:g}: expected -1 or more and below 1")
    rates = {guard.dimension: score for guard in plan.guards}
    return Expected(rates=rates, failing=failing, correlation=correlation)


async def plan_for(
    url: StoreOrUrl,
    name: str,
    *,
    reference: str,
    pointer: str,
    plan: RolloutPlan,
    expected: Expected,
    subjects_per_day: float | None,
) -> PlannedRollout:
    """Say how many subjects and days a rollout would take if both versions were equal.

    Nothing is started. Raises NotFound for an unknown prompt or version, ConfigError for what is
    expected outside its range. Costs no calls.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        treatment = await resolve_version(store, name, reference)
        place = await pointer_named(store, name, pointer)
    rollout = Rollout(
        id="planned",
        prompt=name,
        pointer=pointer,
        control=treatment.number if place is None else place.number,
        treatment=treatment.number,
        control_digest="",
        treatment_digest=treatment.digest,
        plan=plan,
        started_at="",
        started_by="",
    )
    try:
        # Elsewhere: small margins take a while, and others want to be answered.
        return await asyncio.to_thread(
            plan_rollout, rollout, expected=expected, subjects_per_day=subjects_per_day
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def traffic_per_day(text: str) -> float:
    """Read `5000/day`, `200/hour` or `5000` as subjects a day. Raises ConfigError."""
    match = re.fullmatch(r"\s*([0-9][0-9_.,]*)\s*(?:/\s*(day|d|hour|h))?\s*", text)
    try:
        number = float(match[1].replace(",", "").replace("_", "")) if match else 0.0
    except ValueError:
        number = 0.0
    if match is None or not 0 < number < 1e12:
        raise ConfigError(f"--traffic {text}: expected new subjects above 0, such as 5000/day")
    return number * 24 if match[2] in {"hour", "h"} else number


def _steps(text: str) -> tuple[float, ...]:
    try:
        steps = tuple(float(part.strip().removesuffix("%")) for part in text.split(","))
    except ValueError:
        steps = ()
    ascend = all(a < b for a, b in itertools.pairwise(steps))
    if not steps or not ascend or not all(0 < step <= 100 for step in steps):
        raise ConfigError(
            f"--steps {text}: expected percent above 0 and up to 100, each more than the one "
            "before, such as 2,10,100"
        )
    return steps


def _guards(written: Sequence[str]) -> tuple[Guard, ...]:
    guards: list[Guard] = []
    for item in written:
        try:
            guard = guard_of(item)
        except ValidationError as error:
            said_why = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise ConfigError(f"--guard {item}: {said_why}") from None
        except ValueError as error:
            raise ConfigError(f"--guard {item}: {error}") from None
        if guard.dimension in {other.dimension for other in guards}:
            raise ConfigError(f"--guard {item}: {guard.dimension} is guarded twice; give one")
        guards.append(guard)
    return tuple(guards)


def _seconds(option: str, text: str | None, *, may_be_none: bool = False) -> float | None:
    """Read a time in seconds; with `may_be_none` it may be 0."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*", text)
    length_s = -1.0
    if match is not None and match[2] in _UNITS_S:
        length_s = float(match[1]) * _UNITS_S[match[2]]
    if not 0 <= length_s <= MAX_TIME_S or (length_s == 0 and not may_be_none):
        least = "from 0" if may_be_none else "above 0"
        raise ConfigError(
            f"{option} {text}: expected a time {least} and up to 3650d, such as 90s, 30m, 1h or 7d"
        )
    return length_s
