"""What a manifest says, proved to the byte: size, depth, format, checksum, digests, references.

Plain Python: a cold process has to answer before the records are imported. The tests hold this
against `records.manifest.Manifest`, which is the definition.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, cast

from promptyard.client.source import SourceFault
from promptyard.records.canonical import content_hash
from promptyard.records.program_digest import program_digest, program_of_text

if TYPE_CHECKING:
    from promptyard.records.prompts import Program

MAX_DEPTH = 100
MAX_VALUES = 200_000
"""How many values a manifest may hold. Parsing holds the interpreter's lock until it is done, and
with it every answer: 200,000 values cost a tenth of a second, 20 million half a minute."""
FORMAT = 1
MODES = ("split", "shadow")
Object: TypeAlias = Mapping[str, Any]
_STRING_OR_MARK = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)


class Served:
    """One version of a prompt, as it is served. `version` is 0 where it has no number.

    `kept` holds what others have made of it, once, by their own names: it never changes.
    """

    __slots__ = ("_program", "digest", "kept", "name", "value", "version")

    def __init__(self, name: str, version: int, digest: str, value: Object) -> None:
        self.name = name
        self.version = version
        self.digest = digest
        self.value = value
        self.kept: dict[str, Any] = {}
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The program as a record; built when it is first asked for."""
        if self._program is None:
            from promptyard.records.prompts import Program

            self._program = Program.model_validate(self.value)
        return self._program


class RunningRollout(NamedTuple):
    """A rollout as the manifest has it; see `ManifestRollout`."""

    id: str
    pointer: str
    control: int
    treatment: int
    enrolled: float
    is_shadow: bool


class PromptContents(NamedTuple):
    """Versions, pointers and running rollouts of one prompt."""

    pointers: Mapping[str, int]
    rollouts: tuple[RunningRollout, ...]
    versions: Mapping[int, Served]


class Contents(NamedTuple):
    """What a manifest says. Of one store's, the one of the larger revision is newer."""

    revision: int
    issued_at: str
    prompts: Mapping[str, PromptContents]
    store: str = ""

    def prove_programs(self) -> None:
        """Build every program; raises SourceFault naming one that is none, whatever its digest.

        It imports the records, which takes a cold process tenths of a second.
        """
        for name, prompt in self.prompts.items():
            for number, served in prompt.versions.items():
                try:
                    _ = served.program
                except (ValueError, RecursionError) as error:
                    about = f"v{number} of '{name}' is no program ({type(error).__name__})"
                    raise SourceFault("corrupt", about) from None

    def is_newer_than(self, other: Contents) -> bool:
        """Whether it is a later state of the same store, or of one that does not say which."""
        return not self.is_of_another_store(other) and self.revision > other.revision

    def is_of_another_store(self, other: Contents) -> bool:
        """Whether both name a store, and not the same one."""
        return bool(self.store and other.store and self.store != other.store)


