"""Answers to the cases of the example tasks: the gold one, and the gold one with known damage.

A damage says which tags all findings on the answer have together, and what the case is worth then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from promptyard.records.cases import Case
from promptyard.records.prompts import Prompt
from promptyard.testing import ScriptedModel
from support.instruction_answers import breaking, keeping

Answer = Callable[[Case], str | None]
"""Builds an answer; None where the case cannot be answered in this way."""


@dataclass(frozen=True)
class Damage:
    """One kind of damage: `score` is None where the case only has to lose something."""

    name: str
    answer: Answer
    tags: frozenset[str]
    score: float | None = 0.0


def gold_model(prompt: Prompt, cases: Sequence[Case], answer: Answer) -> ScriptedModel:
    """Make a model that gives each case its answer."""
    return ScriptedModel(replies(prompt, cases, answer), name="scripted/gold")


def replies(
    prompt: Prompt, cases: Sequence[Case], answer: Answer
) -> Callable[[Mapping[str, Any]], str]:
    """Answer the body of a request: it knows the case by the rendered prompt."""
    answers = {_shown(prompt, case): answer(case) or "" for case in cases}
    assert len(answers) == len(cases), "two cases look the same to a model"

    def reply(body: Mapping[str, Any]) -> str:
        return answers[_key((item["role"], item["content"]) for item in body["messages"])]

    return reply


def gold_answer(case: Case) -> str | None:
    """Write what the case expects as a model would: a text, JSON, a tool call, a kept promise."""
    gold: Any = case.expected
    if isinstance(gold, str):
        return gold
    instructions: Any = gold
    if isinstance(gold, Sequence):
        return keeping(instructions)
    if "accepted_arguments" in gold:
        return _call(gold["name"], gold["canonical_arguments"])
    return _json(gold)


def _shown(prompt: Prompt, case: Case) -> str:
    return _key((message.role, message.text) for message in prompt.render(case.input))


def _key(turns: Any) -> str:
    return json.dumps([[role, text] for role, text in turns])


def _json(value: Any) -> str:
    return json.dumps(value, default=dict, ensure_ascii=False)


def _call(name: str, arguments: Any) -> str:
    return _json({"name": name, "arguments": arguments})


def rewritten_answer(case: Case) -> str | None:
    """Write the gold answer in another way that is as right; None where there is none.

    Reasoning before the answer, the other notation of a number or choice, spaces and order of
    JSON, another form of a tool call with all that may be left out left out.
    """
    gold: Any = case.expected
    if isinstance(gold, str) and gold.replace(".", "").isdigit():
        return f"First 3 + 4 = 7, so 1,200 is too much.\n\nThe answer: ${float(gold):,.2f}."
    if isinstance(gold, str) and gold.startswith("("):
        return f"It is not (A), nor (B) or (C): one of them remains.\nAnswer: {gold.lower()}"
    if isinstance(gold, Sequence):  # other texts, and instructions
        return None
    if "accepted_arguments" in gold:
        tools: Any = case.input["tools"]
        required = tools[0]["parameters"].get("required", ())
        # In two rows of BFCL the gold leaves out what the schema requires: it is not left out here.
        needed = {
            name: gold["canonical_arguments"][name]
            for name, values in reversed(gold["accepted_arguments"].items())
            if "" not in values or name in required
        }
        return json.dumps({gold["name"]: needed}, default=dict, indent=2)
    return json.dumps(dict(reversed(gold.items())), default=dict, indent=2)


def _says(text: str) -> Answer:
    return lambda case: text


def _with(**changes: Callable[[Any], Any]) -> Answer:
    """Change keys of an expected object; a change to None leaves the case out."""

    def build(case: Case) -> str | None:
        gold: Any = json.loads(_json(case.expected))
        for key, change in changes.items():
            gold[key] = change(gold[key])
            if gold[key] is None:
                return None
        return _json(gold)

    return build


def _without(key: str) -> Answer:
    def build(case: Case) -> str:
        gold: Any = case.expected
        return _json({name: value for name, value in gold.items() if name != key})

    return build


def _other(*choices: str) -> Answer:
    return lambda case: next(item for item in choices if item != case.expected)


def _one_slot_less(slots: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(list(slots.items())[1:])


def _call_with(change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Answer:
    def build(case: Case) -> str | None:
        gold: Any = json.loads(_json(case.expected))
        arguments = change(gold["canonical_arguments"])
        return None if arguments is None else _call(gold["name"], arguments)

    return build


def _wrong_argument(arguments: dict[str, Any]) -> dict[str, Any] | None:
    """Change the first argument and keep its type."""
    if not arguments:
        return None
    name, value = next(iter(arguments.items()))
    return {**arguments, name: _changed(value)}


def _changed(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + " or not"
    if isinstance(value, int | float):
        return value + 1_000_003
    items: Any = value
    return [*items, *(items[:1] or [0])] if isinstance(value, list) else {**items, "no_field": 1}


def _needed_left_out(case: Case) -> str | None:
    """Leave out the first argument that may not be left out."""
    gold: Any = case.expected
    needed = [name for name, values in gold["accepted_arguments"].items() if "" not in values]
    given = {
        key: item for key, item in gold["canonical_arguments"].items() if key not in needed[:1]
    }
    return _call(gold["name"], given) if needed else None


def _another_source(case: Case) -> str | None:
    """Cite all that is expected, and one source more."""
    gold: Any = case.expected
    sources: Any = case.input["sources"]
    others = [item["id"] for item in sources if item["id"] not in gold["citations"]]
    return _json({**gold, "citations": [*gold["citations"], *others[:1]]}) if others else None


def _another_scale(case: Case) -> str | None:
    """Take a scale that changes the amount; only where each part is digits and not zero."""
    gold: Any = case.expected
    if not all(text.strip("0.").isdigit() for text in gold["answer"]):
        return None
    return _json({**gold, "scale": "billion" if gold["scale"] != "billion" else "thousand"})


def _in_single_units(case: Case) -> str | None:
    """Write thousands and millions out, in the order from the last to the first."""
    gold: Any = case.expected
    factor = {"thousand": 1000, "million": 1_000_000}.get(gold["scale"])
    numbers = [text.replace(",", "") for text in gold["answer"]]
    if factor is None or not all(text.replace(".", "").isdigit() for text in numbers):
        return None
    parts = [f"{Decimal(text) * factor:f}" for text in reversed(numbers)]
    return _json({**gold, "answer": parts, "scale": ""})


def _broken_instruction(case: Case) -> str | None:
    """Break the only instruction of a case; cases with several are another matter."""
    gold: Any = case.expected
    return breaking(gold[0]["id"], gold[0]["args"]) if len(gold) == 1 else None


def _damage(name: str, answer: Answer, *tags: str, score: float | None = 0.0) -> Damage:
    return Damage(name, answer, frozenset(tags), score)


DAMAGES: Mapping[str, Sequence[Damage]] = {
    "banking77": (
        _damage("another topic", _other("card_arrival", "age_limit"), "wrong_value"),
        _damage("no topic", _says("A card."), "invalid_enum", "wrong_value"),
        _damage("nothing", _says(""), "empty_output", "invalid_enum", "wrong_value"),
    ),
    "gsm8k": (
        _damage("another number", lambda case: f"{case.expected}.5", "wrong_value"),
        _damage("no number", _says("I do not know."), "wrong_type", "wrong_value"),
    ),
    "bbh_date_understanding": (
        _damage("another choice", _other("(A)", "(B)"), "wrong_value"),
        _damage("no choice", _says("None."), "pattern_mismatch", "wrong_value"),
    ),
    "snips_slots": (
        _damage(
            "another intent",
            _with(intent=lambda intent: "RateBook" if intent != "RateBook" else "PlayMusic"),
            "wrong_value",
            score=1 / 3,
        ),
        _damage("one slot less", _with(slots=_one_slot_less), "wrong_value", score=None),
        _damage(
            "an unknown slot",
            _with(slots=lambda slots: {**slots, "mood": "good"}),
            *("extra_field", "wrong_value"),
        ),
        _damage("no intent", _without("intent"), "missing_required_field", "wrong_value"),
        _damage("prose", _says("Play it."), "invalid_json", "wrong_value"),
    ),
    "bfcl_simple": (
        _damage(
            "another tool",
            lambda case: _call("no_tool", {}),
            *("wrong_tool", "missing_tool_call"),
        ),
        _damage("a wrong argument", _call_with(_wrong_argument), "invalid_tool_args"),
        _damage("an argument left out", _needed_left_out, "invalid_tool_args"),
        _damage(
            "one argument more",
            _call_with(lambda arguments: {**arguments, "not_an_argument": 1}),
            "invalid_tool_args",
        ),
        _damage("prose", _says("I cannot."), "invalid_json"),
    ),
    "tatqa": (
        _damage(
            "one part more",
            _with(answer=lambda parts: [*parts, "zebra"]),
            *("wrong_value", "low_overlap"),
            score=None,
        ),
        _damage("another scale", _another_scale, "wrong_value", score=2 / 3),
        # Right, but other words: that check alone compares them.
        _damage("in single units", _in_single_units, "low_overlap", score=None),
        _damage(
            "no citations field",
            _without("citations"),
            *("missing_required_field", "missing_citation"),
        ),
        _damage(
            "one citation less",
            _with(citations=lambda ids: ids[1:]),
            "missing_citation",
            score=None,
        ),
        _damage("one citation more", _another_source, "wrong_citation", score=None),
        _damage(
            "an unknown source",
            _with(citations=lambda ids: [*ids, "P99"]),
            "unknown_source",
            score=None,
        ),
        _damage("prose", _says("It rose."), "invalid_json"),
    ),
    "ifeval": (_damage("the instruction broken", _broken_instruction, "constraint_violation"),),
}
"""The damages of each task whose checks are those of examples/<task>."""
