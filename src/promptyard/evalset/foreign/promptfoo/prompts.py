"""Writes the prompts of a configuration as prompt files: text, chat messages, files of either."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported
from promptyard.evalset.foreign.prompt_files import literal, prompt_text
from promptyard.evalset.foreign.promptfoo.templates import VARIABLE, has_logic, pieces_of
from promptyard.evalset.foreign.source_files import SCHEME, SourceFiles, code_language, read_text
from promptyard.evalset.raw_rows import raw_rows
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.tree_file import parse_yaml
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

PREFIX, SUFFIX = "prompt_prefix", "prompt_suffix"
"""Input variables that hold what a test puts before and after the prompt."""

_PARTS = re.compile(r"^---[ \t]*$", re.MULTILINE)
_SCHEMES = ("exec:", "langfuse://", "portkey://", "helicone://", "package:")


def prompts_of(
    value: Json, files: SourceFiles, notes: Notes, around: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the texts of prompt files, in order. What cannot be written is noted, not raised.

    Args:
        value: what the configuration has under `prompts`.
        files: reads the files that are named.
        notes: where to say what was left out.
        around: which of `PREFIX` and `SUFFIX` the tests use.
    """
    items = as_list(value)
    entries = ([] if value is None else [value]) if items is None else items
    texts: list[str] = []
    for entry in entries:
        label = _label(entry)
        try:
            for source in _sources(entry, files):
                texts.append(_written(source, around))
        except (Unsupported, EvalSetError) as why:
            notes.add(f"the prompt '{label}' was left out: {why}")
    return tuple(dict.fromkeys(texts))


def _label(entry: Json) -> str:
    found = as_object(entry) or {}
    named = found.get("label") or found.get("id") or found.get("raw") or entry
    return one_line(str(named))


def _sources(entry: Json, files: SourceFiles) -> Iterator[str]:
    """Yield the raw texts that an entry stands for."""
    found = as_object(entry)
    if found is not None:
        entry = found.get("raw", found.get("id"))
    if not isinstance(entry, str):
        raise Unsupported("it is no text")
    if entry.startswith(_SCHEMES):
        raise Unsupported("nothing is run or fetched")
    if language := code_language(entry):
        raise Unsupported(f"{language} is not run")
    if entry.startswith(SCHEME) or _is_file(entry, files):
        for path in files.matches(entry):
            yield from _in_file(path)
    else:
        yield entry


def _is_file(entry: str, files: SourceFiles) -> bool:
    name = PurePosixPath(entry)
    short = "\n" not in entry and len(entry) < 200 and "{" not in entry
    return (
        short and bool(name.suffix) and not name.is_absolute() and (files.folder / name).is_file()
    )


def _in_file(path: Path) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".jsonl"):
        for _, row in raw_rows(path):
            yield str(row.get("prompt", ""))
    elif suffix in (".txt", ""):
        yield from (part.strip() for part in _PARTS.split(read_text(path)) if part.strip())
    else:
        yield read_text(path)


def _written(source: str, around: Sequence[str]) -> str:
    turns = _chat(source)
    if turns is None:
        before = f"{{{{{PREFIX}}}}}" if PREFIX in around else ""
        after = f"{{{{{SUFFIX}}}}}" if SUFFIX in around else ""
        turns = [("user", f"{before}{source.strip()}{after}")]
    elif around:
        raise Unsupported("the tests put text before or after it, and it is a chat")
    return prompt_text([(role, _template(content)) for role, content in turns])


def _chat(source: str) -> list[tuple[str, str]] | None:
    """Read a prompt that is a JSON or YAML list of messages; None for a plain text."""
    stripped = source.strip()
    if stripped.startswith("["):
        try:
            value: Json = parse_json(stripped)
        except JsonFault:
            return None
    elif re.match(r"-\s+(?:role|content):", stripped):
        value = parse_yaml(Path("prompt"), stripped).data
    else:
        return None
    turns: list[tuple[str, str]] = []
    for item in as_list(value) or ():
        message: Mapping[str, Json] = as_object(item) or {}
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str):
            return None
        if not isinstance(content, str):
            raise Unsupported("a message that is no plain text")
        turns.append((role, content))
    return turns or None


def _template(source: str) -> str:
    """Write a template of promptfoo in ours, which have plain variables only."""
    pieces: list[str] = []
    for is_raw, piece in pieces_of(source):
        if is_raw:
            pieces.append(literal(piece))
            continue
        if has_logic(piece):
            raise Unsupported(f"template logic ({one_line(source)})")
        at = 0
        for match in VARIABLE.finditer(piece):
            if "." in match[1]:
                raise Unsupported(f"a template that looks into '{one_line(match[1])}'")
            pieces += [literal(piece[at : match.start()]), f"{{{{{match[1]}}}}}"]
            at = match.end()
        pieces.append(literal(piece[at:]))
    return "".join(pieces)
