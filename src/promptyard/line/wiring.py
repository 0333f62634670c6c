"""Makes objects out of names and settings: models, metrics, generators, stages, the store.

The only module that puts stations, providers and storage together.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from promptyard.candidates import GENERATORS, GeneratorOptions
from promptyard.config import ProjectConfig, load_project_config
from promptyard.errors import ConfigError, as_one
from promptyard.funnel import STAGES
from promptyard.funnel.settings import FunnelSettings
from promptyard.line.judges import judge_warnings, judged_checks, require_judge
from promptyard.line.source import Place, case_check_place, placed
from promptyard.line.task import Task
from promptyard.metrics import METRICS, MetricFactory
from promptyard.metrics.build import build_metrics, canonical_name
from promptyard.metrics.calibration import certified
from promptyard.metrics.context import MetricContext
from promptyard.metrics.nested import with_nested
from promptyard.metrics.python_callable import metric_from_callable
from promptyard.metrics.suite import suite_metrics
from promptyard.plugins import plugin_names, resolve
from promptyard.protocols import (
    ForeignImporter,
    Gate,
    Generator,
    Judge,
    Metric,
    Model,
    SearchPolicy,
    Stage,
    Store,
    Workflow,
)
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.judging import JudgeCertificate
from promptyard.records.messages import CallRole
from promptyard.records.prompts import Program
from promptyard.release import GATES
from promptyard.runner.caller import Caller
from promptyard.runner.execute import Executor
from promptyard.runner.judge import RunJudge
from promptyard.runner.ledger import Ledger
from promptyard.runner.retry import CallLimits
from promptyard.search import POLICIES
from promptyard.storage import open_store
from promptyard.workflows import WORKFLOWS


def project_config(folder: Path | None = None) -> ProjectConfig:
    """Read promptyard.yaml from `folder` (default: here) or above, and the environment."""
    return load_project_config(folder or Path.cwd(), os.environ)


def build_store(url: str | None) -> Store:
    """Return the store at a path or URL, not yet opened; None keeps everything in memory."""
    return open_store(url)


def store_address(given: str | None, folder: Path | None = None) -> str:
    """Return the store to use: the one given, else the project's; `~` is the home folder."""
    address = given or project_config(folder).store
    return address if "://" in address else str(Path(address).expanduser())


def call_limits(project: ProjectConfig) -> CallLimits:
    """Return the limits of calls that the project sets."""
    limits = project.limits
    return CallLimits(
        concurrency=limits.concurrency, timeout_s=limits.timeout_s, retries=limits.retries
    )


def build_executor(
    task: Task, caller: Caller, certificates: Sequence[JudgeCertificate] = ()
) -> Executor:
    """Make the executor of a task: its workflow, its metrics, its pass mark, its judge.

    Raises ConfigError where a check asks a judge and there is none that can be one.
    """
    judge = RunJudge(caller) if caller.has("judge") else None
    metrics_for = metrics_of(task, judge)
    judged = judged_by(task, metrics_for)  # builds every metric: names are checked now
    models = caller.models
    require_judge(judged, models, has_usd_budget=caller.ledger.budget.usd is not None)
    build_workflow(task)  # its name is checked now
    return Executor(
        caller=caller,
        workflow_for=_workflow_of,
        metrics_for=metrics_for,
        suite_metrics=suite_metrics,
        eval_set_version=task.eval_set.version,
        pass_at=task.pass_at,
        certify=partial(certified, certificates=certificates) if judged else None,
        notes=judge_warnings(judged, judge.name if judge else None, models["task"].name),
    )


def build_workflow(task: Task) -> Workflow:
    """Make the workflow of a task's program. Raises ConfigError for an unknown name."""
    with placed(task.source, task.program.workflow.name, "program", "workflow"):
        return _workflow_of(task.program)


def check_workflow(program: Program) -> None:
    """Raise ConfigError where a program's workflow or its options are not known."""
    _workflow_of(program)


def _workflow_of(program: Program) -> Workflow:
    spec = program.workflow
    return resolve("workflows", spec.name, WORKFLOWS)(spec.options)


def judged_by(
    task: Task, metrics_for: Callable[[Program, Case], Sequence[Metric]]
) -> tuple[str, ...]:
    """Return the names of the task's checks that ask a judge, those of single cases included."""
    cases = task.eval_set.cases
    return judged_checks(metric for case in cases for metric in metrics_for(task.program, case))


def judges_per_case(task: Task) -> float:
    """Return how many checks ask a judge in the mean of the cases; each asks at least once."""
    metrics_for = metrics_of(task)
    cases = task.eval_set.cases
    asking = sum(
        _asks_judge(metric) for case in cases for metric in metrics_for(task.program, case)
    )
    return asking / len(cases)


