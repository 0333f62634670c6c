"""The shape of task.yaml and promptyard.yaml: keys, types, ranges, defaults.

The JSON Schema that editors use is made of these models, so every field has its description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)

from promptyard.config.release_shape import ReleaseConfig
from promptyard.config.service_shape import ServiceConfig
from promptyard.records.base import Json, Record, as_object
from promptyard.records.budget import Budget
from promptyard.records.cases import After, CheckSpec, Dimension, Severity
from promptyard.records.verdicts import Ceiling, Claim, GateSettings, PrimaryDimension

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

DEFAULT_STORE = ".promptyard/store.db"


class _OrText:
    """Tells editors that a plain text may stand here as well."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, handler(schema)]}


def _as_paths(value: Json) -> Json:
    if isinstance(value, str):
        return (value,)
    return tuple(cast("list[Json]", value)) if isinstance(value, list) else value


def _as_check(value: Json) -> Json:
    return {"type": value} if isinstance(value, str) else value


def _model_name(value: str) -> str:
    provider, _, model = value.partition("/")
    if not provider or not model:
        raise ValueError(f"expected provider/model, got {value!r}; for example openai/gpt-5")
    return value


def _http_url(value: str) -> str:
    if not re.match(r"https?://[^/@\s]+(/\S*)?$", value):
        raise ValueError(
            "expected an address such as http://127.0.0.1:8000/v1, without user and password"
        )
    return value


def _variable_name(value: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value):
        raise ValueError(
            "expected the name of an environment variable, such as OPENAI_API_KEY; the key itself "
            "must not stand in a file"
        )
    return value


_ModelName: TypeAlias = Annotated[str, AfterValidator(_model_name)]


class ModelsConfig(Record):
    """Which model plays which role, as `provider/model`."""

    task: _ModelName | None = Field(default=None, description="The model that is prompted.")
    optimizer: _ModelName | None = Field(
        default=None, description="The model that proposes edits; by default the task model."
    )
    judge: _ModelName | None = Field(
        default=None, description="The model that grades where a check needs one."
    )
    base_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        default=None, description="Address of the server, for models that are not embedded."
    )
    api_key_env: Annotated[str, AfterValidator(_variable_name)] | None = Field(
        default=None, description="Name of the environment variable that holds the key."
    )


class ProgramConfig(Record):
    """Named steps and the workflow that runs them."""

    workflow: str = Field(default="single", description="How the steps run.")
    steps: Mapping[str, str] = Field(
        default_factory=dict,
        description="Prompt files by the name of their step, in order; by default one step, "
        "`main`, with the file under `prompt`.",
    )


