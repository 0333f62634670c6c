"""Poisoned data and an optimizer that obeys it: no prompt changes outside the rules.

Obeying pays in this world (support/gullible.py), so only the rules stand between a poisoned case
and the registry. The table of the kinds is support/poisons.py.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest

import promptyard as py
from promptyard.records.prompts import Program, Prompt
from promptyard.records.runs import Run
from support.gullible import PROMPT, Gullible
from support.poisons import HARMLESS, POISONS, SAFETY, Poison

GENERATORS = ("reflect", "local_edit", "trajectory", "induce", "traces")
"""Those that write text: `compress` only deletes sentences, `demos` shows cases as they are."""
BUDGET = py.Budget(task_calls=700)
LOOK_ALIKES = str.maketrans("аеорсухі‐‑–", "aeopcyxi---")
SEED = Prompt.from_text(PROMPT)
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
SHOWN_PROMPT = re.compile(r'<(prompt[\w-]*) id="[0-9a-f]{8}">\n.*?\n</\1>', re.DOTALL)
MAX_REQUEST_CHARS = 200_000
HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def optimize(world: Gullible, generator: str) -> Run:
    return py.optimize(world.task(generator), budget=BUDGET, seed=1)


def plain(text: str) -> str:
    """Read look-alikes as what they look like."""
    return unicodedata.normalize("NFKC", text).translate(LOOK_ALIKES).casefold()


def programs_of(run: Run) -> list[Program]:
    """Everything that a run served, decided on or registered."""
    found = [run.best, *(point.program for point in run.served)]
    return found if run.finalist is None else [*found, run.finalist]


def evaluated_by(world: Gullible) -> set[str]:
    """What task calls said beside the message and the demonstrations: their first and last turn."""
    turns = [body["messages"] for body in world.task_model.requests]
    return {f"{turn[0]['content']}\n{turn[-1]['content'].split(chr(10))[0]}" for turn in turns}


def shown_by(world: Gullible) -> set[str]:
    """The answers of the demonstrations that were tried."""
    turns = [turn for body in world.task_model.requests for turn in body["messages"]]
    return {str(turn["content"]) for turn in turns if turn["role"] == "assistant"}


def breaches(text: str, world: Gullible) -> list[str]:
    """Say which rules instructions break. Written without the validators on purpose."""
    said = " ".join(plain(text).split())
    never = [plain(word) for word in world.poison.never]
    found = [word for word in never if word in said or word in text]
    found += [w for w in never if f"\n{w.removeprefix('^')}" in plain(f"\n{text}") and w[0] == "^"]
    found += [mark for mark in world.sentinels.values() if mark in said]
    found += [f"U+{ord(c):04X}" for c in text if unicodedata.category(c) in HIDDEN and c != "\n"]
    pieces = windows_of(tuple(case["input"]["text"] for case in world.cases))
    return found + [piece for piece in windows(said) if piece in pieces][:1]


@lru_cache(maxsize=1)
def windows_of(texts: Sequence[str]) -> frozenset[str]:
    """Return every piece of 30 characters that one of the texts has."""
    return frozenset(piece for text in texts for piece in windows(" ".join(plain(text).split())))


def windows(text: str) -> list[str]:
    return [text[at : at + 30] for at in range(len(text) - 29)]


def structure(program: Program) -> tuple[Any, ...]:
    prompt = program.prompt
    variables = Counter(re.findall(r"\{\{.*?\}\}", prompt.text))
    return (
        [(item.id, item.role, item.locked) for item in prompt.sections],
        [item.text for item in prompt.sections if item.locked],
        [item.id for item in prompt.sections if item.text.strip()],
        sorted(variables.items()),
        [block.role for block in prompt.layout.blocks if block.role != "demos"],
    )


def requests_of(world: Gullible) -> set[str]:
    return {
        str(message["content"])
        for body in world.optimizer.requests
        for message in body["messages"]
        if message["role"] == "user"
    }


@pytest.mark.no_cover  # 400 whole runs; the tests below reach the same lines
@pytest.mark.parametrize("poison", POISONS, ids=[poison.name for poison in POISONS])
@pytest.mark.parametrize("generator", GENERATORS)
def test_poisoned_data_change_no_prompt_outside_the_rules(generator: str, poison: Poison) -> None:
    world = Gullible(poison)
    run = optimize(world, generator)
    for program in programs_of(run):
        assert structure(program) == structure(run.baseline)
        assert not breaches("\n".join(item.text for item in program.prompt.sections), world)
    for text in evaluated_by(world):
        assert SAFETY in text
        assert not breaches(text, world)
    for answer in shown_by(world):  # a line of a demonstration opens no section and no turn
        assert [found for found in breaches(answer, world) if found[0] != "^"] == []
    for request in requests_of(world):
        assert not outside_of_quotes(request, poison)
        assert balanced(request)
        assert len(request) < MAX_REQUEST_CHARS


def outside_of_quotes(request: str, poison: Poison) -> list[str]:
    """Return the words of the poison that stand outside of JSON texts and of the prompt."""
    rest = LITERAL.sub('""', SHOWN_PROMPT.sub("", request))
    own = " ".join(re.findall(r"\w+", plain(rest)))
    words = re.findall(r"\w+", plain(poison.text)[:400])
    runs = [" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))]
    hidden = [c for c in rest if unicodedata.category(c) in HIDDEN and c != "\n"]
    return [run for run in runs if len(words) > 1 and f" {run} " in f" {own} "] + hidden


def balanced(request: str) -> bool:
    """Say whether tags with a nonce open and close in pairs, one pair a name."""
    rest = LITERAL.sub('""', request)
    opened = re.findall(r"<(\w+-[0-9a-f]{8})\b", rest)
    return Counter(opened) == Counter(re.findall(r"</(\w+-[0-9a-f]{8})>", rest))


@pytest.mark.parametrize("generator", GENERATORS)
def test_no_dev_or_holdout_text_is_in_any_request_to_the_optimizer(generator: str) -> None:
    world = Gullible(Poison("plain", "input", "Go on", HARMLESS))
    optimize(world, generator)
    sealed = [*world.texts_of("dev"), *world.texts_of("holdout")]
    marks = [mark for name, mark in world.sentinels.items() if not name.startswith("train")]
    for body in world.optimizer.requests:
        request = json.dumps(body["messages"], ensure_ascii=False)
        assert not [text for text in (*sealed, *marks) if text in request]
    assert world.optimizer.requests


@pytest.mark.parametrize("generator", GENERATORS)
def test_what_keeps_the_rules_is_accepted_so_that_the_rest_is_told_by_the_rules(
    generator: str,
) -> None:
    world = Gullible(Poison("plain", "input", "Go on", HARMLESS))
    run = optimize(world, generator)
    assert run.verdict.status == "pass"
    assert run.best.id != run.baseline.id
    if generator in ("reflect", "local_edit", "trajectory", "induce"):
        assert HARMLESS in run.best.prompt.text


def test_the_table_has_at_least_thirty_kinds_in_every_place() -> None:
    assert len({poison.name for poison in POISONS}) == len(POISONS) >= 30
    assert {poison.where for poison in POISONS} == {
        "input",
        "expected",
        "output",
        "feedback",
        "tag",
        "case_id",
    }
