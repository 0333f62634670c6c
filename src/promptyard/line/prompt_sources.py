"""Reads the files that prompts are imported from: which format they are, and what is in them.

Files are data from elsewhere: they are limited in size, YAML makes nothing but plain values, and no
file is read that another one names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from promptyard.errors import (
    Advised,
    ConfigError,
    EvalSetError,
    PromptError,
    Tampered,
    prefixed,
)
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.tree_file import parse_yaml
from promptyard.line.prompt_files import read_prompt
from promptyard.records.base import Json, as_object
from promptyard.registry.exchange import dotprompt, langfuse, mlflow, prompty
from promptyard.registry.exchange.foreign import Findings, ForeignVersion, checked_name
from promptyard.registry.exchange.front_matter import Parts, split_front_matter
from promptyard.registry.exchange.plain_files import INDEX, PlainPrompt, read_plain
from promptyard.registry.exchange.templates import SYNTAXES

MAX_PROMPT_BYTES = 4 << 20
MAX_JSON_BYTES = 64 << 20
OWN, OWN_SUFFIX = "promptyard", ".md"
JSON_SUFFIXES = (".json", ".jsonl")

FileReader: TypeAlias = Callable[..., ForeignVersion]


class JsonFormat(NamedTuple):
    """A format in JSON: whether data look like it, and what reads them."""

    recognises: Callable[[Json], bool]
    read: Callable[..., list[ForeignVersion]]


JSON_FORMATS: Mapping[str, JsonFormat] = {
    "langfuse": JsonFormat(langfuse.recognises, langfuse.read),
    "mlflow": JsonFormat(mlflow.recognises, mlflow.read),
}
FILE_FORMATS: Mapping[str, tuple[str, FileReader]] = {
    "prompty": (prompty.SUFFIX, prompty.read),
    "dotprompt": (dotprompt.SUFFIX, dotprompt.read),
}
FORMATS = (OWN, *JSON_FORMATS, *FILE_FORMATS)


@dataclass(frozen=True)
class PromptSource:
    """What is in a file or folder: prompts of our own export, or versions of other tools."""

    format: str
    plain: tuple[PlainPrompt, ...] = ()
    foreign: tuple[ForeignVersion, ...] = ()
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def has_prompts(self) -> bool:
        """Whether there is anything to import."""
        return bool(self.plain or self.foreign)


def read_source(
    path: Path, *, format_name: str | None = None, name: str | None = None, syntax: str = "double"
) -> PromptSource:
    """Read a file, or a folder of our export or of prompt files. Nothing is run or followed.

    `name` names the prompt, where there is one only. Raises PromptError or Tampered with file and,
    where there is one, line; what only some of several prompts suffer from is in `refused`.
    """
    if format_name is not None and format_name not in FORMATS:
        said = f": unknown format '{format_name}'; known: {', '.join(FORMATS)}"
        raise ConfigError(Advised("", f"--from{said}", f"format{said}"))
    if syntax not in SYNTAXES:
        said = f": unknown '{syntax}'; known: {', '.join(SYNTAXES)}"
        raise ConfigError(Advised("", f"--template{said}", f"template{said}"))
    if path.is_dir():
        source = _read_folder(path, format_name)
    elif path.is_file():
        source = _read_file(path, format_name, syntax)
    else:
        raise PromptError(f"{path}: there is no such file or folder")
    return source if name is None else _renamed(source, name)


def _read_folder(folder: Path, format_name: str | None) -> PromptSource:
    indexes = [folder / INDEX] if (folder / INDEX).is_file() else sorted(folder.glob(f"*/{INDEX}"))
    if indexes and format_name in (None, OWN):
        prompts = tuple(_read_plain(index) for index in indexes)
        names = [prompt.name for prompt in prompts]
        if len(set(names)) < len(names):
            raise PromptError(f"{folder}: two folders hold a prompt of the same name")
        return PromptSource(format=OWN, plain=prompts)
    for name, (suffix, _) in FILE_FORMATS.items():
        files = sorted(folder.glob(f"*{suffix}"))
        if files and format_name in (None, name):
            return _merged(name, files)
    raise PromptError(
        f"{folder}: there is no {INDEX} in it or in its folders, and no .prompty or .prompt file"
    )


def _merged(name: str, files: list[Path]) -> PromptSource:
    found = [_read_file(file, name, "double") for file in files]
    return PromptSource(
        format=name,
        foreign=tuple(version for source in found for version in source.foreign),
        notes=tuple(f"{f.name}: {n}" for f, s in zip(files, found, strict=True) for n in s.notes),
        refused=tuple(line for source in found for line in source.refused),
    )


def _read_file(path: Path, format_name: str | None, syntax: str) -> PromptSource:
    suffix = path.suffix.lower()
    if path.name == INDEX:
        return PromptSource(format=OWN, plain=(_read_plain(path),))
    for name, (own_suffix, reader) in FILE_FORMATS.items():
        if format_name == name or (format_name is None and suffix == own_suffix):
            return _read_prompt_file(path, name, reader)
    if format_name in JSON_FORMATS or (format_name is None and suffix in JSON_SUFFIXES):
        return _read_json(path, format_name, syntax)
    if format_name in (None, OWN) and suffix == OWN_SUFFIX:
        named = path.name.removesuffix(OWN_SUFFIX).removesuffix(".prompt")
        version = ForeignVersion(name=checked_name(named), prompt=read_prompt(path))
        return PromptSource(format=OWN, foreign=(version,))
    known = f" ({', '.join(FORMATS)})"
    raise PromptError(
        Advised(
            f"{path}: its format is not known by its name; say which it is with ",
            f"--from{known}",
            f"format{known}",
        )
    )


def _read_plain(index: Path) -> PlainPrompt:
    folder = index.parent

    def read(name: str) -> bytes:
        return _bytes_of(folder / name, MAX_PROMPT_BYTES)

    try:
        return read_plain(_bytes_of(index, MAX_JSON_BYTES), read)
    except Tampered as error:
        raise Tampered(f"{folder}: {error}") from None
    except PromptError as error:
        said = str(error)
        raise PromptError(said if said.startswith(str(folder)) else f"{folder}: {said}") from None


def _read_prompt_file(path: Path, name: str, reader: FileReader) -> PromptSource:
    findings = Findings()
    try:
        parts = split_front_matter(_text_of(path, MAX_PROMPT_BYTES))
        version = reader(_front_matter(path, parts), parts, findings, name=path.stem)
    except PromptError as error:
        return PromptSource(format=name, refused=(_placed(path, error),))
    return PromptSource(format=name, foreign=(version,), notes=findings.notes)


def _front_matter(path: Path, parts: Parts) -> Mapping[str, Json]:
    above = "\n" * (parts.yaml_line - 1)  # so that errors name the lines of the file
    try:
        data = parse_yaml(path, above + parts.yaml).data
    except EvalSetError as error:
        raise PromptError(str(error)) from None
    if data is None:
        return {}
    values = as_object(data)
    if values is None:
        raise PromptError(f"line {parts.yaml_line}: the front matter must be keys and values")
    return values


def _read_json(path: Path, format_name: str | None, syntax: str) -> PromptSource:
    data = _json_of(path)
    chosen = format_name or next(
        (name for name, known in JSON_FORMATS.items() if known.recognises(data)), None
    )
    if chosen is None:
        raise PromptError(
            Advised(
                f"{path}: these are no prompts of {' or '.join(JSON_FORMATS)}; "
                "say which they are with ",
                "--from",
                "format",
            )
        )
    findings = Findings()
    try:
        versions = JSON_FORMATS[chosen].read(data, findings, syntax=syntax)
    except PromptError as error:
        raise PromptError(_placed(path, error)) from None
    return PromptSource(
        format=chosen,
        foreign=tuple(versions),
        notes=findings.notes,
        refused=tuple(f"{path}: {line}" for line in findings.refused),
    )


def _json_of(path: Path) -> Json:
    text = _text_of(path, MAX_JSON_BYTES)
    try:
        if path.suffix.lower() != ".jsonl":
            return parse_json(text)
        return [parse_json(line) for line in text.split("\n") if line.strip()]
    except JsonFault as fault:
        line = text.count("\n", 0, fault.position or 0) + 1
        where = f"{path}:{line}" if path.suffix.lower() != ".jsonl" else str(path)
        raise PromptError(f"{where}: {fault}") from None


def _text_of(path: Path, limit: int) -> str:
    try:
        return _bytes_of(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PromptError(f"{path}: not UTF-8; save the file as UTF-8") from None


def _bytes_of(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(content) > limit:
        raise PromptError(f"{path}: the file is larger than {limit >> 20} MiB")
    return content


def _placed(path: Path, error: PromptError) -> str:
    said = error.lines[0]
    return said if said.startswith(str(path)) else prefixed(f"{path}: ", said)


def _renamed(source: PromptSource, name: str) -> PromptSource:
    if source.plain:
        said = ": an export of prompts keeps its names"
        raise ConfigError(Advised("", f"--name{said}", f"name{said}"))
    named = checked_name(name)
    names = {version.name for version in source.foreign}
    if len(names) > 1:
        said = f": there are {len(names)} prompts in it; each keeps its name"
        raise ConfigError(Advised("", f"--name{said}", f"name{said}"))
    foreign = tuple(replace(version, name=named) for version in source.foreign)
    return PromptSource(source.format, foreign=foreign, notes=source.notes, refused=source.refused)
