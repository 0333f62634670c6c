"""Instruction induction: the optimizer sees inputs and outputs alone and says what was asked.

It sees neither the prompt nor its failures, so it is a way out where the seed prompt is what holds
a search back, and a way in where there is no prompt yet. Source: APE (arXiv 2211.01910), forward
form; anchors on algorithms, A1.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence

from promptyard.candidates.asking import all_of, ask_or_say
from promptyard.candidates.instructions import (
    INSTRUCTION_SCHEMA,
    InstructionsReply,
    instruction_edit,
    instruction_place,
    no_instructions,
    normalised,
    read_instructions,
)
from promptyard.candidates.meta_prompt import MetaPrompts, item_text, item_value, nonce_for
from promptyard.protocols import Bench
from promptyard.records.base import Json, Record
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.evidence import Evidence
from promptyard.records.images import has_image_bytes
from promptyard.records.messages import Message
from promptyard.records.quoting import quoted

N_SUBSETS = 4
N_REPLIES = 2
N_PAIRS = 5
MIN_PAIRS = 2


class Pair(Record):
    """An input and the output that belongs to it."""

    case_id: str
    input: Mapping[str, Json]
    output: Json


class Induce:
    """Proposes instructions induced from random pairs, duplicates dropped.

    Costs `n_subsets * n_replies` optimizer calls, and one more for each reply that cannot be read.
    """

    name = "induce"

    def __init__(
        self,
        meta_prompts: MetaPrompts | None = None,
        *,
        n_subsets: int = N_SUBSETS,
        n_replies: int = N_REPLIES,
    ) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()
        self._n_subsets = n_subsets
        self._n_replies = n_replies

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Induce instructions; nothing where fewer than `MIN_PAIRS` pairs are known."""
        step = base.program.steps[-1]
        place = instruction_place(step.prompt)
        pairs = pairs_of(evidence)
        if place is None or len(pairs) < MIN_PAIRS:
            return ()
        requests: list[tuple[Message, ...]] = []
        for _ in range(self._n_subsets):
            subset = rng.sample(pairs, min(N_PAIRS, len(pairs)))
            requests.append(self._request(subset, rng.getrandbits(32)))
        replies = await all_of(
            self._reply(request, bench, replicate)
            for request in requests
            for replicate in range(self._n_replies)
        )
        known = {normalised(place.text)}
        proposals: list[Proposal] = []
        for raw, reply in replies:
            problems = [reply.problem] if reply.problem else []
            for text in reply.texts:
                if normalised(text) in known:
                    problems.append("the same instruction was induced before")
                    continue
                known.add(normalised(text))
                proposals.append(
                    Proposal(
                        generator=self.name,
                        edits=(instruction_edit(step.prompt, step.name, place, text),),
                        hypothesis="An instruction induced from inputs and outputs alone.",
                        evidence=("pairs",),
                        raw=raw[:4000],
                    )
                )
            if problems:
                proposals.append(_unusable(problems[0], raw))
        return proposals

    async def _reply(
        self, request: Sequence[Message], bench: Bench, replicate: int
    ) -> tuple[str, InstructionsReply]:
        return await ask_or_say(
            bench,
            self._meta_prompts,
            request,
            read_instructions,
            no_instructions,
            schema=INSTRUCTION_SCHEMA,
            replicate=replicate,
        )

    def _request(self, pairs: Sequence[Pair], seed: int) -> tuple[Message, ...]:
        rows = [quoted(_row(pair)) for pair in pairs]
        nonce = nonce_for(rows, seed)
        return self._meta_prompts.fill("induce", {"nonce": nonce, "pairs": "\n".join(rows)})


def pairs_of(evidence: Evidence) -> list[Pair]:
    """Return the pairs that train knows, by case id: expected answers, and answers that passed."""
    found: dict[str, Pair] = {}
    for row in (*evidence.failures, *evidence.successes):
        output = row.case.expected
        if output is None and row.trial.passed:
            output = row.trial.output
        if output is not None:
            found[row.case.id] = Pair(case_id=row.case.id, input=row.case.input, output=output)
    for demo in evidence.demos:
        if demo.case_id is not None:
            pair = Pair(case_id=demo.case_id, input=demo.input, output=demo.output)
            found.setdefault(demo.case_id, pair)
    shown = [pair for pair in found.values() if not any(map(has_image_bytes, pair.input.values()))]
    return sorted(shown, key=lambda pair: pair.case_id)


def _row(pair: Pair) -> Json:
    output = pair.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return {
        "input": {name: item_value(value) for name, value in pair.input.items()},
        "output": item_text(text),
    }


def _unusable(reason: str, raw: str) -> Proposal:
    return Proposal(
        generator=Induce.name,
        edits=(),
        hypothesis="An instruction induced from inputs and outputs.",
        raw=f"{reason} | {raw}"[:4000],
    )
