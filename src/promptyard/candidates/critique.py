"""Critique: reasons for a few errors, a rewrite for each reason, and the same in other words.

Errors are drawn in groups; each group gives reasons, each reason one rewrite of the task's part
that sees the same errors, and paraphrases of every new text and of the old one widen the choice.
Sources: ProTeGi (arXiv 2305.03495); PE2 (arXiv 2311.05661) for the layout, for the questions that
are answered of each example before anything is rewritten, and for the limit of the change.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from promptyard.candidates.critique_reply import Critiqued, ask_for_reasons
from promptyard.candidates.meta_prompt import (
    MetaPrompts,
    attempts_block,
    examples_block,
    nonce_for,
    part_block,
    prompt_text,
)
from promptyard.candidates.whole_text import WholeText, ask_for_text, rewritten, target_of
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, Replace
from promptyard.records.evidence import Evidence, TrainTrial
from promptyard.records.messages import Message
from promptyard.records.prompts import Step
from promptyard.records.quoting import quoted
from promptyard.records.regions import Region

N_GROUPS = 4
ERRORS_PER_GROUP = 4
REASONS_PER_GROUP = 1
PARAPHRASES = 2
MAX_ATTEMPTS = 4

Asked = tuple[tuple[Message, ...], str]


class Critique:
    """Proposes rewrites of one part by way of reasons, and paraphrases of them.

    Costs at most 4 calls for reasons, one for each of 4 rewrites, and 2 paraphrases of each of
    these and of the old text: 18 optimizer calls, more where replies cannot be read. Without
    failures it costs nothing.
    """

    name = "critique"

    def __init__(self, meta_prompts: MetaPrompts | None = None) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask group by group; each goes on as soon as its own reply is there."""
        target = target_of(base, evidence)
        groups = error_groups(evidence.failures, rng)
        if target is None or not groups:
            return ()
        work = _Work(self._meta_prompts, bench, target, evidence, rng.getrandbits(32))
        return await work.proposals(groups)


def error_groups(
    failures: Sequence[TrainTrial], rng: random.Random
) -> list[tuple[TrainTrial, ...]]:
    """Draw up to 4 different groups of up to 4 failing rows, disjoint while there are enough."""
    rows = list(failures)
    rng.shuffle(rows)
    size = ERRORS_PER_GROUP
    groups = [tuple(rows[at : at + size]) for at in range(0, len(rows), size)][:N_GROUPS]
    for _ in range(8 * N_GROUPS if len(rows) > size else 0):  # few rows: some draws are repeats
        if len(groups) >= N_GROUPS:
            break
        drawn = tuple(rng.sample(rows, size))
        if _ids(drawn) not in map(_ids, groups):
            groups.append(drawn)
    return groups


def _ids(rows: Sequence[TrainTrial]) -> frozenset[str]:
    return frozenset(row.case.id for row in rows)


