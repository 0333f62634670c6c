"""The page of task.yaml, promptyard.yaml, the environment, cases and front matter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from docs.generator.text import page, sentences, table

PLANNED: Mapping[str, str] = {}
"""Configuration that is read and checked while what it configures is not built."""


def configuration_page() -> str:
    """Describe task.yaml, promptyard.yaml and the environment, key by key."""
    from promptyard.config import ProjectConfig, TaskConfig
    from promptyard.config.load import ENVIRONMENT, FILELESS
    from promptyard.providers import ENDPOINTS
    from promptyard.records.cases import Case
    from promptyard.records.prompts import FRONT_MATTER_KEYS

    task, project = TaskConfig.model_json_schema(), ProjectConfig.model_json_schema()
    gone = set(PLANNED) - {row[0].strip("`") for row in _key_rows(task, task, "")}
    if gone:
        raise SystemExit(f"docs/generator: PLANNED names keys that are not there: {sorted(gone)}")
    out = [
        "An unknown key is an error that names the nearest known one. JSON Schemas for editors: "
        "[task.schema.json](task.schema.json), [project.schema.json](project.schema.json). The "
        "names that may stand in `type`, `workflow`, `strategy` and `generators` are in "
        "[metrics](metrics.md) and [names](names.md).\n\n"
    ]
    out.append("## task.yaml\n\n" + sentences(TaskConfig.__doc__) + "\n\n")
    out.append(_keys(task))
    out.append(
        "A check is a text (`exact_match`) or keys and values (`{type: regex, pattern: ...}`); "
        "beside `type` and the keys above it has the options of its type.\n\n"
    )
    out.append("## promptyard.yaml\n\n" + sentences(ProjectConfig.__doc__))
    out.append(
        " It is looked for in the task's folder and the folders above it; `runs` and `prompts` "
        "look in the present folder and above.\n\n"
    )
    out.append(_keys(project))
    out.append("## Environment\n\nVariables override `promptyard.yaml`; an empty one is not set. ")
    out.append("An unknown variable that begins with `PROMPTYARD_` is an error.\n\n")
    rows = [(f"`{name}`", f"`{'.'.join(map(str, key))}`") for name, key in ENVIRONMENT.items()]
    rows += [(f"`{name}`", what) for name, what in FILELESS.items()]
    rows += [
        (f"`{item.key_variable}`", f"the key of `{name}`, sent to its own address only")
        for name, item in ENDPOINTS.items()
        if item.key_variable
    ]
    out.append(table(("variable", "sets"), rows))
    out.append("## Keys of a case\n\nOne JSON object a line in `cases.jsonl`, or an array of them ")
    out.append("in a `.json` file. Only `input` is required. In `.csv` and `.tsv` files `id`, ")
    out.append(
        "`expected`, `kind`, `tags`, `checks`, `cluster`, `split`, `weight` and `retired` are "
    )
    out.append("columns, and every other column is an input variable.\n\n")
    out.append(table(("key", "default", "meaning"), list(_case_rows(Case))))
    out.append("## Front matter of a prompt\n\n")
    out.append(table(("key", "meaning"), list(_front_matter_rows(FRONT_MATTER_KEYS))))
    return page("Configuration", out)


def _keys(schema: Mapping[str, Any]) -> str:
    rows = list(_key_rows(schema, schema, ""))
    return table(("key", "value", "default", "meaning"), rows)


def _key_rows(
    schema: Mapping[str, Any], node: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str, str]]:
    for name, shape in node.get("properties", {}).items():
        path = f"{prefix}{name}"
        target = _target(schema, shape)
        required = name in node.get("required", ())
        default = "required" if required else _shown_default(shape)
        meaning = sentences(shape.get("description") or target.get("description"))
        if note := PLANNED.get(path):
            meaning += f" *Planned: {note}.*"
        if target.get("properties"):
            yield f"`{path}`", "keys and values", "–", meaning
            yield from _key_rows(schema, target, f"{path}.")
            continue
        yield f"`{path}`", _shape_text(schema, shape), default, meaning
        inner = _item_target(schema, shape)
        if inner.get("properties"):
            mark = "[]" if "items" in _plain(shape) else ".NAME"
            yield from _key_rows(schema, inner, f"{path}{mark}.")


def _target(schema: Mapping[str, Any], shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference."""
    if "$ref" in shape:
        return schema["$defs"][shape["$ref"].rsplit("/", 1)[-1]]
    return shape


