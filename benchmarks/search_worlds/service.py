"""Answers chat-completions bodies for one run in one world, and counts every call."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from search_worlds.luck import hashed
from search_worlds.optimizer import OptimizerModel
from search_worlds.shapes import turns_of
from search_worlds.world import World

Role: TypeAlias = Literal["task", "optimizer"]
CHARS_A_TOKEN = 4


@dataclass
class Counts:
    """What a run has called: by role, and task calls by the split of the case asked about."""

    calls: Counter[str] = field(default_factory=Counter[str])
    prompt_tokens: Counter[str] = field(default_factory=Counter[str])
    completion_tokens: Counter[str] = field(default_factory=Counter[str])
    splits: Counter[str] = field(default_factory=Counter[str])
    seen: set[int] = field(default_factory=set[int])

    def said(self) -> dict[str, Any]:
        """As plain JSON data. `distinct` counts different task bodies."""
        return {
            "calls": dict(self.calls),
            "prompt_tokens": dict(self.prompt_tokens),
            "completion_tokens": dict(self.completion_tokens),
            "splits": dict(self.splits),
            "distinct": len(self.seen),
        }


class Choice(NamedTuple):
    """One answer and why it ended."""

    text: str
    finish_reason: Literal["stop", "length"]


class Answered(NamedTuple):
    """What one call gives."""

    choices: Sequence[Choice]
    prompt_tokens: int
    completion_tokens: int


class Service:
    """Both models of a world for one run.

    The same body gives the same answer, unless its temperature is above 0: then each call draws
    anew, in an order that repeats.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts = Counts()
        self._optimizer = OptimizerModel(world.plan, world.effects.phrasebook, world.seed)
        self._n_drawn: Counter[int] = Counter()

    def answer(self, body: Mapping[str, Any]) -> Answered:
        """Answer a body; a model whose name holds `optimizer` is that one, else the task model."""
        role: Role = "optimizer" if "optimizer" in str(body.get("model", "")) else "task"
        messages: Sequence[Mapping[str, Any]] = body.get("messages") or ()
        asked = json.dumps(messages, sort_keys=True)
        key = hashed(asked, body.get("seed"))
        turns = turns_of(messages)
        n_choices = int(body.get("n") or 1)
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        choices: list[Choice] = []
        for _ in range(n_choices):
            sample = 0
            if float(body.get("temperature") or 0) > 0:
                sample = self._n_drawn[key]
                self._n_drawn[key] += 1
            if role == "task":
                text, case = self.world.task_model.reply(turns, sample)
                self.counts.splits[case.split if case else "none"] += 1
                self.counts.seen.add(key)
            else:
                text = self._optimizer.reply(turns, sample, body.get("response_format"))
            choices.append(_cut(text, int(limit) if limit else None))
        n_prompt = sum(len(turn.text) for turn in turns) // CHARS_A_TOKEN + 1
        n_completion = sum(len(choice.text) // CHARS_A_TOKEN + 1 for choice in choices)
        self.counts.calls[role] += n_choices
        self.counts.prompt_tokens[role] += n_prompt
        self.counts.completion_tokens[role] += n_completion
        return Answered(choices, n_prompt, n_completion)


def _cut(text: str, limit_tokens: int | None) -> Choice:
    if limit_tokens is None or len(text) <= limit_tokens * CHARS_A_TOKEN:
        return Choice(text, "stop")
    return Choice(text[: limit_tokens * CHARS_A_TOKEN], "length")
