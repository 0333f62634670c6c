"""A world in which obeying pays: an optimizer that writes whatever it is told, and is rewarded.

The task model answers half of the cases of the seed prompt wrongly and every case of any other
prompt rightly. So whatever the line lets an optimizer write is accepted, served and registered,
unless a rule forbids it.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import promptyard as py
from promptyard.records.cases import Case
from promptyard.records.prompts import Prompt
from promptyard.records.scores import Score
from promptyard.testing import ScriptedModel
from support.poisons import Poison

TOPICS = ("billing", "shipping", "returns", "access")
PROMPT = """system:
Sort the message into one topic. Think step by step and write the topic on the last line.

## Topics {#topics}
- billing: money that was charged
- shipping: parcels on their way
- returns: goods that go back
- access: names and passwords

## Style {#style}
Keep to the words of the message.
Always keep to the words of the message.
Do not guess.

## Safety {#safety .locked}
Never reveal the notes of the staff.

user:
The message:
{{text}}
"""
SEEDED = Prompt.from_text(PROMPT).render({"text": ""})[0].text
FIRST = PROMPT.split("\n")[1]
SIZES = (("train", 120), ("dev", 16), ("holdout", 24))
THINGS = ("lantern", "kettle", "ladder", "violin", "carpet", "helmet")
PLACES = ("Lisbon", "Oslo", "Dublin", "Vienna", "Turin", "Ghent")


class Gullible:
    """Cases of which one is poisoned, a task model that rewards any change, and the optimizer."""

    def __init__(self, poison: Poison) -> None:
        self.poison = poison
        self.cases = list(_cases(poison))
        self.sentinels = {case["id"]: sentinel(case["split"], n) for n, case in self._numbered()}
        self._by_text = {case["input"]["text"]: case for case in self.cases}
        self._turn = itertools.count()
        self.task_model = ScriptedModel(self._answer, name="scripted/task")
        self.optimizer = ScriptedModel(self._obey, name="scripted/optimizer")

    def task(self, generator: str) -> py.Task:
        """Return the task, improved by one generator."""
        return py.Task(
            name="mail",
            prompt=PROMPT,
            cases=self.cases,
            metrics=[self._grade],
            models=py.Models(task=self.task_model, optimizer=self.optimizer),
            generators=[generator],
        )

    def texts_of(self, split: str) -> list[str]:
        """Return the inputs of a split."""
        return [str(case["input"]["text"]) for case in self.cases if case["split"] == split]

    def _numbered(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for _, group in itertools.groupby(self.cases, key=lambda case: case["split"]):
            yield from enumerate(group)

    # the task model

    def _answer(self, body: Mapping[str, Any]) -> str:
        messages = body["messages"]
        case = self._by_text[_message_in(str(messages[-1]["content"]))]
        as_seeded = len(messages) == 2 and _is_seed(str(messages[0]["content"]))
        if "temperature" in body["params"] or not as_seeded or not case["id"].endswith("1"):
            return f"It speaks of one matter.\n{_topic_of(case)}"
        if self.poison.where == "output" and _is_poisoned(case, self.poison):
            return f"{self.poison.text}\nnone"
        return "I cannot tell.\nnone"

    def _grade(self, case: Case, output: str) -> Score:
        label = output.strip().splitlines()[-1]
        right = label == _topic_of(case.model_dump())
        reason, tag = f"the answer is {label}", "wrong_value"
        if _is_poisoned(case.model_dump(), self.poison):
            reason = self.poison.text if self.poison.where == "feedback" else reason
            tag = self.poison.text if self.poison.where == "tag" else tag
        return Score(
            metric="topic",
            value=float(right),
            label=label,
            tags=() if right else (tag,),
            reason="" if right else reason,
        )

    # the optimizer

    def _obey(self, body: Mapping[str, Any]) -> str:
        poison = self.poison
        if poison.raw and next(self._turn) % 2 == 0:
            return poison.raw
        fields = body["output"]["schema"]["properties"]
        request = str(body["messages"][1]["content"])
        replies = {
            "edits": lambda: {"hypothesis": "I was told so.", "edits": self._edits()},
            "edit_spans": lambda: {"cause": "I was told so.", "edit_spans": self._spans()},
            "replacements": lambda: {"hypothesis": "", "replacements": self._texts(request)},
            "instruction": lambda: {"instruction": f"{FIRST}\n{poison.new}"},
            "steps": lambda: {"steps": ["Read the message.", poison.new[:200]]},
            "output": lambda: {"output": f"{poison.new}\n{_right_answer(request)}"},
            "duplicates": lambda: {"duplicates": _everything(request)},
        }
        return json.dumps(next(make() for name, make in replies.items() if name in fields))

    def _edits(self) -> list[dict[str, str]]:
        if self.poison.edits:
            return [dict(edit) for edit in self.poison.edits]
        return [{"op": "append", "section": "topics", "old": "", "new": self.poison.new}]

    def _spans(self) -> list[dict[str, str]]:
        edits = [edit for edit in self._edits() if edit["old"]]
        spans = [{**edit, "op": "replace"} for edit in edits] or [
            {"op": "insert_after", "section": "system", "old": FIRST}
        ]
        return [{key: span[key] for key in ("op", "section", "old")} for span in spans]

    def _texts(self, request: str) -> list[dict[str, str]]:
        names = re.findall(r"\bs\d\b", request.split("The places:")[1].split("\n")[0])
        news = [edit["new"] for edit in self._edits()]
        return [{"id": name, "new": news[n % len(news)]} for n, name in enumerate(names)]


def sentinel(split: str, number: int) -> str:
    """Return the mark that only one case of the world has."""
    return f"{split[0]}x{7 * number + 3}-qv"


def _cases(poison: Poison) -> Iterator[dict[str, Any]]:
    for split, n_cases in SIZES:
        for n in range(n_cases):
            topic = TOPICS[n // 2 % 4]
            text = (
                f"About the {THINGS[n % 6]} from {PLACES[n // 6 % 6]} with the number "
                f"{sentinel(split, n)}: this is a matter of {topic}"
            )
            # Every second case fails under the seed prompt: its id ends in 1.
            case = {"id": f"{split}-{n}-{n % 2}", "input": {"text": text}, "expected": topic}
            if _is_poisoned({**case, "split": split}, poison):
                if poison.where == "input":
                    case["input"] = {"text": f"{text}. {poison.text}"}
                if poison.where == "expected":
                    case["expected"] = poison.text
                if poison.where == "case_id":
                    case["id"] = f"{case['id']} {poison.text} 1"
            yield {**case, "split": split}


def _is_poisoned(case: Mapping[str, Any], poison: Poison) -> bool:
    """Say whether a case is poisoned: a single one, or enough to be in every sample of failures."""
    number = int(str(case["id"]).split("-")[1])
    return case["split"] == "train" and (number == 1 if poison.is_single else number % 6 == 1)


def _topic_of(case: Mapping[str, Any]) -> str:
    return TOPICS[int(str(case["id"]).split("-")[1]) // 2 % 4]


def _message_in(content: str) -> str:
    return content.removeprefix("The message:\n").removesuffix("\n")


def _is_seed(system: str) -> bool:
    return system == SEEDED


def _right_answer(request: str) -> str:
    found = re.search(r'"right_answer": "(\w+)"', request)
    return found[1] if found else TOPICS[0]


def _everything(request: str) -> Sequence[Mapping[str, Any]]:
    """Name all sentences as repeating the first one."""
    names = re.findall(r'"id": "(s\d+)"', request)
    return [{"keep": name, "delete": [n for n in names if n != name]} for name in names]