def _plain(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the alternative of a shape that says most: the list or the object, not null."""
    choices = [item for item in shape.get("anyOf", ()) if item.get("type") != "null"]
    return choices[-1] if choices else shape


def _item_target(schema: Mapping[str, Any], shape: Mapping[str, Any]) -> Mapping[str, Any]:
    plain = _plain(shape)
    item = plain.get("items") or plain.get("additionalProperties")
    if not isinstance(item, Mapping):
        return {}
    return _target(schema, _plain(item))


def _shape_text(schema: Mapping[str, Any], shape: Mapping[str, Any]) -> str:
    shape = _target(schema, shape)
    if "anyOf" in shape:
        texts = [_shape_text(schema, item) for item in shape["anyOf"]]
        return " or ".join(dict.fromkeys(text for text in texts if text != "nothing"))
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    kind = shape.get("type")
    if kind == "array":
        return f"list of {_shape_text(schema, shape.get('items', {}))}"
    if kind == "object":
        return "keys and values"
    names = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true` or `false`",
        "null": "nothing",
    }
    return names.get(str(kind), "anything") + _range_text(shape)


def _range_text(shape: Mapping[str, Any]) -> str:
    words = {
        "minimum": "{:g} or more",
        "exclusiveMinimum": "more than {:g}",
        "maximum": "at most {:g}",
        "exclusiveMaximum": "less than {:g}",
    }
    if "minimum" in shape and "maximum" in shape:
        return f", {shape['minimum']:g} to {shape['maximum']:g}"
    said = [words[key].format(shape[key]) for key in words if key in shape]
    return f", {', '.join(said)}" if said else ""


def _shown_default(shape: Mapping[str, Any]) -> str:
    if shape.get("default") in (None, "", {}, [], ()):
        return "–"
    return f"`{json.dumps(shape['default'], ensure_ascii=False)}`"


CASE_KEYS = {
    "id": "Name of the case; by default 16 digits of the hash of `input` and `expected`.",
    "input": "Variables and their values: text, JSON, `{image: url}` or a list of messages. "
    "A bare text is the variable `input`.",
    "expected": "What checks compare with.",
    "rubric": "What a judge holds the answer against, beside the rubric of the check "
    "(`llm_rubric`).",
    "checks": "Checks of this case alone, beside those of the task.",
    "kind": "`representative`, `edge` or `adversarial`; what an adversarial case shows counts "
    "towards safety.",
    "tags": "Texts to sort cases by; `key:value` tags can name clusters.",
    "cluster": "Cases of one cluster are not independent: they share a split and are resampled "
    "together.",
    "weight": "Weight of the case in means; more than 0.",
    "split": "`train`, `dev` or `holdout`, instead of the hash.",
    "critical": "A critical case that passed before may not fail under a candidate.",
    "source": "Where the case comes from.",
}


def _case_rows(case: Any) -> Iterator[tuple[str, str, str]]:
    unknown = set(case.model_fields) ^ set(CASE_KEYS)
    if unknown:
        raise SystemExit(f"docs/generator: CASE_KEYS and Case differ in: {sorted(unknown)}")
    for name, meaning in CASE_KEYS.items():
        field = case.model_fields[name]
        shown = "–" if field.is_required() else _shown_default({"default": field.default})
        yield f"`{name}`", "required" if name == "input" else shown, meaning
    meaning = "Why the case is out of use. Its row stays, no run takes it, its id stays taken."
    yield "`retired`", "null", meaning


FRONT_MATTER = {
    "name": "A name for people.",
    "description": "What the prompt is for.",
    "output": "What the answer must look like: `text`, or keys `format` (`text`, `label`, `json`), "
    "`labels` (a list) and `schema` (a JSON Schema, or the name of a file beside the prompt).",
    "params": "Model parameters as they are sent: `temperature`, `max_tokens` and so on.",
    "tools": "Functions that the model may ask for: `name`, `description`, `parameters`.",
}


def _front_matter_rows(keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    if set(keys) != set(FRONT_MATTER):
        raise SystemExit("docs/generator: FRONT_MATTER and FRONT_MATTER_KEYS differ")
    for key in keys:
        yield f"`{key}`", FRONT_MATTER[key]
