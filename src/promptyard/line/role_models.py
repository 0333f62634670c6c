"""Makes the models of a task's roles out of names, settings and the environment."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from promptyard.config import ProjectConfig, place_in_project
from promptyard.errors import Advised, ConfigError, prefixed
from promptyard.line.source import TaskSource
from promptyard.line.task import Models
from promptyard.plugins import plugin_names, resolve
from promptyard.protocols import Model
from promptyard.providers import ENDPOINTS, PROVIDERS, ProviderFactory, ProviderSettings
from promptyard.records.messages import CallRole

KEY_VARIABLE = "PROMPTYARD_API_KEY"


def build_models(
    models: Models,
    project: ProjectConfig,
    source: TaskSource | None = None,
    *,
    keyless: bool = False,
) -> dict[CallRole, Model]:
    """Make the models of all roles. Equal names become one object, so that they share limits.

    Raises ConfigError for an unknown provider, a missing address or a missing key, saying where the
    name stands (in the files of `source`, of the project or in the environment) and which
    variable to set. The embedded model is never put in for another one. With `keyless` a missing
    key is no error: the models then tell their prices and cannot be called.
    """
    defaults = project.models
    named: dict[CallRole, str | Model | None] = {
        "task": models.task or defaults.task,
        "optimizer": models.optimizer or defaults.optimizer or models.task or defaults.task,
        "judge": models.judge or defaults.judge,
    }
    if named["task"] is None:
        raise ConfigError(
            Advised(
                "no task model is set; write `models: {task: provider/model}` in task.yaml",
                ", pass --model, or try the line with --model embedded/lexical",
                "; `embedded/lexical` tries the line without a language model",
            )
        )
    base_url = models.base_url or defaults.base_url
    made: dict[str, Model] = {}
    result: dict[CallRole, Model] = {}
    for role, name in named.items():
        if name is None:
            continue
        if isinstance(name, str):
            if name not in made:
                key_variable = models.api_key_env or defaults.api_key_env
                try:
                    made[name] = _model(name, base_url, key_variable, project, keyless=keyless)
                except ConfigError as error:
                    where = _model_place(name, role, project, source)
                    if where is None:
                        raise
                    raise ConfigError(prefixed(f"{where}: ", error.lines[0])) from None
            result[role] = made[name]
        else:
            result[role] = name
    return result


def _model(
    name: str,
    base_url: str | None,
    key_variable: str | None,
    project: ProjectConfig,
    *,
    keyless: bool,
) -> Model:
    provider, _, model = name.partition("/")
    if not model:
        raise ConfigError(
            f"'{name}' is no model name; write provider/model, for example openai/{name}"
        )
    factory = _provider(provider, model)
    endpoint = ENDPOINTS.get(provider)
    own = endpoint.key_variable if endpoint else None
    # A key belongs to its provider's own address; another address gets only what was named for it.
    variable = key_variable or (KEY_VARIABLE if base_url else own)
    api_key = os.environ.get(variable) if variable else None
    if not api_key and key_variable and not keyless:
        raise ConfigError(f"model '{name}' needs the key in {key_variable}, which is not set")
    if not api_key and own and not base_url and not keyless:
        raise ConfigError(
            Advised(
                f"model '{name}' needs a key: set {own}",
                ", or try the line with --model embedded/lexical",
                " where this runs",
            )
        )
    prices = project.prices.get(name)
    settings = ProviderSettings(
        base_url=base_url if endpoint else None,
        api_key=api_key,
        prices=prices.model_dump(exclude_none=True) if prices else None,
        max_connections=max(64, project.limits.concurrency),
    )
    return factory(model, settings)


def _provider(provider: str, model: str) -> ProviderFactory:
    try:
        return resolve("providers", provider, PROVIDERS)
    except ConfigError:
        plugins = plugin_names("providers")
        close = difflib.get_close_matches(provider, [*PROVIDERS, *plugins], n=1)
        if provider in plugins or not close:  # a plugin that is broken; a list of what is known
            raise
        hint = f"did you mean '{close[0]}/{model}'?"
        raise ConfigError(f"unknown provider '{provider}'; {hint}") from None


def _model_place(
    name: str, role: CallRole, project: ProjectConfig, source: TaskSource | None
) -> str | None:
    """Return where the name of a role's model stands; None where it was given on the way."""
    # The optimizer defaults to the task model, so that its name may stand there.
    for key in (role, "task"):
        if source and (place := source.place(("models", key), name)):
            return place
        if getattr(project.models, key) == name:
            return place_in_project(Path.cwd(), os.environ, ("models", key))
    return None
