"""Files of other tools, as they lie on a disk: read, or refused with file and line."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from promptyard.errors import ConfigError, PromptError, PromptyardError
from promptyard.line.prompt_sources import PromptSource, read_source
from promptyard.records.prompts import Prompt

PROMPTY_1 = """---
name: Contoso Writer
description: Answers questions.
authors:
  - ann
model:
  api: chat
  configuration:
    type: azure_openai
    azure_deployment: ${env:DEPLOYMENT}
  parameters:
    max_tokens: 800
    temperature: 0.2
    tools:
      - type: function
        function:
          name: find
          description: Find it.
          parameters: {type: object, properties: {q: {type: string}}}
sample:
  firstName: Jane
---
system:
You help {{firstName}}.

# Customer
Be kind.

user:
{{ question }}
"""
PROMPTY_2 = """---
name: weather
model:
  id: gpt-4
  provider: openai
  apiType: chat
  connection: {kind: key, apiKey: "${env:KEY}"}
  options:
    temperature: 0
    maxOutputTokens: 50
    stopSequences: [END]
    additionalProperties: {seed: 3}
inputs:
  - {name: text, kind: string, default: "It is sunny."}
  - {name: history, kind: thread}
outputs:
  - {name: city, kind: string, required: true}
  - {name: degrees, kind: integer}
tools:
  - name: get_weather
    kind: function
    description: Get it.
    parameters:
      - {name: place, kind: string, description: "Where.", required: true}
