"""The judge of a task: that there is one where a check asks it, and what a reader should know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from promptyard.errors import Advised, ConfigError
from promptyard.protocols import Metric, Model
from promptyard.records.messages import CallRole, Usage

EMBEDDED_MODELS = "embedded/"


def judged_checks(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Return the names of the checks that ask a judge, each once, in order."""
    asking = (metric.name for metric in metrics if getattr(metric, "asks_judge", False))
    return tuple(dict.fromkeys(asking))


def require_judge(
    checks: Sequence[str], models: Mapping[CallRole, Model], *, has_usd_budget: bool = False
) -> None:
    """Refuse checks that ask a judge where no model can be one. Costs no call.

    Raises ConfigError in one line: no judge named, the embedded model named, or no price known
    where a budget in USD has to be kept.
    """
    if not checks:
        return
    judge = models.get("judge")
    if judge is None:
        raise ConfigError(no_judge(checks))
    if judge.name.startswith(EMBEDDED_MODELS):
        raise ConfigError(unfit_judge(checks, judge.name))
    if has_usd_budget and judge.cost_usd(Usage(input_tokens=1, output_tokens=1)) is None:
        raise ConfigError(
            f"the budget in USD cannot be kept: no price is known for the judge {judge.name}; add "
            "it under `prices:` in promptyard.yaml, or budget judge_calls"
        )


def no_judge(checks: Sequence[str]) -> str:
    """Say what to do where checks ask a judge and none is named."""
    return Advised(
        f"check '{checks[0]}' asks a judge, and no judge model is set; write `models: {{judge: "
        "provider/model}` in task.yaml",
        ", pass --judge-model or set PROMPTYARD_JUDGE_MODEL",
        ", or set PROMPTYARD_JUDGE_MODEL where this runs",
    )


def unfit_judge(checks: Sequence[str], judge: str) -> str:
    """Say why the embedded model is no judge."""
    return (
        f"check '{checks[0]}' asks a judge, and {judge} cannot be one: it compares spelling and "
        "understands nothing; name a language model under models.judge"
    )


def model_name(model: str | Model | None) -> str | None:
    """Return the name of a model that is given by name or as an object."""
    return model if model is None or isinstance(model, str) else model.name


def judge_warnings(checks: Sequence[str], judge: str | None, task: str | None) -> tuple[str, ...]:
    """Say what speaks against a judge before it is asked; both are `provider/model` names."""
    if not checks or judge is None or judge != task:
        return ()
    return (
        f"{judge} judges its own answers ({_named(checks)}); judges are known to prefer what they "
        "wrote themselves, so name a model of another family under models.judge",
    )


def _named(checks: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in checks[:3])
    return shown if len(checks) <= 3 else f"{shown} and {len(checks) - 3} more"
