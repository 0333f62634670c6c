"""Failure reflection: shows buckets of failures to the optimizer model and asks for local edits.

One call for a group of buckets. Labels that are mistaken for each other are shown together, since
what tells them apart is what is asked for. Source: anchors on search, section 2 (one call a bucket
or for three; more together only for labels of one list).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

from promptyard.candidates.meta_prompt import (
    BucketQuote,
    Part,
    reflection_request,
    section_parts,
)
from promptyard.candidates.reply import locate, parse_reply
from promptyard.errors import BudgetExceeded, ModelError, ModelUnusable
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, Replace
from promptyard.records.evidence import Bucket, Evidence, TrainTrial
from promptyard.records.messages import Message
from promptyard.records.prompts import Prompt

MAX_CALLS = 12
LABELS_PER_CALL = 8
BUCKETS_PER_CALL = 3
EXAMPLES_PER_LABEL = 6
EXAMPLES_PER_BUCKET = 3


class Reflect:
    """Proposes one candidate a group of buckets; skips prompts whose spans the user marked.

    Costs one optimizer call a group, at most `MAX_CALLS`, and one more for a reply that cannot be
    read.
    """

    name = "reflect"

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask for edits of whole sections. Returns nothing where the user marked `<edit>` spans."""
        step = base.program.steps[-1]
        if step.prompt.spans:
            return ()
        return await reflect_on_parts(
            self.name,
            base,
            evidence,
            bench,
            rng,
            section_parts(step.prompt),
            lambda section: section,
        )


async def reflect_on_parts(
    generator: str,
    base: Candidate,
    evidence: Evidence,
    bench: Bench,
    rng: random.Random,
    parts: Sequence[Part],
    part_of: Callable[[str], str | None],
) -> Sequence[Proposal]:
    """Ask once for each group of buckets; the calls run at the same time.

    `part_of` maps the section a bucket points at to the part that may be edited for it.
    """
    step = base.program.steps[-1]
    quotes = [
        BucketQuote(bucket=bucket, examples=_examples(bucket, evidence), part=part)
        for bucket in evidence.buckets
        if bucket.primary_ids
        and bucket.target is not None
        and (part := part_of(bucket.target[1])) is not None
    ]
    seed = rng.getrandbits(32)
    tried = [item.hypothesis for item in evidence.rejected if item.hypothesis][-4:]
    groups = group_quotes(quotes)[:MAX_CALLS]
    asked = await asyncio.gather(
        *(
            _ask(generator, step.name, step.prompt, parts, group, bench, tried, seed)
            for group in groups
        ),
        return_exceptions=True,  # replies in flight are paid for: wait for them in any case
    )
    for reply in asked:
        if isinstance(reply, BaseException):
            raise reply
    return [reply for reply in asked if isinstance(reply, Proposal)]


def group_quotes(quotes: Sequence[BucketQuote]) -> list[list[BucketQuote]]:
    """Group quotes into calls: labels with those they are confused with, others by threes."""
    groups: list[list[BucketQuote]] = []
    labels = [quote for quote in quotes if quote.bucket.expected is not None]
    others = [quote for quote in quotes if quote.bucket.expected is None]
    while labels:
        group = [labels.pop(0)]
        while labels and len(group) < LABELS_PER_CALL:
            confused = {got for quote in group for got, _ in quote.bucket.confusions}
            at = next((i for i, q in enumerate(labels) if q.bucket.expected in confused), 0)
            group.append(labels.pop(at))
        groups.append(group)
    groups += [
        others[start : start + BUCKETS_PER_CALL]
        for start in range(0, len(others), BUCKETS_PER_CALL)
    ]
    return groups


def _examples(bucket: Bucket, evidence: Evidence) -> tuple[TrainTrial, ...]:
    n_examples = EXAMPLES_PER_BUCKET if bucket.expected is None else EXAMPLES_PER_LABEL
    return evidence.failures_of(bucket)[:n_examples]


async def _ask(
    generator: str,
    step: str,
    prompt: Prompt,
    parts: Sequence[Part],
    group: Sequence[BucketQuote],
    bench: Bench,
    tried: Sequence[str],
    seed: int,
) -> Proposal:
    messages, nonce = reflection_request(prompt, parts, group, failed_before=tried, seed=seed)
    names = tuple(quote.bucket.name for quote in group)
    try:
        raw = (await bench.complete("optimizer", messages)).text
        reply = parse_reply(raw, nonce)
        if reply.problem is not None:
            raw = (await bench.complete("optimizer", _repair(messages, raw, nonce))).text
            reply = parse_reply(raw, nonce)
    except ModelUnusable:
        raise
    except (ModelError, BudgetExceeded) as error:
        return Proposal(
            generator=generator, edits=(), hypothesis="", evidence=names, raw=f"no reply: {error}"
        )
    edits: list[Replace] = []
    problems: list[str] = [reply.problem] if reply.problem else []
    for item in reply.edits:
        placed = locate(item, prompt, parts, step)
        if isinstance(placed, str):
            problems.append(placed)
        else:
            edits.append(placed)
    kept = without_overlaps(edits)
    note = raw if kept else f"{'; '.join(problems)} | {raw}"
    return Proposal(
        generator=generator,
        edits=tuple(kept),
        hypothesis=reply.hypothesis,
        evidence=names,
        raw=note[:4000],
    )


def without_overlaps(edits: Sequence[Replace]) -> list[Replace]:
    """Keep the first of edits that want the same characters."""
    kept: list[Replace] = []
    for edit in edits:
        if not any(collide(edit, other) for other in kept):
            kept.append(edit)
    return kept


def collide(one: Replace, other: Replace) -> bool:
    """Say whether two edits of the same text cannot both be applied; inserts never collide."""
    if (one.step, one.section) != (other.step, other.section):
        return False
    if one.start == one.end or other.start == other.end:
        return one.start < other.end and other.start < one.end
    return max(one.start, other.start) < min(one.end, other.end)


def _repair(messages: Sequence[Message], raw: str, nonce: str) -> tuple[Message, ...]:
    ask = (
        f"That could not be read. Send the same edits again, only in the tags "
        f"<hypothesis-{nonce}>, <edit-{nonce} part=...>, <old-{nonce}> and <new-{nonce}>."
    )
    return (*messages, Message.of("assistant", raw), Message.of("user", ask))
