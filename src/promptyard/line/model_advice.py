"""Says what to do next about the model of a task: ready, a variable to set, a server to start.

Looks at the environment and, for a server of one's own, whether something listens at its address.
Sends nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from promptyard.config import ProjectConfig
from promptyard.errors import ConfigError
from promptyard.line.role_models import KEY_VARIABLE
from promptyard.plugins import resolve
from promptyard.providers import ENDPOINTS, PROVIDERS
from promptyard.records.base import Record

TRY_THE_LINE = "--model embedded/lexical tries the line without any model"
WAIT_S = 1.0


class ModelAdvice(Record):
    """Whether the task's model can be called, and the sentence that says what to do."""

    state: Literal["ready", "no_model", "no_key", "no_server"]
    model: str | None
    sentence: str


def check_model_name(name: str) -> None:
    """Refuse what is no `provider/model` of a known provider. Raises ConfigError."""
    provider, _, model = name.partition("/")
    if not provider or not model:
        raise ConfigError(f"--model: '{name}' is no model name; write provider/model")
    resolve("providers", provider, PROVIDERS)
    if provider == "embedded" and model != "lexical":
        raise ConfigError(f"there is no model '{name}'; the embedded model is embedded/lexical")


def listens(base_url: str) -> bool:
    """Tell whether something takes connections at an address. Waits at most `WAIT_S`."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        with socket.create_connection((parts.hostname or "", port), timeout=WAIT_S):
            return True
    except (OSError, ValueError):
        return False


def advise(
    model: str | None,
    base_url: str | None,
    project: ProjectConfig,
    environ: Mapping[str, str],
    is_listening: Callable[[str], bool] = listens,
) -> ModelAdvice:
    """Say what a task with this model (None: the project's) needs before it can run."""
    name = model or project.models.task
    if name is None:
        return ModelAdvice(state="no_model", model=None, sentence=_no_model(environ))
    provider = name.partition("/")[0]
    if provider == "embedded":
        said = f"{name} runs in the process. It is no language model: it shows how the line works"
        return ModelAdvice(state="ready", model=name, sentence=f"{said}.")
    endpoint = ENDPOINTS.get(provider)
    given = base_url or project.models.base_url
    own = endpoint.key_variable if endpoint else None
    variable = project.models.api_key_env or (KEY_VARIABLE if given else own)
    needs_key = bool(own) and not given
    if needs_key and not environ.get(variable or ""):
        said = f"{name} needs a key: export {variable}=...; until then {TRY_THE_LINE}"
        return ModelAdvice(state="no_key", model=name, sentence=f"{said}.")
    address = given or (endpoint.base_url if endpoint and not own else None)
    if address is None and provider == "openai_compatible":
        said = f"{name} needs the address of its server: --base-url or PROMPTYARD_BASE_URL"
        return ModelAdvice(state="no_server", model=name, sentence=f"{said}; {TRY_THE_LINE}.")
    if address is not None and not is_listening(address):
        said = f"nothing answers at {address}: start the server of {name}, or set another address"
        also = f" (--base-url, PROMPTYARD_BASE_URL); {TRY_THE_LINE}."
        return ModelAdvice(state="no_server", model=name, sentence=f"{said}{also}")
    how = f"the key is in {variable}" if needs_key else f"{address or provider} will be asked"
    return ModelAdvice(state="ready", model=name, sentence=f"{name} is set: {how}.")


def _no_model(environ: Mapping[str, str]) -> str:
    found = [
        f"{endpoint.key_variable} is set, so --model {provider}/NAME will do"
        for provider, endpoint in ENDPOINTS.items()
        if endpoint.key_variable and environ.get(endpoint.key_variable)
    ]
    if found:
        return f"no model is named: {'; '.join(found)}, or models.task in task.yaml."
    keys = [item.key_variable for item in ENDPOINTS.values() if item.key_variable]
    return (
        f"no model is named and no key is set. {TRY_THE_LINE}; for a real one set a key "
        f"({', '.join(keys)}) and --model provider/NAME, or --base-url for a server of your own."
    )
