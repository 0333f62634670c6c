"""`embedded/lexical`: a small deterministic in-context learner inside the process.

It is no language model. It compares spelling: the text to answer for with the labels,
definitions and demonstrations that the messages contain, and answers with the nearest label;
without a stated output contract it answers in prose. Its only input is the messages. It needs no
key and no download, so the line can be tried and tested with it on real data. Source: ADR-0005.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import cast

from promptyard.errors import InvalidRequest
from promptyard.providers.lexical_index import LexicalIndex
from promptyard.providers.lexical_optimizer import answer_meta_prompt, is_meta_prompt
from promptyard.providers.lexical_reader import Reading, read_messages
from promptyard.records.base import Json
from promptyard.records.messages import Completion, Request, Usage

NAME = "embedded/lexical"
NOTICE = "embedded/lexical is no language model: it compares spelling with what the prompt shows"

DEFINITION_WEIGHT = 0.6
"""How much a definition counts beside the label's own name."""
NEAREST_DEMO_WEIGHT = 1.0
"""How much the most similar demonstration of a label counts."""


class EmbeddedLexical:
    """The embedded model. Stateless; an answer depends on the messages and on nothing else."""

    name = NAME
    base_url = "embedded:"

    def body(self, request: Request) -> Mapping[str, Json]:
        """Return the text of the messages; parameters, tools and contracts are not looked at."""
        return {
            "model": NAME,
            "messages": [
                {"role": message.role, "content": message.text} for message in request.messages
            ],
        }

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        """Answer at once, in the process. `timeout_s` is not needed.

        Raises InvalidRequest when there is no user message.
        """
        del timeout_s
        started = time.perf_counter()
        turns = [
            (str(turn["role"]), str(turn["content"]))
            for turn in cast("Sequence[Mapping[str, Json]]", body["messages"])
        ]
        if not any(role == "user" for role, _ in turns):
            raise InvalidRequest(f"{NAME} needs a user message; the prompt has none")
        text = answer(turns)
        n_input = sum(len(content) for _, content in turns)
        return Completion(
            text=text,
            usage=Usage(
                input_tokens=math.ceil(n_input / 4), output_tokens=math.ceil(len(text) / 4)
            ),
            latency_s=time.perf_counter() - started,
            cost_usd=0.0,
            model=NAME,
        )

    def cost_usd(self, usage: Usage) -> float | None:
        """Return 0: it runs in the process."""
        del usage
        return 0.0

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def answer(turns: Sequence[tuple[str, str]]) -> str:
    """Answer (role, text) turns: a reflection request with edits, anything else with a label."""
    last_user = next(text for role, text in reversed(turns) if role == "user")
    if is_meta_prompt(last_user):
        return answer_meta_prompt(last_user)
    reading = read_messages(turns)
    if reading.fields:
        return json.dumps(_field_values(reading), ensure_ascii=False)
    if not reading.labels:
        return f"I read: {reading.query.strip()[:200]}"
    label = nearest_label(reading)
    if reading.wants_only_label:
        return label
    readable = label.replace("_", " ")
    return f"This is most likely about {readable}, so I would file it under {label}."


def nearest_label(reading: Reading) -> str:
    """Return the label whose name, definition and demonstrations look most like the query."""
    index, owners = _index(reading.labels, tuple(reading.definitions.items()), reading.demos)
    names: dict[str, float] = dict.fromkeys(reading.labels, 0.0)
    nearest: dict[str, float] = {}
    for (label, kind), similarity in zip(owners, index.similarities(reading.query), strict=True):
        if kind == "demo":
            nearest[label] = max(nearest.get(label, 0.0), similarity)
        else:
            names[label] += similarity * (DEFINITION_WEIGHT if kind == "definition" else 1.0)
    return max(names, key=lambda label: names[label] + NEAREST_DEMO_WEIGHT * nearest.get(label, 0))


@lru_cache(maxsize=64)
def _index(
    labels: tuple[str, ...],
    definitions: tuple[tuple[str, str], ...],
    demos: tuple[tuple[str, str], ...],
) -> tuple[LexicalIndex, tuple[tuple[str, str], ...]]:
    """Index what a prompt says. Kept for the next call, since a run asks one prompt many times."""
    by_folded = {label.casefold(): label for label in labels}
    documents = list(labels)
    owners = [(label, "name") for label in labels]
    for label, definition in definitions:
        documents.append(definition)
        owners.append((label, "definition"))
    for text, given in demos:
        label = by_folded.get(given.casefold())
        if label is not None:
            documents.append(text)
            owners.append((label, "demo"))
    return LexicalIndex(documents), tuple(owners)


def _field_values(reading: Reading) -> dict[str, str | None]:
    """Fill each field with its nearest allowed value, or the sentence nearest to its name."""
    values: dict[str, str | None] = {}
    sentences = [
        part.strip() for part in reading.query.replace("\n", ". ").split(". ") if part.strip()
    ]
    for name in reading.fields:
        choices = reading.field_values.get(name)
        documents = list(choices) if choices else sentences
        text = reading.query if choices else f"{name} {reading.definitions.get(name, '')}"
        scores = LexicalIndex(documents).similarities(text) if documents else []
        best = max(range(len(scores)), key=lambda i: scores[i], default=None)
        values[name] = documents[best] if best is not None and scores[best] > 0 else None
    return values
