"""The texts of a new task's files, with comments for a reader who sees them first. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from promptyard.line.answer_kind import AnswerKind
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.prompt_text import ROLE_LINE, VARIABLE

SCHEMA = "answer.schema.json"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "inf"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def task_file(
    *,
    name: str,
    n_cases: int,
    source: str | None,
    kind: AnswerKind,
    checks: Sequence[Mapping[str, Json]],
    is_given: bool,
    splits: Mapping[str, Json] | None,
    model: str | None,
    base_url: str | None,
) -> str:
    """Write task.yaml."""
    origin = f"{n_cases:,} cases" + (f" from {source}" if source else "; replace them by yours")
    said = "# Chosen by hand." if is_given else f"# Guessed: {kind.why}."
    listed = "".join(f"  - {flow(_short(check))}\n" for check in checks)
    asides = "" if is_given else "".join(map(_aside, kind.asides))
    split_lines = (
        f"splits: {flow(splits)}\n" if splits else "# Every case names its split itself.\n"
    )
    return f"""\
# A task: what is improved, how it is measured, what may be spent.
# After a change: promptyard check (costs nothing), then promptyard eval.

name: {flow(name)}
prompt: prompt.md       # the prompt to start from
cases: cases.jsonl      # {_comment(origin)}

{_models(model, base_url)}
# What grades an answer. A hard check that fails makes a score 0; soft ones are averaged.
{_comment(said)}
checks:{"" if checks else " []"}
{listed}{asides}
# train feeds the search, dev chooses among candidates, holdout proves the result at the end.
# A case's split is the hash of its id, so adding cases never moves old ones.
{split_lines}
# The most that a run may spend; remove the # to set it.
# optimize: {{budget: {{task_calls: 600, usd: 2.00}}}}
"""


def _models(model: str | None, base_url: str | None) -> str:
    if model is None and base_url is None:
        return """\
# The model that is prompted, as provider/model; --model on the command line goes before it.
# models: {task: openai/gpt-5-mini}
# A server of your own that speaks the chat-completions protocol:
# models: {task: openai_compatible/NAME, base_url: "http://127.0.0.1:8000/v1"}
"""
    given: dict[str, Json] = {"task": model, "base_url": base_url}
    kept = {key: value for key, value in given.items() if value is not None}
    return (
        "# The model that is prompted; --model and --base-url on the command line go before it.\n"
        "# Keys are read from the environment and never stand in a file.\n"
        f"models: {flow(kept)}\n"
    )


def _short(check: Mapping[str, Json]) -> Json:
    return check["type"] if set(check) == {"type"} else dict(check)


def _comment(text: str) -> str:
    """Keep what was read from a file inside of its comment."""
    return " ".join(text.split())


def _aside(text: str) -> str:
    """Write a comment among the checks; a check in it only lacks the # to count."""
    return f"  # {'- ' if text.startswith('{') else ''}{_comment(text)}\n"


def flow(value: Json) -> str:
    """Write a value as YAML in one line; texts that are not plain words stand in quotes."""
    pairs = as_object(value)
    if pairs is not None:
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in pairs.items())}}}"
    items = as_list(value)
    if items is not None:
        return f"[{', '.join(map(flow, items))}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=True)


def prompt_file(
    given: str,
    variables: Sequence[str],
    kind: AnswerKind,
    no_variable: Callable[[str, Sequence[str]], Exception],
) -> str:
    """Write prompt.md: a text becomes the system message, with the variables wired in.

    A text that is a prompt file already (front matter or a role line) stays as it is, and one with
    variables of its own becomes the user message. Raises what `no_variable` makes of a variable
    that the cases do not have.
    """
    text = given.strip("\n")
    for match in VARIABLE.finditer(text):
        if match.group(1) not in variables:
            raise no_variable(match.group(1), variables)
    if text.startswith("---\n") or any(ROLE_LINE.match(line) for line in text.splitlines()):
        return f"{text}\n"
    own = bool(VARIABLE.search(text))
    answer = _answer_section(kind)
    system = "\n\n".join(part for part in ("" if own else text, answer) if part)
    user = text if own else _wired(variables)
    opened = f"system:\n{system}\n\n" if system else ""
    return f"{_front_matter(variables, kind)}{opened}user:\n{user}\n"


def _front_matter(variables: Sequence[str], kind: AnswerKind) -> str:
    names = " ".join(f"{{{{{name}}}}}" for name in variables)
    contract: dict[str, Json] = {}
    if kind.kind == "label":
        contract = {"format": "label", "labels": list(kind.labels)}
    elif kind.json_schema is not None:
        contract = {"format": "json", "schema": SCHEMA}
    return f"""\
---
# The prompt that is improved. Lines up to the next --- are never sent to a model.
# "system:" and "user:" open a message, a heading opens a section. Behind a heading,
# {{.locked}} keeps its section as it is. Variables of the cases: {names}
output: {flow(contract or "text")}
---
"""


def _wired(variables: Sequence[str]) -> str:
    named = [name for name in variables if _NAME.fullmatch(name)]
    if len(named) == 1:
        return f"{{{{{named[0]}}}}}"
    return "\n".join(f"{name}: {{{{{name}}}}}" for name in named)


def _answer_section(kind: AnswerKind) -> str:
    if kind.kind == "label":
        items = "\n".join(f"- {_literal(label)}" for label in kind.labels)
        return (
            "## Labels {#labels}\n"
            f"Answer with exactly one of these labels and nothing else:\n\n{items}"
        )
    if kind.kind == "number":
        return "## Answer {#answer}\nAnswer with the number only and nothing else."
    if kind.kind == "object":
        notes = kind.field_notes.items()
        items = "\n".join(f"- {_literal(name)}: {_literal(note)}" for name, note in notes)
        return (
            "## Fields {#fields}\n"
            f"Answer with one JSON object and nothing else. Its fields:\n\n{items}"
        )
    if kind.kind == "list":
        note = kind.field_notes["each item"]
        return (
            f"## Answer {{#answer}}\nAnswer with one JSON list and nothing else. Each item: {note}."
        )
    return ""


def _literal(text: str) -> str:
    """Keep double braces of the data from being read as a variable."""
    return text.replace("{{", "\\{{")


def schema_file(kind: AnswerKind) -> str:
    """Write the schema of the answer."""
    return json.dumps(kind.json_schema, indent=2, ensure_ascii=False) + "\n"