def contents_of_bytes(data: bytes) -> Contents:
    """Read and prove a manifest. Raises SourceFault; its message says what is wrong and where."""
    _check_size(data)
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_not_finite)
    except UnicodeDecodeError as error:
        raise SourceFault("corrupt", f"not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise SourceFault("corrupt", f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        where = f"after {len(data):,} bytes" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceFault("corrupt", f"not JSON: {error} {where}".rstrip()) from None
    return contents_of(value)


def contents_of(value: Any) -> Contents:
    """Prove a manifest that is JSON already. Raises SourceFault."""
    manifest = _object(value, "the manifest")
    _check_depth(manifest)
    found = manifest.get("format")
    if found != FORMAT:
        known = f"this client reads format {FORMAT}; bring promptyard up to date"
        raise SourceFault("other_format", f"format {found!r}: {known}")
    _check_sum(manifest)
    revision = _whole(manifest.get("revision"), "revision", least=0)
    prompts = _object(manifest.get("prompts"), "prompts")
    issued_at = _text(manifest.get("issued_at"), "issued_at")
    store = _text(manifest.get("store", ""), "store")
    found_prompts = {name: _prompt(name, prompts[name]) for name in prompts}
    return Contents(revision, issued_at, found_prompts, store)


def contents_of_texts(texts: Mapping[str, str]) -> Contents:
    """Make contents of bare prompt texts: version 0 each, and no pointer."""
    prompts: dict[str, PromptContents] = {}
    for name, text in texts.items():
        value = program_of_text(text)
        served = Served(name, 0, program_digest(value), value)
        prompts[name] = PromptContents({}, (), {0: served})
    return Contents(0, "", prompts)


def _check_size(data: bytes) -> None:
    """Refuse more values than are parsed in time, before any of them is parsed."""
    if sum(data.count(mark) for mark in (b"{", b"[", b",")) <= MAX_VALUES:
        return
    # Prompts are full of such marks: what stands in strings does not count. A loop in Python lets
    # other threads go on, and ends at the limit.
    for n_found, _ in enumerate(_STRING_OR_MARK.finditer(data), start=1):
        if n_found > 2 * MAX_VALUES:  # a key or a string, and the mark beside it
            raise SourceFault("too_large", f"more than {MAX_VALUES:,} values")


def _check_depth(value: Object) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += cast("dict[str, Any]", item).values()
            elif isinstance(item, list):
                inner += cast("list[Any]", item)
        if not inner:
            return
        level = inner
    raise SourceFault("corrupt", f"nested deeper than {MAX_DEPTH} levels")


def _check_sum(manifest: Object) -> None:
    stated = _text(manifest.get("checksum"), "checksum")
    try:
        actual = content_hash({key: item for key, item in manifest.items() if key != "checksum"})
    except ValueError as error:  # a number beyond the largest
        raise SourceFault("corrupt", f"not JSON: {error}") from None
    if actual != stated:
        raise SourceFault("tampered", "the content is not that of its checksum")


def _prompt(name: str, value: Any) -> PromptContents:
    where = f"prompts.{name}"
    prompt = _object(value, where)
    versions: dict[int, Served] = {}
    for key, item in _object(prompt.get("versions"), f"{where}.versions").items():
        served = _version(name, key, item)
        versions[served.version] = served
    pointers = {
        pointer: _known(number, versions, f"{where}.pointers.{pointer}")
        for pointer, number in _object(prompt.get("pointers"), f"{where}.pointers").items()
    }
    rollouts = prompt.get("rollouts", [])
    if not isinstance(rollouts, list):
        _refuse(f"{where}.rollouts is no list")
    running = [_rollout(item, versions, where) for item in cast("list[Any]", rollouts)]
    return PromptContents(pointers, tuple(running), versions)


def _version(name: str, key: str, value: Any) -> Served:
    where = f"prompts.{name}.versions.{key}"
    version = _object(value, where)
    number = _whole(version.get("number"), f"{where}.number", least=1)
    digest = _text(version.get("digest"), f"{where}.digest")
    program = _object(version.get("program"), f"{where}.program")
    if key != str(number):
        _refuse(f"{where} is version {number}")
    try:
        actual = program_digest(program)
    except ValueError as error:
        _refuse(f"{where}: {error}")
    if actual != digest:
        raise SourceFault("tampered", f"v{number} of '{name}': its bytes are not of its digest")
    return Served(name, number, digest, program)


def _rollout(value: Any, versions: Mapping[int, Served], where: str) -> RunningRollout:
    where = f"{where}.rollouts"
    rollout = _object(value, where)
    enrolled = rollout.get("enrolled")
    if isinstance(enrolled, bool) or not isinstance(enrolled, int | float):
        _refuse(f"{where}.enrolled is no number")
    if not 0 <= enrolled <= 1:
        _refuse(f"{where}.enrolled is not in [0, 1]")
    mode = rollout.get("mode", "split")
    if mode not in MODES:
        _refuse(f"{where}.mode is neither of {', '.join(MODES)}")
    return RunningRollout(
        id=_text(rollout.get("id"), f"{where}.id"),
        pointer=_text(rollout.get("pointer"), f"{where}.pointer"),
        control=_known(rollout.get("control"), versions, f"{where}.control"),
        treatment=_known(rollout.get("treatment"), versions, f"{where}.treatment"),
        enrolled=float(enrolled),
        is_shadow=mode == "shadow",
    )


def _known(value: Any, versions: Mapping[int, Served], where: str) -> int:
    number = _whole(value, where, least=1)
    if number not in versions:
        _refuse(f"{where} is v{number}, which the manifest does not have")
    return number


def _object(value: Any, where: str) -> Object:
    if not isinstance(value, dict):
        _refuse(f"{where} is no object")
    return cast("Object", value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{where} is no text")
    return value


def _whole(value: Any, where: str, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        _refuse(f"{where} is no whole number from {least} on")
    return value


def _refuse(reason: str) -> NoReturn:
    raise SourceFault("corrupt", reason)


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
