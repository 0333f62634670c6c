"""What all imports of other tools' prompts share: messages, settings, and what came of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptyard.errors import Advised, PromptError
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.prompt_writing import literal, write_messages
from promptyard.records.prompts import Program, Prompt
from promptyard.registry.exchange.templates import Piece

PARAMETERS: Mapping[str, str] = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_completion_tokens",
    "maxOutputTokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "top_p": "top_p",
    "topP": "top_p",
    "top_k": "top_k",
    "topK": "top_k",
    "frequency_penalty": "frequency_penalty",
    "frequencyPenalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "presencePenalty": "presence_penalty",
    "seed": "seed",
    "stop": "stop",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "reasoning_effort": "reasoning_effort",
}
"""Names of model parameters elsewhere, and the names under which they are sent."""

ROLES: Mapping[str, str] = {"model": "assistant", "bot": "assistant", "human": "user"}
MAX_NAME = 200


@dataclass(frozen=True)
class ForeignVersion:
    """A prompt of another tool, in our format.

    `number` is theirs; versions of a name are registered in its order. `labels` are their pointers.
    """

    name: str
    prompt: Prompt
    number: int = 0
    labels: tuple[str, ...] = ()
    message: str = ""
    author: str = ""
    created_at: str = ""

    @property
    def program(self) -> Program:
        """The prompt as a program of one step."""
        return Program.single(self.prompt)


class Findings:
    """What an import says: notes of what was left out, counted, and refusals, a line each."""

    def __init__(self) -> None:
        self._notes: Counter[str] = Counter()
        self.refused: list[str] = []

    def note(self, sentence: str) -> None:
        """Note what was left out or reads otherwise."""
        self._notes[sentence] += 1

    def refuse(self, what: str, why: PromptError) -> None:
        """Say that a version cannot be had here."""
        self.refused.append(f"{what}: {why}")

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes in the order in which they were first made."""
        return tuple(
            note if times == 1 else f"{note} ({times:,} times)"
            for note, times in self._notes.items()
        )


@dataclass(frozen=True)
class Settings:
    """What a prompt says beside its messages, as the front matter has it."""

    description: str = ""
    output: Mapping[str, Json] | None = None
    params: Mapping[str, Json] | None = None
    tools: Sequence[Json] = ()


def checked_name(name: Json) -> str:
    """Return a name that a prompt can have. Raises PromptError."""
    if (
        not isinstance(name, str)
        or not name.strip()
        or name != name.strip()
        or not name.isprintable()
        or len(name) > MAX_NAME
    ):
        shown = repr(name)[:MAX_NAME]
        raise PromptError(
            Advised(
                f"{shown} is no name for a prompt: it takes 1 to {MAX_NAME} characters on one "
                "line; give one with ",
                "--name",
                "the query parameter name",
            )
        )
    return name


def build_prompt(messages: Iterable[tuple[str, Sequence[Piece]]], settings: Settings) -> Prompt:
    """Write messages and settings as a prompt file and read it back.

    A variable that holds messages stands in a message of its own. Raises PromptError for a role
    that we do not have, or where the file would read differently.
    """
    turns: list[tuple[str, str]] = []
    for role, pieces in messages:
        written: list[str] = []
        for piece in pieces:
            if piece.kind == "chat":
                turns.append((role, "".join(written)))
                turns.append(("user", f"{{{{{piece.value}}}}}"))
                written = []
            elif piece.kind == "variable":
                written.append(f"{{{{{piece.value}}}}}")
            else:
                written.append(literal(piece.value))
        turns.append((role, "".join(written)))
    kept = [(ROLES.get(role, role), content) for role, content in turns if content.strip()]
    if not kept:
        raise PromptError("it has no message with a content")
    text = _front_matter(settings) + write_messages(kept)
    prompt = Prompt.from_text(text)
    if dict(prompt.params) != dict(settings.params or {}) or (
        len(prompt.tools) != len(settings.tools)
    ):
        raise PromptError("its settings read differently in our format")
    return prompt


def model_settings(
    config: Mapping[str, Json], findings: Findings, *, description: str = ""
) -> Settings:
    """Sort a configuration into parameters, tools and an output contract; note what is left."""
    params: dict[str, Json] = {}
    output: Mapping[str, Json] | None = None
    tools: Sequence[Json] = ()
    for key, value in config.items():
        if value is None or value in ([], {}, ""):
            continue
        if key in PARAMETERS:
            params[PARAMETERS[key]] = value
        elif key == "response_format":
            output = output_of(value)
        elif key == "tools":
            tools = tools_of(value)
        elif key in ("model", "model_name"):
            findings.note(f"the model {value!s} is not part of a prompt; name it in the task")
        else:
            findings.note(f"'{key}' of the configuration was left out")
    return Settings(description=description, output=output, params=params, tools=tools)


def output_of(value: Json) -> Mapping[str, Json] | None:
    """Read OpenAI's `response_format`, or a JSON Schema, as an output contract."""
    given = as_object(value)
    if given is None:
        raise PromptError(f"response_format: {value!r} is no JSON object; write the schema itself")
    kind = given.get("type")
    if kind == "text":
        return None
    if kind == "json_object" and len(given) == 1:
        return {"format": "json"}
    if kind == "json_schema":
        inner = as_object(given.get("json_schema")) or given
        schema = as_object(inner.get("schema"))
    else:
        schema = given
    if schema is None:
        raise PromptError("response_format: there is no JSON Schema in it")
    return {"format": "json", "schema": dict(schema)}


def tools_of(value: Json) -> Sequence[Json]:
    """Read tools as OpenAI's API takes them, or as name, description and parameters."""
    items = as_list(value)
    if items is None:
        raise PromptError("tools: they are no list; write them in place")
    tools: list[Json] = []
    for item in items:
        given = as_object(item) or {}
        function = as_object(given.get("function")) or given
        name, given_parameters = function.get("name"), function.get("parameters")
        parameters = as_object({} if given_parameters is None else given_parameters)
        if not isinstance(name, str) or parameters is None:
            raise PromptError("tools: a tool needs a name and parameters as a JSON Schema")
        description = function.get("description") or ""
        tools.append({"name": name, "description": description, "parameters": parameters})
    return tools


def _front_matter(settings: Settings) -> str:
    values: dict[str, Json] = {
        "description": settings.description,
        "output": settings.output,
        "params": settings.params,
        "tools": list(settings.tools),
    }
    lines = [f"{key}: {_flow(value)}\n" for key, value in values.items() if value]
    return f"---\n{''.join(lines)}---\n" if lines else ""


def _flow(value: Json) -> str:
    """Write a value as JSON, which YAML 1.2 reads."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise PromptError(f"a setting cannot be written: {error}") from None