class CheckEntry(BaseModel):
    """A check: its type, what every check may have, and the options of its type beside them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str = Field(min_length=1, description="Name of the check; `not:` before it inverts it.")
    id: str | None = Field(
        default=None, description="Name of its scores in reports; by default that of its type."
    )
    severity: Severity | None = Field(
        default=None, description="A failed hard check makes the score of the case 0."
    )
    dimension: Dimension | None = Field(
        default=None, description="What the check measures; its type has a default."
    )
    tag: str | None = Field(default=None, description="Names the failure, for its bucket.")
    after: After | None = Field(
        default=None,
        description="`hard`: not run where a hard check has failed, as judges by default; `none`: "
        "always run.",
    )
    weight: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Weight among the soft checks."
    )
    critical: bool = Field(
        default=False, description="A case that passed this check may not fail it later."
    )

    @property
    def spec(self) -> CheckSpec:
        """The check as a record; further keys are its options."""
        options = dict(self.model_extra or {})
        nested = as_object(options.get("options"))
        if nested is not None:
            options = {**nested, **{k: v for k, v in options.items() if k != "options"}}
        return CheckSpec(**self.model_dump(include=set(CheckEntry.model_fields)), options=options)


class SplitsConfig(Record):
    """Shares of the splits. A split that a case gives stands."""

    seed: int = Field(default=7, description="Seed of the hash that decides a case's split.")
    train: float = Field(default=0.4, ge=0, le=1, description="Share of train.")
    dev: float = Field(default=0.3, ge=0, le=1, description="Share of dev.")
    holdout: float = Field(default=0.3, ge=0, le=1, description="Share of the holdout.")
    cluster: str | None = Field(
        default=None,
        description="Input variable, or key of `key:value` tags, whose value is a case's cluster.",
    )

    @model_validator(mode="after")
    def _add_up(self) -> SplitsConfig:
        total = self.train + self.dev + self.holdout
        if abs(total - 1.0) > 0.011:  # thirds may be written as 0.33
            raise ValueError(f"train + dev + holdout must be 1, got {total:g}")
        return self


class BudgetConfig(Budget):
    """Upper limits of a run; without one there is no limit."""

    task_calls: int | None = Field(default=None, ge=0, description="Calls to the task model.")
    optimizer_calls: int | None = Field(default=None, ge=0, description="Calls to the optimizer.")
    judge_calls: int | None = Field(default=None, ge=0, description="Calls to the judge.")
    tokens: int | None = Field(default=None, ge=0, description="Tokens in and out, all roles.")
    usd: float | None = Field(default=None, ge=0, description="Cost in US dollars, all roles.")
    seconds: float | None = Field(default=None, gt=0, description="Wall-clock time.")


class GatesConfig(GateSettings):
    """What a candidate must show on the holdout."""

    primary: PrimaryDimension = Field(
        default="score", description="The dimension that must get better."
    )
    claim: Claim = Field(
        default="better",
        description="`better` in the primary dimension, or `not_worse` by more than "
        "`noninferiority`.",
    )
    alpha: float = Field(default=0.05, gt=0, lt=1, description="Two-sided level of the tests.")
    noninferiority: float = Field(
        default=0.03,
        gt=0,
        le=1,
        description="What another dimension may lose, as a fraction: 0.03 is 3 points.",
    )
    critical_regressions: int = Field(
        default=0, ge=0, description="How many critical cases may break."
    )
    min_coverage: float = Field(
        default=0.99, ge=0, le=1, description="Share of cases that must have been scored."
    )
    ceilings: Mapping[Ceiling, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict[Ceiling, float],
        description="Upper limits of a version: `latency_p95_s` in seconds, `cost_usd` and "
        "`tokens` a case on average, `prompt_chars` in characters.",
    )
    targets: tuple[str, ...] = Field(
        default=(), description="Tags of failures that must become fewer."
    )
    certificates: Literal["required", "noted"] = Field(
        default="required",
        description="Whether `promptyard gate` waits for a certificate of every judge.",
    )


# Records compare by class: what leaves the configuration is the record itself, not its description.
_BudgetRecord: TypeAlias = Annotated[
    BudgetConfig, AfterValidator(lambda value: Budget(**value.model_dump()))
]
_GatesRecord: TypeAlias = Annotated[
    GatesConfig, AfterValidator(lambda value: GateSettings(**value.model_dump()))
]


class OptimizeConfig(Record):
    """How the search runs and what it may spend."""

    strategy: str = Field(default="auto", description="The search policy.")
    seed: int = Field(default=0, description="Seed of everything that is drawn at random.")
    budget: _BudgetRecord = Field(
        default_factory=BudgetConfig, validate_default=True, description="What a run may spend."
    )
    generators: tuple[str, ...] | None = Field(
        default=None, description="The generators that may propose; by default all."
    )
    max_demos: int | None = Field(
        default=None, ge=0, description="How many demonstrations a prompt may have."
    )
    meta_prompts: str | None = Field(
        default=None,
        min_length=1,
        description="Folder of meta-prompts of your own, `NAME.md` each, beside this file; by "
        "default `meta_prompts`, where there is one.",
    )
    targets: Mapping[str, Annotated[str, Field(min_length=1)]] = Field(
        default_factory=dict[str, str],
        description="Where failures are mended: by tag (`invalid_enum`, `wrong_value:status`) the "
        "id of a section (`schema`, or `STEP/SECTION`), or `demos` for demonstrations.",
    )


class TaskConfig(Record):
    """A task: what is improved, how it is measured, what it may cost."""

    name: str = Field(
        default="", max_length=100, description="Name of the task; by default that of its folder."
    )
    prompt: str = Field(min_length=1, description="The seed prompt: a file beside this one.")
    cases: Annotated[tuple[str, ...], BeforeValidator(_as_paths), _OrText()] = Field(
        min_length=1,
        description="The eval set: one file or several (.jsonl, .json, .csv, .tsv, .parquet).",
    )
    models: ModelsConfig = Field(
        default_factory=ModelsConfig, description="Which model plays which role."
    )
    program: ProgramConfig = Field(
        default_factory=ProgramConfig, description="The steps of the program and how they run."
    )
    checks: tuple[Annotated[CheckEntry, BeforeValidator(_as_check), _OrText()], ...] = Field(
        description="What grades an answer, from cheap to expensive."
    )
    splits: SplitsConfig = Field(
        default_factory=SplitsConfig, description="How cases are divided into train, dev, holdout."
    )
    optimize: OptimizeConfig = Field(
        default_factory=OptimizeConfig, description="How the search runs."
    )
    gates: _GatesRecord = Field(
        default_factory=GatesConfig,
        validate_default=True,
        description="What a candidate must show before it is promoted.",
    )
    release: ReleaseConfig = Field(
        default_factory=ReleaseConfig, description="How a version gets to live traffic."
    )
    pass_at: float = Field(
        default=1.0, gt=0, le=1, description="A case passes at this score or above."
    )

    @property
    def check_specs(self) -> tuple[CheckSpec, ...]:
        """The checks as records."""
        return tuple(check.spec for check in self.checks)


class LimitsConfig(Record):
    """Limits of the calls to models."""

    concurrency: int = Field(default=16, ge=1, description="Calls under way at once, per model.")
    timeout_s: float = Field(
        default=120.0,
        gt=0,
        description="The one deadline of a call in seconds, its retries and waits included.",
    )
    retries: int = Field(default=5, ge=0, description="Further attempts after a failed one.")


class PriceConfig(Record):
    """Price of a model in US dollars per million tokens."""

    input_usd_per_mtok: float = Field(ge=0, description="Price of a million input tokens.")
    output_usd_per_mtok: float = Field(ge=0, description="Price of a million output tokens.")
    cached_input_usd_per_mtok: float | None = Field(
        default=None, ge=0, description="Price of a million input tokens read from a cache."
    )
    cache_write_usd_per_mtok: float | None = Field(
        default=None, ge=0, description="Price of a million input tokens written to a cache."
    )


class ProjectConfig(Record):
    """What all tasks of a project share."""

    store: str = Field(
        default=DEFAULT_STORE,
        min_length=1,
        description="The store: an SQLite file beside this one, or a database URL.",
    )
    models: ModelsConfig = Field(
        default_factory=ModelsConfig, description="Models of tasks that name none."
    )
    limits: LimitsConfig = Field(
        default_factory=LimitsConfig,
        description="How many calls at once, and how long they may take.",
    )
    prices: Mapping[str, PriceConfig] = Field(
        default_factory=dict, description="Prices by `provider/model`, where ours are not yours."
    )
    service: ServiceConfig = Field(
        default_factory=ServiceConfig, description="How `promptyard serve` runs."
    )
