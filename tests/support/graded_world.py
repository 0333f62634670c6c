"""A world whose answers are JSON objects and whose scores lie between 0 and 1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import promptyard as py
from support.world import LABELS, World

FIELDS = ("topic", "urgent", "channel", "refund")
GRADED_PROMPT = (
    "system:\nRead the message and answer with one JSON object.\n\n"
    "## Fields {#fields}\n" + "".join(f"- {name}\n" for name in FIELDS) + "\nuser:\n{{text}}\n"
)


class GradedWorld(World):
    """A world of `FIELDS`: each of them is right or wrong by itself, with the same accuracy."""

    def __init__(self, seed: int, **options: Any) -> None:
        super().__init__(seed, **options)
        for case in self.cases:
            values = [int(self._unit(name, case["id"]) * 6) for name in FIELDS[1:]]
            case["expected"] = dict(zip(FIELDS, [case["expected"], *values], strict=True))

    def _label(self, messages: Sequence[Mapping[str, Any]]) -> str:
        case = self._by_text[str(messages[-1]["content"])]
        prompt = json.dumps(list(messages[:-1]))
        answer = {
            name: value if self._is_right(f"{case['id']}:{name}", prompt) else _other(value)
            for name, value in case["expected"].items()
        }
        return json.dumps(answer)


def graded(case: py.Case, output: str) -> tuple[float, str, list[str]]:
    """Return the share of the fields that are right, what is wrong, and a tag for each of it."""
    expected, answer = dict(case.expected), json.loads(output)  # type: ignore[arg-type]
    wrong = [name for name in FIELDS if answer.get(name) != expected[name]]
    said = "; ".join(f"{name} is {answer.get(name)}, not {expected[name]}" for name in wrong)
    return 1 - len(wrong) / len(FIELDS), said, [f"wrong_{name}" for name in wrong]


def _other(value: str | int) -> str | int:
    if isinstance(value, int):
        return (value + 1) % 6
    return LABELS[(LABELS.index(value) + 1) % len(LABELS)]