template: {format: {kind: jinja2}, parser: {kind: prompty}}
metadata: {authors: [ann]}
---
Extract weather data. {# not sent #}

{{history}}

# User:
{{text}}
assistant[nonce=1]:
Sure.
"""
DOTPROMPT = """# Copyright somebody
---
model: googleai/gemini-1.5-flash
config:
  temperature: 0.7
  topK: 20
  stopSequences: [STOP]
  version: latest
input:
  schema: {theme: string}
  default: {theme: pirate}
output:
  format: json
  schema:
    name: string, the name
    items(array): string
ext.key: 1
---
{{! not sent }}
{{role "system"}}
Make a menu. Write \\{{braces}}.
{{history}}
Sure.
{{role "user"}}
Theme: {{theme}} {{json extras}}
"""


def source(folder: Path, file: str, text: str, **options: str) -> PromptSource:
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return read_source(path, **options)


def prompt(found: PromptSource) -> Prompt:
    assert not found.refused
    return found.foreign[0].prompt


def sent(found: Prompt, **values: object) -> list[tuple[str, str]]:
    return [(message.role, message.text.strip()) for message in found.render(values)]


def test_a_prompty_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    found = source(tmp_path, "writer.prompty", PROMPTY_1)
    version = prompt(found)
    assert found.foreign[0].name == "Contoso Writer"
    assert sent(version, firstName="Jane", question="Why?") == [
        ("system", "You help Jane.\n\n# Customer\nBe kind."),
        ("user", "Why?"),
    ]
    assert version.params == {"max_tokens": 800, "temperature": 0.2}
    assert version.front_matter["description"] == "Answers questions."
    assert [(tool.name, tool.description) for tool in version.tools] == [("find", "Find it.")]
    said = " ".join(found.notes)
    for words in ("'authors'", "connection", "samples of inputs"):
        assert words in said


def test_a_prompty_file_of_the_second_version_is_read(tmp_path: Path) -> None:
    found = source(tmp_path, "w.prompty", PROMPTY_2)
    version = prompt(found)
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "{{text}}"}]
    assert sent(version, text="Sun.", history=chat) == [
        ("system", "Extract weather data."),
        ("user", "hi"),
        ("assistant", "{{text}}"),
        ("user", "Sun."),
        ("assistant", "Sure."),
    ]
    assert version.params == {"temperature": 0, "max_tokens": 50, "stop": ["END"], "seed": 3}
    assert version.output.schema_ == {
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
        "required": ["city"],
    }
    (tool,) = version.tools
    assert tool.parameters["properties"] == {"place": {"type": "string", "description": "Where."}}
    assert any("gpt-4" in note for note in found.notes)


def test_a_dotprompt_file_is_read(tmp_path: Path) -> None:
    found = source(tmp_path, "menu.prompt", DOTPROMPT)
    version = prompt(found)
    chat = [{"role": "user", "content": "hi"}]
    assert sent(version, theme="sea", extras=[1], history=chat) == [
        ("system", "Make a menu. Write {{braces}}."),
        ("user", "hi"),
        ("assistant", "Sure."),
        ("user", "Theme: sea [1]"),
    ]
    assert found.foreign[0].name == "menu"
    assert version.params == {"temperature": 0.7, "top_k": 20, "stop": ["STOP"]}
    schema = version.output.schema_ or {}
    assert schema["properties"]["name"] == {"type": "string", "description": "the name"}
    said = " ".join(found.notes)
    for words in ("gemini", "'version'", "defaults of inputs", "'ext.key'", "`history`"):
        assert words in said


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.prompt", "---\nmodel: m\n---\nHi\n{{#each items}}\n- {{this}}\n{{/each}}\n",
         "line 5: `{{#each items}}` has no counterpart"),
        ("a.prompt", "Hi {{>part}}", "line 1: `{{>part}}`"),
        ("a.prompt", "Hi {{media url=x}}", "`{{media url=x}}`"),
        ("a.prompt", "---\ntools: [timeOfDay]\n---\nHi\n", "'timeOfDay' names a tool"),
        ("a.prompt", "---\noutput: {schema: Menu}\n---\nHi\n", "'Menu' names a schema"),
        ("a.prompt", "---\noutput: {format: media}\n---\nHi\n", "output.format: 'media'"),
        ("a.prompt", '{{role "tool"}}Hi', "the role 'tool'"),
        ("a.prompt", "---\nmodel: m\nHi\n", "opened and never closed"),
        ("a.prompt", "---\n- a\n---\nHi\n", "line 2: the front matter must be keys"),
        ("a.prompt", "\n\n---\n\nmodel: }\n---\nHi\n", "a.prompt:5: not YAML"),
        ("a.prompt", "---\na: &x [*x]\n---\nHi\n", "alias inside itself"),
        ("a.prompt", "---\na: !!python/object:os.system {}\n---\nHi\n", "no plain data"),
        ("a.prompt", "---\na: 1\na: 2\n---\nHi\n", "stands twice"),
        ("a.prompt", "", "no message with a content"),
        ("a.prompty", "system:\nHi\n\nuser:\n{% for i in x %}\n{{i}}{% endfor %}\n",
         "line 5: `{% for i in x %}`"),
        ("a.prompty", "---\nmodel: {api: embedding}\n---\nHi {{x}}\n", "only chat prompts"),
        ("a.prompty", "---\ntemplate: liquid\n---\nHi\n", "template: 'liquid'"),
        ("a.prompty", "---\nmodel: {parameters: {response_format: '${file:/x.json}'}}\n---\nHi\n",
         "response_format"),
        ("a.prompty", "---\noutputs: [{name: a, kind: string, enum: ['${file:x}']}]\n---\nHi\n",
         "`${file:x}` is not followed"),
        ("a.prompty", "---\ntools: '${file:t.json}'\n---\nHi\n", "tools"),
        ("a.prompty", "---\ntools: [{name: a, kind: mcp}]\n---\nHi\n", "the kind 'mcp'"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_with_file_and_line(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    found = source(tmp_path, name, text)
    assert not found.foreign
    (line,) = found.refused
    assert line.startswith(str(tmp_path / name))
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"{", "not JSON"),
        ("a.json", b'{"a": 1}', "no prompts of langfuse or mlflow"),
        ("a.json", b"[" * 50_000, "nested deeper"),
        ("a.json", b'{"name": "a", "prompt": "x", "version": NaN}', "non-finite"),
        ("a.json", b"\xff\xfe", "not UTF-8"),
        ("a.prompt", b"x" * ((4 << 20) + 1), "larger than 4 MiB"),
        ("a.txt", b"Hi", "its format is not known"),
        ("versions.json", b"{", "not JSON"),
        ("versions.json", b'{"format": 2}', "the format 2 is not known"),
    ],
)
def test_files_that_are_nothing_of_the_kind_are_refused(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        (said,) = read_source(tmp_path / name).refused
    except PromptyardError as refused:
        said = str(refused)
    assert words in said
    assert str(tmp_path) in said
    assert "\n" not in said


def test_json_lines_and_prompt_files_of_ours_are_read(tmp_path: Path) -> None:
    lines = "".join(
        json.dumps({"name": "a", "prompt": f"{number} {{{{x}}}}", "version": number}) + "\n"
        for number in (2, 1)
    )
    found = source(tmp_path, "all.jsonl", lines)
    assert [version.number for version in found.foreign] == [2, 1]
    own = source(tmp_path, "support.prompt.md", "user:\r\n{{x}}\r\n")
    assert own.foreign[0].name == "support"
    renamed = source(tmp_path, "support.prompt.md", "user:\n{{x}}", name="other")
    assert renamed.foreign[0].name == "other"


def test_a_folder_of_prompt_files_is_read_whole(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.prompt").write_text(f"{name} {{{{x}}}}", encoding="utf-8")
    (tmp_path / "three.prompt").write_text("{{#if x}}", encoding="utf-8")
    found = read_source(tmp_path)
    assert [version.name for version in found.foreign] == ["one", "two"]
    assert len(found.refused) == 1


@pytest.mark.parametrize(
    "options", [{"format_name": "humanloop"}, {"syntax": "erb"}, {"name": "x"}]
)
def test_wishes_that_cannot_be_met_name_what_can(tmp_path: Path, options: dict[str, str]) -> None:
    rows = [{"name": name, "prompt": "x", "version": 1} for name in "ab"]
    with pytest.raises(ConfigError, match="--"):
        source(tmp_path, "a.json", json.dumps(rows), **options)
    with pytest.raises(PromptError, match="no such file"):
        read_source(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PromptError, match=r"no versions\.json"):
        read_source(tmp_path / "empty")


@pytest.mark.parametrize("suffix", [".prompty", ".prompt"])
@pytest.mark.parametrize(
    "unit", [" ", "\n", "# ", "---\n", "system:\n", "system [", "{{", "{#", "\t\r"]
)
def test_hostile_files_take_no_longer_than_their_length(
    tmp_path: Path, suffix: str, unit: str
) -> None:
    start = time.process_time()
    source(tmp_path, f"a{suffix}", unit * (150_000 // len(unit)) + "x")
    assert time.process_time() - start < 10
