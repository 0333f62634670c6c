"""Reflective mutation: a few runs with their feedback, and one part of the prompt written anew.

Source: GEPA (arXiv 2507.19457). Its prompt asks for the same in other words; ours shows the whole
prompt beside the part, quotes data, and takes an answer from tags of its own.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.candidates.meta_prompt import (
    MetaPrompts,
    attempts_block,
    examples_block,
    nonce_for,
    part_block,
    prompt_text,
)
from promptyard.candidates.whole_text import ask_for_text, rewritten, target_of
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.evidence import Evidence, TrainTrial
from promptyard.records.messages import Message
from promptyard.records.prompts import Step
from promptyard.records.regions import Region

N_EXAMPLES = 3
MAX_ATTEMPTS = 4


class Reflective:
    """Proposes one new text for one part. Costs one optimizer call, two where it is unreadable.

    The part is `evidence.target`, else where the largest bucket points. Of the rows in the
    evidence three are shown, failures first.
    """

    name = "reflective"

    def __init__(self, meta_prompts: MetaPrompts | None = None) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask for one rewrite; nothing where no row failed or nothing may be rewritten."""
        target = target_of(base, evidence)
        if not evidence.failures or target is None:
            return ()
        step, region = target
        rows = (*evidence.failures, *evidence.successes)[:N_EXAMPLES]
        messages, nonce = self._request(step, region, rows, evidence, rng.getrandbits(32))
        raw, found = await ask_for_text(bench, self._meta_prompts, messages, nonce)
        shown = frozenset(row.case.id for row in rows)
        names = [b.name for b in evidence.buckets if shown.intersection(b.case_ids)]
        edit = found.problem or rewritten(step, region, found.text)
        unusable = isinstance(edit, str)
        return (
            Proposal(
                generator=self.name,
                edits=() if unusable else (edit,),
                hypothesis=found.hypothesis or f"The part '{region.id}' leaves something open.",
                evidence=tuple(names),
                raw=(f"{edit} | {raw}" if unusable else raw)[:4000],
            ),
        )

    def _request(
        self,
        step: Step,
        region: Region,
        rows: Sequence[TrainTrial],
        evidence: Evidence,
        seed: int,
    ) -> tuple[tuple[Message, ...], str]:
        attempts = evidence.attempts[-MAX_ATTEMPTS:]
        nonce = nonce_for(
            [
                prompt_text(step.prompt),
                region.id,
                examples_block(rows, step.name, ""),
                [item.model_dump(mode="json") for item in attempts],
            ],
            seed,
        )
        values = {
            "nonce": nonce,
            "part": part_block(step.prompt, region, nonce),
            "n_examples": str(len(rows)),
            "examples": examples_block(rows, step.name, nonce),
            "attempts": attempts_block(attempts, nonce),
        }
        return self._meta_prompts.fill("reflective", values), nonce
