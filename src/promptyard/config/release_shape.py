"""The shape of `release` in task.yaml: how a version gets to live traffic."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator

from promptyard.records.base import Json, Record
from promptyard.records.guard_dimensions import score_without
from promptyard.records.rollouts import Guard, RolloutMode, RolloutPlan

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

SCORE_MARGIN = 0.03
"""What a live score without a margin of its own may lose: 3 points."""

_DEFAULT = RolloutPlan()
_MARGINS = {guard.dimension: guard.margin for guard in _DEFAULT.guards}


class _GuardForms:
    """Tells editors how a guard is written: its name, or its name and its margin."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        del schema, handler
        margin = {"type": "number", "exclusiveMinimum": 0}
        with_margin = {
            "type": "object",
            "additionalProperties": margin,
            "minProperties": 1,
            "maxProperties": 1,
        }
        return {"anyOf": [{"type": "string", "minLength": 1}, with_margin]}


def _as_guard(value: Json) -> Json:
    """Read `score` and `{score: 0.05}` as a guard; leave everything else to be refused."""
    if isinstance(value, str):
        refuse_slip(value)
        return {"dimension": value, "margin": _MARGINS.get(value, SCORE_MARGIN)}
    if not isinstance(value, dict) or len(cast("dict[str, Json]", value)) != 1:
        raise ValueError("write the name of what is guarded, or its name and margin: {score: 0.05}")
    ((name, margin),) = cast("dict[str, Json]", value).items()
    refuse_slip(name)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin < 1e6:
        raise ValueError(f"the margin of {name} is a number above 0, got {margin!r}")
    return {"dimension": name, "margin": float(margin)}


def default_guard(guard: Mapping[str, Json]) -> Mapping[str, Json]:
    """Give a guard the margin that it has where none is named."""
    return {**guard, "margin": _MARGINS.get(str(guard.get("dimension")), SCORE_MARGIN)}


def refuse_slip(name: str) -> None:
    """Refuse what is almost a known dimension: as a live score it would wait for data for ever."""
    if not name.strip():
        raise ValueError("name what is guarded, as score or score=0.05")
    if score_without(name) is not None:
        raise ValueError(
            f"{name} stands beside its guard by itself; `missing_margin` in task.yaml is its margin"
        )
    close = difflib.get_close_matches(name, _MARGINS, n=1, cutoff=0.75)
    if close and name not in _MARGINS:
        raise ValueError(f"nothing is called {name!r}; did you mean {close[0]!r}?")


class ReleaseConfig(Record):
    """How a version is rolled out, and what it must show on the way."""

    mode: RolloutMode = Field(
        default="split",
        description="`split`: half of the enrolled subjects get the new version; `shadow`: all get "
        "the old one, and the application runs both (for little traffic).",
    )
    steps: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        default=(2, 10, 25, 50, 100),
        min_length=1,
        description="Share of the subjects that take part at each step, in percent, ascending.",
    )
    guard: tuple[Annotated[Guard, BeforeValidator(_as_guard), _GuardForms()], ...] = Field(
        default=cast("Any", tuple(_MARGINS)),  # as it is written; validated to guards
        validate_default=True,
        min_length=1,
        description="What must not get worse: names (`score` or another live score, "
        "`hard_failures`, `latency`, `cost`) or, with the margin, `{score: 0.05}`.",
    )
    min_subjects: int = Field(
        default=_DEFAULT.min_subjects,
        ge=2,
        description="New subjects with an outcome that each step needs in the smaller arm.",
    )
    min_step_s: float = Field(
        default=_DEFAULT.min_step_s, ge=0, description="Seconds that each step lasts at least."
    )
    max_age_s: float = Field(
        default=_DEFAULT.max_age_s,
        gt=0,
        description="Seconds after which a rollout without proof is rolled back.",
    )
    alpha: float = Field(
        default=_DEFAULT.alpha,
        gt=0,
        lt=0.5,
        description="Chance of a false rollback, and of a false promotion, at most.",
    )
    horizon: int = Field(
        default=_DEFAULT.horizon,
        ge=10,
        description="Subjects for which the bounds are narrowest; matters little.",
    )
    outcome_window_s: float = Field(
        default=_DEFAULT.outcome_window_s,
        gt=0,
        description="Seconds after which a subject without an outcome counts as missing.",
    )
    missing_margin: float = Field(
        default=_DEFAULT.missing_margin,
        gt=0,
        lt=1,
        description="How many more subjects without an outcome, or answers without a score, the "
        "new version may have, as a share.",
    )
    judge_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Share of the outcomes that `canary score` has graded by checks that ask a "
        "judge, the same ones in both arms.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> ReleaseConfig:
        if any(
            later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)
        ):
            raise ValueError("steps must ascend, each larger than the one before")
        names = [guard.dimension for guard in self.guard]
        if len(set(names)) < len(names):
            raise ValueError("guard names something twice")
        return self

    @property
    def plan(self) -> RolloutPlan:
        """The plan of a rollout, as a record."""
        values = self.model_dump(exclude={"guard", "judge_share"})
        return RolloutPlan(**values, guards=self.guard)


def guard_of(written: str) -> Guard:
    """Read a guard as a command line gives it: `score` or `score=0.05`. Raises ValueError."""
    name, _, margin = written.partition("=")
    if not margin:
        return Guard.model_validate(_as_guard(name))
    try:
        number = float(margin)
    except ValueError:
        number = margin
    return Guard.model_validate(_as_guard({name: number}))
