"""The testing criteria of OpenAI's Evals API: graders whose templates read the item and the answer.

Source: platform.openai.com/docs/guides/graders. `like` and `ilike` say whether the input contains
the reference, `eq` and `ne` compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from promptyard.errors import EvalSetError
from promptyard.evalset.foreign.checks import Notes, Unsupported, skip_check, take_expected
from promptyard.evalset.foreign.promptfoo.templates import plain_text
from promptyard.evalset.tree_file import Tree
from promptyard.evalset.wording import one_line
from promptyard.records.base import Json, as_list, as_object

OUTPUT = re.compile(r"\{\{\s*sample\.output_text\s*\}\}")
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def criteria_of(tree: Tree) -> Sequence[Json]:
    """Return the criteria of a document, which may be the list itself. Raises EvalSetError."""
    data = as_object(tree.data)
    criteria = as_list(tree.data if data is None else data.get("testing_criteria"))
    if criteria is None:
        raise EvalSetError(f"{tree.path}: expected a list under 'testing_criteria'")
    return criteria


def checks_of_item(
    criteria: Sequence[Json], item: Mapping[str, Json], notes: Notes
) -> tuple[Json, list[dict[str, Json]]]:
    """Return the expectation of an item and its checks; what cannot be run is a skip."""
    return take_expected([_check(grader, item, notes) for grader in criteria])


def _check(grader: Json, item: Mapping[str, Json], notes: Notes) -> dict[str, Json]:
    found = as_object(grader) or {}
    kind = found.get("type")
    name = found.get("name")
    named: dict[str, Json] = {"id": name} if isinstance(name, str) and name else {}
    convert = CONVERT.get(kind) if isinstance(kind, str) else None
    if convert is None:
        return skip_check(f"openai_evals {one_line(str(kind))}", grader)
    try:
        return {**convert(found, item, notes), **named, "severity": "soft"}
    except Unsupported as reason:
        return skip_check(f"openai_evals {kind}: {reason}", grader)


def _fill(template: Json, item: Mapping[str, Json], answer: str | None = None) -> str:
    """Fill `{{item.x}}`, and the answer where `answer` says how. Raises Unsupported."""
    if not isinstance(template, str):
        raise Unsupported(f"a template of {one_line(repr(template))}")

    def value(match: re.Match[str]) -> str:
        first, *rest = match[1].split(".")
        if match[1] == "sample.output_text" and answer is not None:
            return answer
        found: Json = {"item": item}
        for part in (first, *rest):
            inside = as_object(found)
            if inside is None or part not in inside:
                raise Unsupported(f"the template {one_line(match[0])}")
            found = inside[part]
        return plain_text(found)

    filled = _VARIABLE.sub(value, template)
    if "{{" in _VARIABLE.sub("", template):
        raise Unsupported(f"the template {one_line(template)}")
    return filled


def _only_output(template: Json) -> None:
    if not isinstance(template, str) or not OUTPUT.fullmatch(template.strip()):
        raise Unsupported("an input that is not the output text alone")


def _string_check(
    grader: Mapping[str, Json], item: Mapping[str, Json], notes: Notes
) -> dict[str, Json]:
    del notes
    _only_output(grader.get("input"))
    reference = _fill(grader.get("reference"), item)
    operation = grader.get("operation")
    if operation in ("eq", "ne", "neq"):
        check: dict[str, Json] = {
            "type": "equals",
            "value": reference,
            "as_text": True,
            "normalize": "none",
        }
        return check if operation == "eq" else {**check, "type": "not:equals"}
    if operation in ("like", "ilike") and reference:
        return {"type": "contains" if operation == "like" else "icontains", "value": reference}
    raise Unsupported(f"the operation {one_line(str(operation))}")


def _text_similarity(
    grader: Mapping[str, Json], item: Mapping[str, Json], notes: Notes
) -> dict[str, Json]:
    _only_output(grader.get("input"))
    reference = _fill(grader.get("reference"), item)
    metric = str(grader.get("evaluation_metric"))
    threshold = grader.get("pass_threshold")
    options: dict[str, Json] = {"value": reference}
    if isinstance(threshold, int | float) and not isinstance(threshold, bool):
        options["threshold"] = threshold
    said = f"{metric} is computed by our definition; its threshold may need another value"
    if metric == "fuzzy_match":
        notes.add(said)
        return {"type": "levenshtein", **options}
    if metric == "bleu":
        notes.add(said)
        return {"type": "bleu", **options}
    if found := re.fullmatch(r"rouge_([1-5l])", metric):
        notes.add(said)
        if found[1] == "l":
            return {"type": "rouge_l", **options}
        return {"type": "rouge_n", "n": int(found[1]), **options}
    raise Unsupported(f"the metric {one_line(metric)}")


def _instructions(grader: Mapping[str, Json], item: Mapping[str, Json], notes: Notes) -> str:
    """Write the messages of a model grader as the text of a rubric."""
    notes.add("the messages of model graders became rubrics; the model of the grader was left out")
    texts: list[str] = []
    for entry in as_list(grader.get("input")) or ():
        message = as_object(entry) or {}
        content = message.get("content")
        inner = as_object(content)
        texts.append(_fill(content if inner is None else inner.get("text"), item, "(the answer)"))
    text = "\n\n".join(part.strip() for part in texts if part.strip())
    if not text:
        raise Unsupported("no instructions")
    return text


def _label_model(
    grader: Mapping[str, Json], item: Mapping[str, Json], notes: Notes
) -> dict[str, Json]:
    labels = [str(label) for label in as_list(grader.get("labels")) or ()]
    passing = [str(label) for label in as_list(grader.get("passing_labels")) or ()]
    if not passing:
        raise Unsupported("no passing labels")
    said = f"Of the labels {', '.join(labels)} the answer passes with: {', '.join(passing)}."
    return {"type": "llm_rubric", "rubric": f"{_instructions(grader, item, notes)}\n\n{said}"}


def _score_model(
    grader: Mapping[str, Json], item: Mapping[str, Json], notes: Notes
) -> dict[str, Json]:
    if grader.get("pass_threshold") is not None:
        notes.add("thresholds of score graders were left out: our judge says pass, fail or unsure")
    return {"type": "llm_rubric", "rubric": _instructions(grader, item, notes)}


_Convert: TypeAlias = Callable[[Mapping[str, Json], Mapping[str, Json], Notes], dict[str, Json]]
CONVERT: Mapping[str, _Convert] = {
    "string_check": _string_check,
    "text_similarity": _text_similarity,
    "label_model": _label_model,
    "score_model": _score_model,
}
"""Conversions by the type of the grader; any other becomes a skip."""
