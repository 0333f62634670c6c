"""A task: the prompt, the cases, the way to measure, the models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import Field

from promptyard.config import TaskConfig, load_task_config
from promptyard.errors import ConfigError
from promptyard.evalset.load import LoadedCases, read_cases, read_rows
from promptyard.evalset.split import assign_splits
from promptyard.line.meta_prompts import read_meta_prompts
from promptyard.line.prompt_files import read_prompt
from promptyard.line.source import TaskSource
from promptyard.line.targets import check_targets
from promptyard.line.variables import require_variables
from promptyard.protocols import Metric, Model
from promptyard.records.base import Json, Record
from promptyard.records.budget import Budget
from promptyard.records.cases import Case, CheckSpec, EvalSet
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.records.verdicts import GateSettings

MetricLike: TypeAlias = "str | CheckSpec | Metric | Callable[..., Any]"


@dataclass(frozen=True)
class Models:
    """Which models play which role: `provider/model` names or objects that fit `Model`.

    The optimizer defaults to the task model. `base_url` overrides the address of every named
    model that is not embedded; the key is then read from `api_key_env`, else PROMPTYARD_API_KEY.
    """

    task: str | Model | None = None
    optimizer: str | Model | None = None
    judge: str | Model | None = None
    base_url: str | None = None
    api_key_env: str | None = None


class Splits(Record):
    """Shares of the splits and the seed of their hash; a split given in a case stands."""

    seed: int = 7
    train: float = Field(default=0.4, ge=0, le=1)
    dev: float = Field(default=0.3, ge=0, le=1)
    holdout: float = Field(default=0.3, ge=0, le=1)
    cluster: str | None = None


@dataclass(frozen=True, init=False)
class Task:
    """What is to be improved and how it is measured.

    `program` is the seed; `metrics` are names, check specs, metric objects or callables
    `(case, output) -> float | Score | (float, feedback, tags)`. `meta_prompts` are texts by name
    that take the place of the package's; `targets` say by tag (or `tag:field`) which section is to
    mend a failure, or `demos`; `source` names the files that the task was read from, for errors.
    """

    name: str
    program: Program
    eval_set: EvalSet
    metrics: tuple[MetricLike, ...]
    models: Models
    gates: GateSettings = field(default_factory=GateSettings)
    pass_at: float = 1.0
    strategy: str = "auto"
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    generators: tuple[str, ...] | None = None
    max_demos: int | None = None
    meta_prompts: Mapping[str, str] = field(default_factory=dict[str, str])
    targets: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path | None = None
    source: TaskSource | None = field(default=None, compare=False)

    def __init__(
        self,
        *,
        name: str,
        prompt: Prompt | str | None = None,
        program: Program | None = None,
        cases: EvalSet | Iterable[Case | Mapping[str, Json]],
        metrics: Sequence[MetricLike],
        models: Models | None = None,
        splits: Splits | None = None,
        gates: GateSettings | None = None,
        pass_at: float = 1.0,
        strategy: str = "auto",
        budget: Budget | None = None,
        seed: int = 0,
        generators: Sequence[str] | None = None,
        max_demos: int | None = None,
        meta_prompts: Mapping[str, str] | None = None,
        targets: Mapping[str, str] | None = None,
        folder: Path | None = None,
        source: TaskSource | None = None,
    ) -> None:
        """Check everything that can be checked without a call.

        Raises PromptError, EvalSetError or ConfigError in one line: no prompt, no cases, a variable
        that a case lacks, a target that may not be edited, nothing to measure with. Splits may be
        empty: what needs one refuses.
        """
        if (prompt is None) == (program is None):
            raise ConfigError("a task needs either `prompt` or `program`")
        if program is None:
            seed_prompt = Prompt.from_text(prompt) if isinstance(prompt, str) else prompt
            assert seed_prompt is not None
            program = Program.single(seed_prompt)
        check_steps(program)
        check_targets(program, targets or {})
        if isinstance(metrics, str):
            raise ConfigError(f"metrics must be a list; write metrics=['{metrics}']")
        if not 0 < pass_at <= 1:
            raise ConfigError(f"pass_at is {pass_at}; it must be above 0 and at most 1")
        if max_demos is not None and max_demos < 0:
            raise ConfigError(f"max_demos is {max_demos}; it cannot be negative")
        shares = splits or Splits()
        if not isinstance(cases, EvalSet):
            loaded = read_rows(cases, cluster_key=shares.cluster)
            cases = split_loaded(name, loaded, shares)
        values: dict[str, object] = {
            "name": name,
            "program": program,
            "eval_set": cases,
            "metrics": tuple(metrics),
            "models": models or Models(),
            "gates": gates or GateSettings(),
            "pass_at": pass_at,
            "strategy": strategy,
            "budget": budget or Budget(),
            "seed": seed,
            "generators": None if generators is None else tuple(generators),
            "max_demos": max_demos,
            "meta_prompts": dict(meta_prompts or {}),
            "targets": dict(targets or {}),
            "folder": folder,
            "source": source,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)
        require_variables(program, cases, source)
        if not metrics and not all(case.checks for case in cases.cases):
            raise ConfigError(
                f"task '{name}' has nothing to measure with; name a metric (`exact_match`) "
                "or give every case checks"
            )


def with_strategy(task: Task, strategy: str) -> Task:
    """Return the task as it is with another search policy."""
    return Task(
        name=task.name,
        program=task.program,
        cases=task.eval_set,
        metrics=task.metrics,
        models=task.models,
        gates=task.gates,
        pass_at=task.pass_at,
        strategy=strategy,
        budget=task.budget,
        seed=task.seed,
        generators=task.generators,
        max_demos=task.max_demos,
        meta_prompts=task.meta_prompts,
        targets=task.targets,
        folder=task.folder,
        source=task.source,
    )


def check_steps(program: Program) -> None:
    """Refuse prompts that cannot be read and workflows that cannot run their steps."""
    names = [step.name for step in program.steps]
    if len(set(names)) != len(names):
        raise ConfigError(f"two steps of the program have one name: {', '.join(names)}")
    if len(names) > 1 and program.workflow.name == "single":
        raise ConfigError(
            f"the program has {len(names)} steps, but the workflow 'single' runs one; "
            "set program.workflow to chain"
        )
    for step in program.steps:
        step.prompt.validate_parts()


def load_task(path: str | Path, *, models: Models | None = None) -> Task:
    """Read a task folder or its task.yaml. `models` overrides the models named there.

    Raises ConfigError, PromptError or EvalSetError with file and line. Costs no call.
    """
    config = load_task_config(Path(path))
    folder = task_folder(Path(path))
    given = models or Models()
    named = config.models
    name, shares = config.name or folder.resolve().name, Splits(**config.splits.model_dump())
    files = [folder / item for item in _paths(config.cases)]
    steps = config.program.steps or {"main": config.prompt}
    source = TaskSource(
        file=Path(path),
        case_files=tuple(files),
        cluster_key=shares.cluster,
        prompts={step: folder / file for step, file in steps.items()},
    )
    program = _program(config, folder)
    check_targets(program, config.optimize.targets, source)
    return Task(
        name=name,
        program=program,
        cases=split_loaded(name, read_cases(files, cluster_key=shares.cluster), shares),
        metrics=config.check_specs,
        models=Models(
            task=given.task or named.task,
            optimizer=given.optimizer or named.optimizer,
            judge=given.judge or named.judge,
            base_url=given.base_url or named.base_url,
            api_key_env=given.api_key_env or named.api_key_env,
        ),
        splits=shares,
        gates=config.gates,
        pass_at=config.pass_at,
        strategy=config.optimize.strategy,
        budget=config.optimize.budget,
        seed=config.optimize.seed,
        generators=config.optimize.generators,
        max_demos=config.optimize.max_demos,
        meta_prompts=read_meta_prompts(folder, config.optimize.meta_prompts),
        targets=config.optimize.targets,
        folder=folder,
        source=source,
    )


def task_folder(path: Path) -> Path:
    """Return the folder of a task given as folder or as file."""
    return path if path.is_dir() else path.parent


def _program(config: TaskConfig, folder: Path) -> Program:
    prompt = read_prompt(folder / config.prompt)
    workflow = WorkflowSpec(name=config.program.workflow)
    if not config.program.steps:
        return Program(steps=(Step(name="main", prompt=prompt),), workflow=workflow)
    steps = tuple(
        Step(name=name, prompt=read_prompt(folder / file))
        for name, file in config.program.steps.items()
    )
    return Program(steps=steps, workflow=workflow)


def _paths(cases: str | Sequence[str]) -> Sequence[str]:
    return [cases] if isinstance(cases, str) else cases


def split_loaded(name: str, loaded: LoadedCases, shares: Splits) -> EvalSet:
    """Make the eval set of cases that were read. Raises EvalSetError."""
    eval_set = assign_splits(
        loaded.cases,
        seed=shares.seed,
        train=shares.train,
        dev=shares.dev,
        holdout=shares.holdout,
        name=name,
    )
    return eval_set.model_copy(update={"retired": loaded.retired})
