"""A prompt with its history as plain files that git can diff, and back to the byte.

    support/
      versions.json           name, versions (lineage, scores, digests), pointers, moves
      v1.prompt.md            the prompt file of version 1, byte for byte
      v2.prompt.md
      v2.files/ticket.json    what version 2 refers to by name
      v3.answer.prompt.md     a version of several steps has a file for each

The names of files are computed, never read out of a file. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from promptyard.errors import ConfigError, PromptError, Tampered
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.records.versions import Move, Pointer, PromptVersion, Protection
from promptyard.registry.exchange.foreign import checked_name
from promptyard.registry.versions import check_pointer_name

INDEX = "versions.json"
FORMAT = 1
MAX_FILE_NAME = 100
ATTRIBUTES = ".gitattributes"
KEEP_BYTES = b"* -text\n"
"""Tells git to leave line ends alone."""

_MOVES: TypeAdapter[tuple[Move, ...]] = TypeAdapter(tuple[Move, ...])
_PROTECTIONS: TypeAdapter[tuple[Protection, ...]] = TypeAdapter(tuple[Protection, ...])


@dataclass(frozen=True)
class PlainPrompt:
    """A prompt with its whole history. Versions ascend by number."""

    name: str
    versions: tuple[PromptVersion, ...]
    pointers: Mapping[str, int]
    moves: tuple[Move, ...]
    protections: tuple[Protection, ...]


def write_plain(
    versions: Sequence[PromptVersion],
    pointers: Sequence[Pointer],
    moves: Sequence[Move],
    protections: Sequence[Protection],
) -> Mapping[str, bytes]:
    """Return the files of a prompt by their path inside of its folder."""
    files: dict[str, bytes] = {ATTRIBUTES: KEEP_BYTES}
    for version in versions:
        for step in version.program.steps:
            stem = _stem(version.number, step.name, len(version.program.steps))
            files[f"{stem}.prompt.md"] = _bytes(step.prompt.text)
            for name, value in step.prompt.files.items():
                files[f"{stem}.files/{file_name(name)}"] = _json_bytes(value)
    index = {
        "format": FORMAT,
        "name": versions[0].name,
        "versions": [_entry(version) for version in versions],
        "pointers": {item.pointer: item.number for item in pointers},
        "moves": [move.model_dump(mode="json", exclude_defaults=True) for move in moves],
        "protections": [item.model_dump(mode="json") for item in protections],
    }
    return {**files, INDEX: _json_bytes(_tagged(index))}


def read_plain(index: bytes, read: Callable[[str], bytes]) -> PlainPrompt:
    """Read a prompt back; `read` gives the bytes of a file of its folder.

    Raises PromptError for files that are not such an export or contradict each other, Tampered for
    a version whose bytes are not those of its digest. Nothing is trusted that can be checked.
    """
    try:
        whole = as_object(_untagged(json.loads(index)))
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{INDEX}: not JSON: {str(error)[:100]}") from None
    if whole is None or whole.get("format") != FORMAT:
        found = (whole or {}).get("format")
        raise PromptError(f"{INDEX}: the format {found!r} is not known; this is format {FORMAT}")
    try:
        prompt = PlainPrompt(
            name=checked_name(whole.get("name")),
            versions=tuple(_versions(whole, read)),
            pointers=TypeAdapter(dict[str, int]).validate_python(whole.get("pointers")),
            moves=_MOVES.validate_python(whole.get("moves")),
            protections=_PROTECTIONS.validate_python(whole.get("protections")),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PromptError(f"{INDEX}: {where}: {first['msg']}") from None
    _check(prompt)
    return prompt


def file_name(name: str) -> str:
    """Return a name as that of a file: portable, no path, and never the same for two names.

    Signs beyond letters, digits and `_.-~` become `%41`; long names end in their hash.
    """
    quoted = quote(name, safe="", errors="surrogatepass")
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    if len(quoted) <= MAX_FILE_NAME and quoted:
        return quoted
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{quoted[: MAX_FILE_NAME - 13].rstrip('%')}-{digest}"


def _stem(number: int, step: str, n_steps: int) -> str:
    return f"v{number}" if n_steps == 1 and step == "main" else f"v{number}.{file_name(step)}"


def _entry(version: PromptVersion) -> dict[str, Json]:
    program = version.program
    return {
        **version.model_dump(exclude={"name", "program"}),  # JSON mode would drop infinities
        "workflow": program.workflow.model_dump(mode="json"),
        "steps": [{"name": step.name, "files": list(step.prompt.files)} for step in program.steps],
    }


def _versions(whole: Mapping[str, Json], read: Callable[[str], bytes]) -> Iterator[PromptVersion]:
    for entry in as_list(whole.get("versions")) or ():
        given = dict(as_object(entry) or {})
        number = given.get("number")
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise PromptError(f"{INDEX}: versions: {number!r} is no number of a version")
        steps = [as_object(step) or {} for step in as_list(given.pop("steps", None)) or ()]
        program = Program(
            steps=tuple(_step(number, step, len(steps), read) for step in steps),
            workflow=WorkflowSpec.model_validate(given.pop("workflow", {})),
        )
        digest = given.get("digest")
        if program.id != digest:
            raise Tampered(
                f"version {number} of prompt '{whole.get('name')}' is not what was exported: its "
                "bytes do not have its digest (did an editor or git change line ends?)"
            )
        yield PromptVersion.model_validate({**given, "name": whole.get("name"), "program": program})


def _step(
    number: int, step: Mapping[str, Json], n_steps: int, read: Callable[[str], bytes]
) -> Step:
    name = step.get("name")
    if not isinstance(name, str) or not name:
        raise PromptError(f"{INDEX}: version {number}: a step without a name")
    stem = _stem(number, name, n_steps)
    files: dict[str, Json] = {}
    for file in as_list(step.get("files")) or ():
        path = f"{stem}.files/{file_name(str(file))}"
        try:
            files[str(file)] = json.loads(read(path))
        except (ValueError, RecursionError) as error:
            raise PromptError(f"{path}: not JSON: {str(error)[:100]}") from None
    path = f"{stem}.prompt.md"
    try:
        text = read(path).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise PromptError(f"{path}: not UTF-8") from None
    return Step(name=name, prompt=Prompt(text=text, files=files))


def _check(prompt: PlainPrompt) -> None:
    """Raise PromptError where numbers, lineage, moves and pointers contradict each other."""
    numbers = [version.number for version in prompt.versions]
    if not numbers or numbers != sorted(set(numbers)):
        raise PromptError(f"{INDEX}: versions must be there, each number once, ascending")
    digests = {version.digest for version in prompt.versions}
    if len(digests) < len(numbers):
        raise PromptError(f"{INDEX}: two versions are the same program; keep one")
    for version in prompt.versions:
        if version.parent is not None and not 1 <= version.parent < version.number:
            raise PromptError(
                f"{INDEX}: version {version.number} cannot be made from version {version.parent}"
            )
    at: dict[str, int] = {}
    for move in prompt.moves:
        if (
            move.prompt != prompt.name
            or move.from_number != at.get(move.pointer)
            or move.to_number not in numbers
        ):
            raise PromptError(
                f"{INDEX}: moves: the move of '{move.pointer}' to version {move.to_number} does "
                "not follow from those before it"
            )
        at[move.pointer] = move.to_number
    if at != dict(prompt.pointers):
        raise PromptError(f"{INDEX}: the pointers are not where the moves lead to")
    if any(item.prompt != prompt.name for item in prompt.protections):
        raise PromptError(f"{INDEX}: protections: one is of another prompt")
    for pointer in (*at, *(item.pointer for item in prompt.protections)):
        try:
            check_pointer_name(pointer)
        except ConfigError as error:
            raise PromptError(f"{INDEX}: {error}") from None


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _json_bytes(value: Json) -> bytes:
    return _bytes(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _tagged(value: Json) -> Json:
    """Write infinities, which intervals have and JSON has not, as `{"float": "inf"}`."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if (given := as_object(value)) is not None:
        return {key: _tagged(item) for key, item in given.items()}
    if (items := as_list(value)) is not None:
        return [_tagged(item) for item in items]
    return value


def _untagged(value: Json) -> Json:
    if (given := as_object(value)) is not None:
        if set(given) == {"float"} and given["float"] in ("inf", "-inf"):
            return float(given["float"])
        return {key: _untagged(item) for key, item in given.items()}
    if (items := as_list(value)) is not None:
        return [_untagged(item) for item in items]
    return value
