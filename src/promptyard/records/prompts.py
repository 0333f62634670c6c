"""Prompts and programs: what is optimised, versioned and served."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Literal, TypeAlias, cast

from pydantic import Field, ValidationError

from promptyard.errors import PromptError
from promptyard.records import prompt_text
from promptyard.records.base import Json, Record, as_object
from promptyard.records.cases import Case
from promptyard.records.messages import Message, OutputContract, Request, Tool

DemoSource: TypeAlias = Literal["label", "bootstrap", "rationalised", "synthetic"]
COLON_AT_END = re.compile(r":$", re.M)
MAX_FRONT_VALUES = 20_000
FRONT_MATTER_KEYS = ("name", "description", "output", "params", "tools")


class Section(Record):
    """A named part of a prompt; `text` is its body, byte by byte."""

    id: str
    title: str
    role: str
    text: str
    locked: bool = False


class Span(Record):
    """A marked span (`<edit>`): the characters [start, end) of the text of `section`."""

    id: str
    section: str
    start: int
    end: int
    text: str


class Demo(Record):
    """A demonstration: the inputs of a case and the answer to give.

    `case_id` is the train case it was made from; that case never scores a prompt that shows it.
    """

    input: Mapping[str, Json]
    output: str
    source: DemoSource = "label"
    case_id: str | None = None
    trace: tuple[str, ...] = ()

    def line(self) -> str:
        """Write the demonstration as its line of a `demos:` block."""
        value = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(value, ensure_ascii=False)


class Prompt(Record):
    """One prompt. `text` is the file byte for byte; everything else is read out of it.

    `files` holds what the text refers to by name (a schema file), so that a prompt is whole
    without its folder.
    """

    text: str
    files: Mapping[str, Json] = Field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str, files: Mapping[str, Json] | None = None) -> Prompt:
        """Read a prompt file's text. Raises PromptError naming line and key of what is wrong."""
        prompt = cls(text=text, files=dict(files or {}))
        prompt.validate_parts()
        return prompt

    def validate_parts(self) -> None:
        """Read every part once, so that a mistake is found before anything is sent."""
        _ = (self.front_matter, self.output, self.tools)
        if found := _miswritten_role(self.text, self.layout.front):
            line = self.text.count("\n", 0, found.start()) + 1
            raise PromptError(
                f"line {line}: '{found.group(0)}' opens no message; write it in lower case, "
                "or put a backslash before it"
            )
        params = self.params
        temperature = params.get("temperature")
        if temperature is not None and (
            isinstance(temperature, bool) or not isinstance(temperature, int | float)
        ):
            raise self._front_error("params", f"params.temperature: {temperature!r} is no number")
        shown = prompt_text.demo_block(self.text)
        wanted = prompt_text.block_variables(self.text, shown) if shown else ()
        for number, demo in enumerate(self.demos):
            missing = [name for name in wanted if name not in demo.input]
            if missing:
                line, _ = prompt_text.demo_lines(self.text)[number]
                raise PromptError(
                    f"line {line}: demonstration {number + 1} has no '{missing[0]}', which the "
                    "prompt shows"
                )

    @cached_property
    def layout(self) -> prompt_text.Layout:
        """Offsets of everything in `text`."""
        return prompt_text.parse_layout(self.text)

    @cached_property
    def front_matter(self) -> Mapping[str, Json]:
        """The settings at the top of the file. Raises PromptError for an unknown key."""
        return _front_matter(self.layout.front_yaml)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """All sections in order; each message has one before its first heading, named by role."""
        return tuple(
            Section(
                id=item.id,
                title=item.title,
                role=item.role,
                text=self.text[item.body : item.end],
                locked=item.locked,
            )
            for item in self.layout.sections
        )

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans marked by `<edit>`; when there are any, nothing else may change."""
        spans: list[Span] = []
        for item in self.layout.edit_spans:
            section = self.layout.section(item.section)
            base = section.body if section else 0
            text = self.text[item.start : item.end]
            spans.append(
                Span(
                    id=item.id,
                    section=item.section,
                    start=item.start - base,
                    end=item.end - base,
                    text=text,
                )
            )
        return tuple(spans)

    @cached_property
    def demos(self) -> tuple[Demo, ...]:
        """The demonstrations of the `demos:` block, in order."""
        demos: list[Demo] = []
        for number, value in prompt_text.demo_lines(self.text):
            try:
                demos.append(Demo.model_validate(value))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise PromptError(
                    f"line {number}: demonstration: {where}: {first['msg']}"
                ) from None
        return tuple(demos)

    @cached_property
    def output(self) -> OutputContract:
        """What the answer must look like; `{schema: name}` is looked up in `files`."""
        raw = self.front_matter.get("output")
        if raw is None:
            return OutputContract()
        given = as_object(raw)
        value: dict[str, Json] = {"format": raw} if given is None else dict(given)
        if isinstance(value.get("schema"), str):
            name = value["schema"]
            if name not in self.files:
                raise self._front_error(
                    "output", f"output.schema: the file '{name}' is not beside the prompt"
                )
            value["schema"] = self.files[name]
        try:
            return OutputContract.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(("output", *(str(part) for part in first["loc"])))
            raise self._front_error("output", f"{where}: {first['msg']}") from None

    @property
    def params(self) -> Mapping[str, Json]:
        """Model parameters (temperature, max_tokens ...) as they are sent."""
        params = self.front_matter.get("params")
        if params is None:
            return {}
        given = as_object(params)
        if given is None:
            raise self._front_error("params", "params must be keys and values (temperature: 0)")
        return given

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that the model may call."""
        given = self.front_matter.get("tools")
        if given is None:
            return ()
        if not isinstance(given, list):
            raise self._front_error(
                "tools", "tools must be a list of name, description, parameters"
            )
        tools: list[Tool] = []
        for number, tool in enumerate(cast("list[Json]", given)):
            try:
                tools.append(Tool.model_validate(tool))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(("tools", str(number), *(str(part) for part in first["loc"])))
                raise self._front_error("tools", f"{where}: {first['msg']}") from None
        return tuple(tools)

    def _front_error(self, key: str, reason: str) -> PromptError:
        return _front_error(self.layout.front_yaml, key, reason)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables, in order of first use."""
        return prompt_text.variables(self.text)

    def line_of(self, variable: str) -> int:
        """Return the line (from 1) on which a variable of the prompt is first used."""
        return self.text.count("\n", 0, prompt_text.variable_offsets(self.text)[variable]) + 1

    def render(self, case: Case | Mapping[str, Json]) -> tuple[Message, ...]:
        """Render the chat messages exactly as they would be sent for a case (or its inputs).

        Demonstrations stand as user and assistant turns before the last user message that has a
        variable.
        Raises PromptError when the case lacks a variable.
        """
        values = case.input if isinstance(case, Case) else case
        layout = self.layout
        blocks = [block for block in layout.blocks if block.role != "demos"]
        shown = prompt_text.demo_block(self.text)
        messages: list[Message] = []
        for block in blocks:
            if block == shown:
                messages.extend(self._demo_turns)
            messages.extend(prompt_text.render_block(self.text, block, values))
        return tuple(messages)

    @cached_property
    def _demo_turns(self) -> tuple[Message, ...]:
        """The demonstrations as turns; rendered once, since a prompt may show hundreds."""
        user = prompt_text.demo_block(self.text)
        turns: list[Message] = []
        if user is None:
            return ()
        for demo in self.demos:
            turns.extend(prompt_text.render_block(self.text, user, demo.input))
            turns.append(Message.of("assistant", demo.output))
        return tuple(turns)

    def request(self, case: Case | Mapping[str, Json]) -> Request:
        """Build the whole call for a case: messages, tools, parameters, output contract."""
        return Request(
            messages=self.render(case), tools=self.tools, params=self.params, output=self.output
        )


def _miswritten_role(text: str, front: int) -> re.Match[str] | None:
    # By its colon: the expression for the line itself is tried at every character of the text.
    starts = (text.rfind("\n", 0, m.start()) + 1 for m in COLON_AT_END.finditer(text, front))
    return next(filter(None, (prompt_text.MISWRITTEN_ROLE.match(text, at) for at in starts)), None)


def _front_matter(source: str) -> Mapping[str, Json]:
    if not source.strip():
        return {}
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        loaded: Json = YAML(typ="safe", pure=True).load(source)  # pyright: ignore[reportUnknownMemberType] (untyped library)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 2
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PromptError(f"line {line}: the front matter is not YAML: {problem}") from None
    except (RecursionError, ValueError) as error:  # too deep; a number of thousands of digits
        raise PromptError(f"line 2: the front matter cannot be read: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise PromptError("line 2: the front matter must be keys and values (`key: value`)")
    values = cast("dict[str, Json]", loaded)
    for key, value in values.items():
        if key not in FRONT_MATTER_KEYS:
            near = difflib.get_close_matches(str(key), FRONT_MATTER_KEYS, 1)
            hint = (
                f"did you mean '{near[0]}'?" if near else f"known: {', '.join(FRONT_MATTER_KEYS)}"
            )
            raise _front_error(source, str(key), f"unknown key '{key}'; {hint}")
        if reason := _no_plain_data(value):
            raise _front_error(source, key, f"{key}: {reason}")
    return values


def _front_error(source: str, key: str, reason: str) -> PromptError:
    """Build the error about a key at the top level of the front matter, with its line."""
    found = re.search(rf"^['\"]?{re.escape(key)}['\"]?[ \t]*:", source, re.M)
    line = 2 + source.count("\n", 0, found.start() if found else 0)
    return PromptError(f"line {line}: front matter: {reason}")


def _no_plain_data(value: Json) -> str | None:
    """Say why a value cannot be sent as JSON. Aliases can make a few lines say a great deal."""
    pending: list[Json] = [value]
    n_values = 0
    while pending:
        item = pending.pop()
        n_values += 1
        if n_values > MAX_FRONT_VALUES:
            return f"more than {MAX_FRONT_VALUES} values; is an alias inside itself?"
        if isinstance(item, dict):
            pending += [*cast("dict[Json, Json]", item), *cast("dict[Json, Json]", item).values()]
        elif isinstance(item, list):
            pending += cast("list[Json]", item)
        elif item is not None and not isinstance(item, str | int | float):
            return f"{type(item).__name__} is no plain value; put it in quotes"
    return None


class Step(Record):
    """A named prompt of a program."""

    name: str
    prompt: Prompt


class WorkflowSpec(Record):
    """How the steps run: the name of a workflow and its options."""

    name: str = "single"
    options: Mapping[str, Json] = Field(default_factory=dict)


class Program(Record):
    """Named steps and the workflow that runs them: the thing that is optimised and served."""

    steps: tuple[Step, ...] = Field(min_length=1)
    workflow: WorkflowSpec = WorkflowSpec()

    @classmethod
    def single(cls, prompt: Prompt) -> Program:
        """Wrap one prompt as the program of one step, named `main`."""
        return cls(steps=(Step(name="main", prompt=prompt),))

    @cached_property
    def id(self) -> str:
        """SHA-256 (hex) of the canonical form: equal ids mean byte-equal programs."""
        # Not `content_hash`: its NFC and sorting would make different bytes look equal.
        canonical = json.dumps(self.model_dump(mode="json", by_alias=True))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    @property
    def prompt(self) -> Prompt:
        """The prompt of a program with one step. Raises PromptError when it has several."""
        if len(self.steps) != 1:
            names = ", ".join(step.name for step in self.steps)
            raise PromptError(
                f"the program has several steps ({names}); ask for one of them by name"
            )
        return self.steps[0].prompt

    def step(self, name: str) -> Step:
        """Return the step called `name`. Raises PromptError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        names = ", ".join(step.name for step in self.steps)
        raise PromptError(f"the program has no step '{name}'; its steps: {names}")

    def render(
        self, case: Case | Mapping[str, Json], *, step: str | None = None
    ) -> tuple[Message, ...]:
        """Render the chat messages of one step as they would be sent.

        `step` may be left out where there is only one. Raises PromptError for an unknown step or
        a variable that the case lacks.
        """
        prompt = self.prompt if step is None else self.step(step).prompt
        return prompt.render(case)

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables that any step reads."""
        return tuple(dict.fromkeys(name for step in self.steps for name in step.prompt.variables))