class _Work:
    """One question of the policy: what is asked, and what becomes of the answers."""

    def __init__(
        self,
        meta_prompts: MetaPrompts,
        bench: Bench,
        target: tuple[Step, Region],
        evidence: Evidence,
        seed: int,
    ) -> None:
        self._meta_prompts = meta_prompts
        self._bench = bench
        self._step, self._region = target
        self._evidence = evidence
        self._seed = seed

    async def proposals(self, groups: Sequence[tuple[TrainTrial, ...]]) -> list[Proposal]:
        names = tuple(bucket.name for bucket in self._evidence.buckets)
        old = Proposal(generator=Critique.name, edits=(), hypothesis="", evidence=names)
        done = await asyncio.gather(
            *(self._group(rows) for rows in groups),
            self._other_words(self._region.text.strip("\r\n"), "The part", old),
            return_exceptions=True,  # replies in flight are paid for: wait for them in any case
        )
        found: list[Proposal] = []
        for proposals in done:
            if isinstance(proposals, BaseException):
                raise proposals
            found += proposals
        return found

    async def _group(self, rows: tuple[TrainTrial, ...]) -> list[Proposal]:
        """Reasons, then a rewrite for each of them, then the same in other words."""
        messages, nonce = self._critique_request(rows)
        found = await ask_for_reasons(
            self._bench, self._meta_prompts, messages, nonce, len(rows), REASONS_PER_GROUP
        )
        if found.problem is not None:
            return [self._proposal(rows, "", found.problem, found.raw)]
        rewrites = [self._rewrite(rows, found, reason) for reason in found.reasons]
        return [item for items in await asyncio.gather(*rewrites) for item in items]

    async def _rewrite(
        self, rows: tuple[TrainTrial, ...], found: Critiqued, reason: str
    ) -> list[Proposal]:
        messages, nonce = self._rewrite_request(rows, found, reason)
        raw, texts = await self._texts(messages, nonce)
        if texts.problem is not None:
            return [self._proposal(rows, reason, texts.problem, raw)]
        edit = rewritten(self._step, self._region, texts.text)
        first = self._proposal(rows, reason, edit, raw)
        return [first, *await self._other_words(texts.text, reason, first)]

    async def _other_words(self, text: str, reason: str, like: Proposal) -> list[Proposal]:
        """Ask for a text in other words, several times the same."""
        nonce = nonce_for(["paraphrase", text], self._seed)
        messages = self._meta_prompts.fill(
            "paraphrase", {"nonce": nonce, "part_id": self._region.id, "text": text}
        )
        asked = [self._texts(messages, nonce, replicate) for replicate in range(PARAPHRASES)]
        found: list[Proposal] = []
        for raw, texts in await asyncio.gather(*asked):
            edit = texts.problem or rewritten(self._step, self._region, texts.text)
            found.append(_proposal_of(edit, f"{reason} (in other words)", like.evidence, raw))
        return found

    async def _texts(
        self, messages: Sequence[Message], nonce: str, replicate: int = 0
    ) -> tuple[str, WholeText]:
        return await ask_for_text(
            self._bench, self._meta_prompts, messages, nonce, replicate=replicate
        )

    def _proposal(
        self, rows: Sequence[TrainTrial], reason: str, edit: Replace | str, raw: str
    ) -> Proposal:
        shown = _ids(rows)
        names = [b.name for b in self._evidence.buckets if shown.intersection(b.case_ids)]
        return _proposal_of(edit, reason, tuple(names), raw)

    def _critique_request(self, rows: tuple[TrainTrial, ...]) -> Asked:
        attempts = self._evidence.attempts[-MAX_ATTEMPTS:]
        tried = [item.model_dump(mode="json") for item in attempts]
        examples = examples_block(rows, self._step.name, "")
        nonce = nonce_for([prompt_text(self._step.prompt), examples, tried], self._seed)
        values = {
            "examples": examples_block(rows, self._step.name, nonce),
            "n_examples": str(len(rows)),
            "n_reasons": str(REASONS_PER_GROUP),
            "attempts": attempts_block(attempts, nonce),
        }
        return self._fill("critique", nonce, values)

    def _rewrite_request(
        self, rows: tuple[TrainTrial, ...], found: Critiqued, reason: str
    ) -> Asked:
        examples = examples_block(rows, self._step.name, "")
        said = [examples, list(found.analyses), reason]
        nonce = nonce_for([prompt_text(self._step.prompt), *said], self._seed)
        values = {
            "examples": examples_block(rows, self._step.name, nonce, found.analyses),
            "reason": quoted(reason),
        }
        return self._fill("rewrite", nonce, values)

    def _fill(self, name: str, nonce: str, values: dict[str, str]) -> Asked:
        shown = {
            "nonce": nonce,
            "part": part_block(self._step.prompt, self._region, nonce),
        }
        return self._meta_prompts.fill(name, {**shown, **values}), nonce


def _proposal_of(edit: Replace | str, reason: str, evidence: tuple[str, ...], raw: str) -> Proposal:
    unusable = isinstance(edit, str)
    return Proposal(
        generator=Critique.name,
        edits=() if unusable else (edit,),
        hypothesis=reason or "No reason could be read.",
        evidence=evidence,
        raw=(f"{edit} | {raw}" if unusable else raw)[:4000],
    )