def metrics_of(
    task: Task, judge: Judge | None = None
) -> Callable[[Program, Case], Sequence[Metric]]:
    """Return what grades a case: its own checks and the task's metrics, in the order they run.

    Without a judge, metrics that need one can be built but not asked.
    """
    shared, own = _built_metrics(task, judge)
    bound: dict[tuple[str, int], Metric] = {}

    def bind(metric: Metric, program: Program) -> Metric:
        binding = getattr(metric, "for_program", None)
        if binding is None:
            return metric
        key = (program.id, id(metric))
        if key not in bound:
            bound[key] = binding(program)
        return bound[key]

    shared_by_program: dict[str, tuple[Metric, ...]] = {}

    def metrics_for(program: Program, case: Case) -> Sequence[Metric]:
        if case.id in own:
            return [bind(metric, program) for metric in own[case.id]]
        if program.id not in shared_by_program:
            shared_by_program[program.id] = tuple(bind(metric, program) for metric in shared)
        return shared_by_program[program.id]

    return metrics_for


def _built_metrics(
    task: Task, judge: Judge | None
) -> tuple[tuple[Metric, ...], Mapping[str, tuple[Metric, ...]]]:
    """Build what grades every case, and by id what grades a case that has checks of its own.

    Raises ConfigError with one line a mistake, in the task as in its cases.
    """
    last, source = task.program.steps[-1].prompt, task.source
    context = MetricContext(output=last.output, tools=last.tools, judge=judge, folder=task.folder)
    specs: list[CheckSpec] = []
    given: list[Metric] = []
    for item in task.metrics:
        if isinstance(item, str | CheckSpec):
            specs.append(CheckSpec(type=item) if isinstance(item, str) else item)
        else:
            given.append(item if isinstance(item, Metric) else metric_from_callable(item))
    table = metric_table([*specs, *(check for c in task.eval_set.cases for check in c.checks)])
    mistakes: list[ConfigError] = []

    def build(
        specs: Sequence[CheckSpec], place: Place | None, beside: Sequence[Metric] = ()
    ) -> tuple[Metric, ...]:
        try:
            return build_metrics(specs, context, table, place, shared=beside)
        except ConfigError as error:
            mistakes.append(error)
            return ()

    shared = (*build(specs, source.check_place if source else None), *given)
    own: dict[str, tuple[Metric, ...]] = {}
    for case in task.eval_set.cases:
        if case.checks:
            place = partial(case_check_place, source, case.id)
            checks = build(case.checks, place, shared)
            own[case.id] = tuple(sorted((*checks, *shared), key=_asks_judge))
    if mistakes:
        raise as_one(mistakes)
    return shared, own


def _asks_judge(metric: Metric) -> bool:
    return getattr(metric, "asks_judge", False)


def metric_table(specs: Sequence[CheckSpec]) -> Mapping[str, MetricFactory]:
    """Return the built-in metrics, and those of installed plugins where a check names no built-in.

    A plugin is imported when its metric is built.
    """
    plugins: dict[str, MetricFactory] = {}
    named = {canonical_name(spec.type.removeprefix("not:")) for spec in with_nested(specs)}
    if named - METRICS.keys():
        plugins = {name: partial(_plugin_metric, name) for name in plugin_names("metrics")}
    return ChainMap(plugins, cast("dict[str, MetricFactory]", METRICS))  # only the first is written


def _plugin_metric(name: str, spec: CheckSpec, context: MetricContext) -> Metric:
    return resolve("metrics", name, METRICS)(spec, context)


def build_foreign_importer(name: str) -> ForeignImporter:
    """Make the importer of a format, built in or of a plugin. Raises ConfigError."""
    from promptyard.evalset.foreign import FOREIGN_IMPORTERS  # half a hundred modules

    try:
        return resolve("importers", name, FOREIGN_IMPORTERS)()
    except ConfigError as error:
        raise ConfigError(f"--from: {error}") from None


def build_gate(name: str = "holdout") -> Gate:
    """Make the gate that judges the decision."""
    return resolve("gates", name, GATES)()


def build_gates() -> dict[str, Gate]:
    """Make all gates, the built-in ones first, then those of plugins. Raises ConfigError."""
    return {name: build_gate(name) for name in (*GATES, *plugin_names("gates"))}


def build_caller(
    run_id: str,
    models: Mapping[CallRole, Model],
    store: Store,
    ledger: Ledger,
    project: ProjectConfig,
    seed: int,
) -> Caller:
    """Make the only way to the models for one run."""
    return Caller(
        run_id=run_id,
        models=models,
        store=store,
        ledger=ledger,
        limits=call_limits(project),
        seed=seed,
    )


def build_generators(task: Task) -> dict[str, Generator]:
    """Make the generators that the task names, or all built-in ones. Raises ConfigError."""
    names = task.generators if task.generators is not None else tuple(GENERATORS)
    options = GeneratorOptions(max_demos=task.max_demos, meta_prompts=task.meta_prompts)
    made: dict[str, Generator] = {}
    for number, name in enumerate(names):
        with placed(task.source, name, "optimize", "generators", number):
            made[name] = resolve("generators", name, GENERATORS)(options)
    return made


def build_policy(task: Task) -> SearchPolicy:
    """Make the search policy that the task names. Raises ConfigError for an unknown one."""
    with placed(task.source, task.strategy, "optimize", "strategy"):
        return resolve("policies", task.strategy, POLICIES)()


def require_policy(name: str) -> None:
    """Raise ConfigError, naming those there are, where no search policy is called so."""
    _ = resolve("policies", name, POLICIES)


def build_stage(name: str, settings: FunnelSettings) -> Stage:
    """Make one stage of the funnel."""
    return resolve("stages", name, STAGES)(settings)
