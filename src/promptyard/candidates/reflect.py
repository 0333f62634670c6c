"""Failure reflection: shows buckets of failures to the optimizer model and asks for local edits.

One call a bucket: a reply that has one failure before it stays on topic. Labels that are mistaken
for each other are shown together, since what tells them apart is what is asked for. Source:
anchors on search, section 2; ProTeGi (arXiv 2305.03495) and PE2 (arXiv 2311.05661) for what is
shown.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.candidates.asking import all_of, ask_or_say
from promptyard.candidates.meta_prompt import (
    MetaPrompts,
    attempts_block,
    bucket_block,
    example_row,
    nonce_for,
    prompt_block,
    prompt_text,
    section_list,
)
from promptyard.candidates.reply import EDITS_SCHEMA, Reply, locate, parse_edits, without_overlaps
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, Replace
from promptyard.records.evidence import Attempt, Bucket, Evidence, TrainTrial
from promptyard.records.messages import Message
from promptyard.records.prompts import Step
from promptyard.records.regions import Region, region_of

MAX_CALLS = 12
LABELS_PER_CALL = 8
EXAMPLES_PER_LABEL = 6
EXAMPLES_PER_BUCKET = 2
MAX_ATTEMPTS = 4


class Reflect:
    """Proposes one set of edits a bucket, or a group of labels.

    Costs one optimizer call a bucket, at most `MAX_CALLS`, and one more for a reply that cannot be
    read.
    """

    name = "reflect"

    def __init__(self, meta_prompts: MetaPrompts | None = None) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask for edits, bucket by bucket; all calls run at the same time."""
        seed = rng.getrandbits(32)
        groups = group_buckets(evidence.buckets)[:MAX_CALLS]
        return await all_of(self._ask(base, group, evidence, bench, seed) for group in groups)

    async def _ask(
        self,
        base: Candidate,
        group: Sequence[Bucket],
        evidence: Evidence,
        bench: Bench,
        seed: int,
    ) -> Proposal:
        step = step_of(base, group)
        messages = self._request(step, group, evidence, seed)
        names = tuple(bucket.name for bucket in group)
        raw, reply = await ask_or_say(
            bench, self._meta_prompts, messages, parse_edits, _unread, schema=EDITS_SCHEMA
        )
        edits: list[Replace] = []
        problems: list[str] = [reply.problem] if reply.problem else []
        region = _region(step, group[0])
        fallback = region or region_of(step.prompt, "")
        # What is added goes where the user says; what stands in the prompt is changed where it is.
        pinned = region.id if region is not None and group[0].pinned else None
        for item in reply.edits:
            section = item.section if item.old or pinned is None else pinned
            placed = locate(
                item.model_copy(update={"section": section}), step.prompt, step.name, fallback
            )
            if isinstance(placed, str):
                problems.append(placed)
            else:
                edits.append(placed)
        kept = without_overlaps(edits)
        return Proposal(
            generator=self.name,
            edits=tuple(kept),
            hypothesis=reply.hypothesis or f"{names[0]} fails for want of a sentence about it.",
            evidence=names,
            raw=(raw if kept else f"{'; '.join(problems) or 'no edit'} | {raw}")[:4000],
        )

    def _request(
        self, step: Step, group: Sequence[Bucket], evidence: Evidence, seed: int
    ) -> tuple[Message, ...]:
        shown = [(bucket, examples_of(bucket, evidence)) for bucket in group]
        attempts = attempts_of(group, evidence)
        nonce = nonce_for(
            [
                prompt_text(step.prompt),
                [[bucket.name, *map(example_row, rows)] for bucket, rows in shown],
                [item.model_dump(mode="json") for item in attempts],
            ],
            seed,
        )
        blocks = [bucket_block(b, rows, _region(step, b), nonce) for b, rows in shown]
        return self._meta_prompts.fill(
            "reflect",
            {
                "nonce": nonce,
                "prompt": prompt_block(step.prompt, nonce),
                "sections": section_list(step.prompt),
                "buckets": "\n\n".join(blocks),
                "attempts": attempts_block(attempts, nonce),
            },
        )


def group_buckets(buckets: Sequence[Bucket]) -> list[list[Bucket]]:
    """Group buckets into calls: labels with those they are confused with, others alone."""
    groups: list[list[Bucket]] = []
    labels = [bucket for bucket in buckets if bucket.expected is not None]
    while labels:
        group = [labels.pop(0)]
        while labels and len(group) < LABELS_PER_CALL:
            confused = {got for bucket in group for got, _ in bucket.confusions}
            at = next((i for i, b in enumerate(labels) if b.expected in confused), 0)
            group.append(labels.pop(at))
        groups.append(group)
    return groups + [[bucket] for bucket in buckets if bucket.expected is None]


def examples_of(bucket: Bucket, evidence: Evidence) -> tuple[TrainTrial, ...]:
    """Choose the failures of a bucket that a request shows."""
    n_examples = EXAMPLES_PER_BUCKET if bucket.expected is None else EXAMPLES_PER_LABEL
    n_tags = {
        item.case.id: len({tag for score in item.trial.scores for tag in score.tags})
        for item in evidence.failures
    }
    # Those with the fewest other mistakes keep the reply on topic.
    ranked = sorted(evidence.failures_of(bucket), key=lambda item: n_tags[item.case.id])
    return tuple(ranked[:n_examples])


def attempts_of(group: Sequence[Bucket], evidence: Evidence) -> list[Attempt]:
    """Return what was tried last for the buckets of a request."""
    names = {bucket.name for bucket in group}
    return [item for item in evidence.attempts if item.bucket in names][-MAX_ATTEMPTS:]


def step_of(base: Candidate, group: Sequence[Bucket]) -> Step:
    """Return the step that the buckets of a request point at."""
    named = next((bucket.target[0] for bucket in group if bucket.target), None)
    named = named or next((bucket.step for bucket in group if bucket.step), None)
    return base.program.steps[-1] if named is None else base.program.step(named)


def _region(step: Step, bucket: Bucket) -> Region | None:
    """Return where a bucket is likely mended; None leaves the choice to the optimizer model."""
    if bucket.target is None or bucket.target[0] != step.name:
        return None
    return region_of(step.prompt, bucket.target[1])


def _unread(problem: str) -> Reply:
    return Reply(problem=problem)
