"""Reads task.yaml, promptyard.yaml and the environment."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from promptyard.config.problems import Problem, did_you_mean, validated
from promptyard.config.shape import CheckEntry, ProjectConfig, TaskConfig
from promptyard.config.yaml_file import Location, Place, YamlFile, location_text, read_yaml
from promptyard.errors import ConfigError
from promptyard.records.base import Json, as_object

TASK_FILE = "task.yaml"
PROJECT_FILE = "promptyard.yaml"
PREFIX = "PROMPTYARD_"
KEY_VARIABLE = "PROMPTYARD_API_KEY"
USER_VARIABLE = "PROMPTYARD_USER"
SERVICE_KEY_VARIABLE = "PROMPTYARD_KEY"
WEBHOOK_SECRET_VARIABLE = "PROMPTYARD_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable
WEBHOOK_ALLOW_VARIABLE = "PROMPTYARD_WEBHOOK_ALLOW"
FILELESS: Mapping[str, str] = {
    KEY_VARIABLE: "the key that is sent to `base_url`",
    SERVICE_KEY_VARIABLE: "the key that an application's client sends to the service",
    USER_VARIABLE: "who moves pointers, where `--as` does not say it",
    WEBHOOK_SECRET_VARIABLE: "what the secrets of webhooks are derived from; 32 characters or more",
    WEBHOOK_ALLOW_VARIABLE: "hosts and blocks that webhooks may go to although they are not public",
}
"""Variables that stand for no key of a file, and what they say."""

EMPTY: Mapping[str, str] = {
    "checks": (
        "has no entries; write one, such as `- exact_match`, or `checks: []` where every case has "
        "its own"
    )
}

ENVIRONMENT: Mapping[str, Location] = {
    "PROMPTYARD_STORE": ("store",),
    "PROMPTYARD_BASE_URL": ("models", "base_url"),
    "PROMPTYARD_TASK_MODEL": ("models", "task"),
    "PROMPTYARD_OPTIMIZER_MODEL": ("models", "optimizer"),
    "PROMPTYARD_JUDGE_MODEL": ("models", "judge"),
    "PROMPTYARD_CONCURRENCY": ("limits", "concurrency"),
    "PROMPTYARD_TIMEOUT_S": ("limits", "timeout_s"),
}
"""Variables that override promptyard.yaml, and the keys that they stand for."""


def load_task_config(path: Path) -> TaskConfig:
    """Read a task; `path` is its folder or its file.

    A task without a name has that of its folder. Raises ConfigError in one line with file, line,
    key and the nearest known key, also when a file that it names does not exist.
    """
    file = path / TASK_FILE if path.is_dir() else path
    try:
        source = read_yaml(file)
    except FileNotFoundError:
        raise ConfigError(_no_task(path, file)) from None
    data = _without_empty(source.data)

    found = (*_empty(source.data), *_slips(data))
    config = validated(TaskConfig, data, source.place, found)
    folder = file.resolve().parent
    missing = [
        f"{_written_place(source, location)}: there is no file {name!r}"
        f"{_nearest_file(folder, name)} (looked in {folder})"
        for location, name in _named_files(config)
        if not (folder / name).is_file()
    ]
    if missing:
        raise ConfigError(missing[0], others=missing[1:])
    return config if config.name else config.model_copy(update={"name": folder.name or "task"})


def place_in_task(path: Path, location: Location, value: Json = None) -> str | None:
    """Return where a key of a task stands (`task.yaml:7: checks[1].value`), None where it does not.

    With a `value`, None as well where the file gives another one, since it then came from
    elsewhere. Files keep no lines once they are read, so this one is read again.
    """
    try:
        source = read_yaml(path / TASK_FILE if path.is_dir() else path)
    except (ConfigError, FileNotFoundError):  # it was changed meanwhile
        return None
    if value is not None and _value_at(source, location) != value:
        return None
    return _written_place(source, location)


def _value_at(source: YamlFile, location: Location) -> Json:
    if location not in source.lines:
        return None
    value: Json = source.data
    for part in location:
        value = value[part]
    return value


def place_in_project(folder: Path, environ: Mapping[str, str], location: Location) -> str | None:
    """Return where a key of the project is given: in the environment, else in its file."""
    for name, stands_for in ENVIRONMENT.items():
        if stands_for == location and environ.get(name, "").strip():
            return f"environment: {name}"
    try:
        source = _project_file(folder)
    except (ConfigError, FileNotFoundError):
        return None
    return _written_place(source, location) if source else None


def _written_place(source: YamlFile, location: Location) -> str | None:
    """Name the innermost key around a location that is written; options may be in `options`."""
    if location[:1] and location[:1] not in source.lines:
        return None
    if location[:1] == ("checks",) and (*location[:2], "options", *location[2:]) in source.lines:
        location = (*location[:2], "options", *location[2:])
    while location not in source.lines:
        location = location[:-1]
    return source.place(location).text


def load_project_config(folder: Path, environ: Mapping[str, str]) -> ProjectConfig:
    """Read the promptyard.yaml of `folder` or of the nearest folder above it.

    Without one the defaults hold. Variables of `ENVIRONMENT` override the file; an empty one counts
    as not set. A store given by a relative path lies beside the file; without a file, or given by
    the environment, relative to where the program runs.

    Raises ConfigError in one line with file, line, key (or the variable) and the nearest known one;
    also for a variable that begins with PROMPTYARD_ and is none of ours, save those of `FILELESS`
    and the one that `models.api_key_env` names.
    """
    source = _project_file(folder)
    data = _without_empty(source.data) if source else {}
    given = _environment(environ, data)
    for name, location in given.items():
        data = _with_value(data, location, _plain_value(location, environ[name].strip()))
    variables = {location: name for name, location in given.items()}

    def place(location: Location) -> Place:
        if location in variables or source is None:
            return Place(f"environment: {variables.get(location, location_text(location))}", 0)
        return source.place(location)

    config = validated(ProjectConfig, data, place)
    if source is None or ("store",) in variables:
        return config
    return config.model_copy(update={"store": _store_beside(source, config.store)})


def _no_task(path: Path, file: Path) -> str:
    if not path.exists() and path.suffix not in (".yaml", ".yml"):
        around = path.resolve().parent
        near = _nearest_folder(around, path.name)
        return f"{path}: there is no such folder (looked in {around}){near}"
    if not file.parent.is_dir():
        return f"{path}: there is no such folder or file (looked in {file.parent.resolve()})"
    others = [item.name for item in sorted(file.parent.glob("*.y*ml"))]
    close = difflib.get_close_matches(file.name, others, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "write it beside prompt and cases"
    return f"{path}: there is no {file.name} (looked in {file.parent.resolve()}); {hint}"


def _nearest_folder(around: Path, name: str) -> str:
    try:
        names = [item.name for item in sorted(around.iterdir()) if (item / TASK_FILE).is_file()]
    except OSError:
        return ""
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _nearest_file(folder: Path, name: str) -> str:
    others = [item.name for item in sorted(folder.iterdir())]
    close = difflib.get_close_matches(name, others, n=1)
    return f"; did you mean {close[0]!r}?" if close else "; write it, or name another"


def _without_empty(data: Mapping[str, Json]) -> dict[str, Json]:
    """Drop keys that have nothing behind them: `models:` with all of its lines commented out."""
    return {key: value for key, value in data.items() if value is not None}


def _empty(data: Mapping[str, Json]) -> Iterator[Problem]:
    """Find keys that a task needs and that stand there with nothing behind them."""
    for key, field in TaskConfig.model_fields.items():
        if field.is_required() and key in data and data[key] is None:
            yield Problem((key,), EMPTY.get(key, "has no value; name a file"), rank=2)


def _slips(data: Mapping[str, Json]) -> Iterator[Problem]:
    """Find keys of checks that are near misses of common ones.

    A check may have any option, so only slips of long names count, and a name made longer or
    shorter is a name of its own (`weights`). Whether a check has an option is known to its metric.
    """
    checks = data.get("checks")
    for number, item in enumerate(cast("list[Json]", checks) if isinstance(checks, list) else []):
        for key in as_object(item) or {}:
            for known in CheckEntry.model_fields:
                if len(known) > 4 and _is_slip(key, known):
                    reason = f"unknown key; did you mean '{known}'?"
                    yield Problem(("checks", number, key), reason, rank=0)


def _is_slip(key: str, known: str) -> bool:
    if key.startswith(known) or known.startswith(key):
        return False
    return bool(difflib.get_close_matches(key, (known,), cutoff=0.8))


def _named_files(config: TaskConfig) -> Iterator[tuple[Location, str]]:
    yield ("prompt",), config.prompt
    for number, name in enumerate(config.cases):
        yield ("cases", number), name
    for step, name in config.program.steps.items():
        yield ("program", "steps", step), name


def _project_file(folder: Path) -> YamlFile | None:
    start = folder.resolve()
    files = (candidate / PROJECT_FILE for candidate in (start, *start.parents))
    found = next((file for file in files if _is_file(file)), None)
    return read_yaml(found) if found else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder above that may not be looked into
        return False


def _environment(environ: Mapping[str, str], data: Mapping[str, Json]) -> dict[str, Location]:
    """Return our variables that are set, and refuse those that look like ours and are not."""
    models = as_object(data.get("models")) or {}
    for name in sorted(environ):
        known = name in ENVIRONMENT or name in FILELESS or name == models.get("api_key_env")
        if name.startswith(PREFIX) and not known:
            # Nearness is that of what stands behind the prefix that all of them share.
            behind = [item.removeprefix(PREFIX) for item in (*ENVIRONMENT, *FILELESS)]
            hint = did_you_mean(name.removeprefix(PREFIX), behind, prefix=PREFIX)
            raise ConfigError(f"environment: {name}: unknown variable{hint}")
    return {key: where for key, where in ENVIRONMENT.items() if environ.get(key, "").strip()}


def _plain_value(location: Location, text: str) -> Json:
    """Read a number where one belongs; what is none stays text, and is refused as such."""
    if location[0] != "limits":
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() else number


def _with_value(data: Mapping[str, Json], location: Location, value: Json) -> dict[str, Json]:
    key, rest = str(location[0]), location[1:]
    if not rest:
        return {**data, key: value}
    section = as_object(data.get(key, {}))
    # A section that is none is left as it is, to be refused where it stands.
    return {**data, key: data[key] if section is None else _with_value(section, rest, value)}


def _store_beside(source: YamlFile, store: str) -> str:
    if re.match(r"[^/]*://[^/@]*:[^/@]+@", store):
        raise ConfigError(
            f"{source.place(('store',)).text}: the address holds a password; set PROMPTYARD_STORE "
            "in the environment instead"
        )
    if "://" in store or store == ":memory:":
        return store
    return str(source.path.parent / store)
