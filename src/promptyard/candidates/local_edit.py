"""Local prompt optimisation: spans are identified first, then replaced; the rest stays to the byte.

One call names at most three places that are responsible for a bucket of failures, a second one
writes their new text, and we splice it in. Spans that the user marked need no first call. Source:
LPO (arXiv 2504.20355); anchors on algorithms, A5.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.candidates.asking import all_of, ask, ask_or_say, or_say
from promptyard.candidates.meta_prompt import (
    MetaPrompts,
    attempts_block,
    bucket_block,
    example_row,
    nonce_for,
    prompt_block,
    prompt_text,
)
from promptyard.candidates.reflect import (
    MAX_CALLS,
    attempts_of,
    examples_of,
    group_buckets,
    step_of,
)
from promptyard.candidates.span_texts import TextsReply, read_texts, span_edits, texts_schema
from promptyard.candidates.spans import (
    EditSpan,
    fallback_span,
    marked_spans,
    marked_text,
    place_spans,
    read_spans,
    spans_schema,
)
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, Replace
from promptyard.records.evidence import Bucket, Evidence
from promptyard.records.prompts import Prompt, Step
from promptyard.records.quoting import quoted


@dataclass(frozen=True)
class _Question:
    """What both calls about a group of buckets share."""

    step: Step
    names: tuple[str, ...]
    target: str | None
    nonce: str
    buckets: str
    attempts: str


@dataclass(frozen=True)
class _Places:
    """Where the prompt may change, why, and what is to be told of how they were found."""

    spans: Sequence[EditSpan]
    cause: str = ""
    notes: Sequence[str] = ()
    raw: str = ""


class LocalEdit:
    """Proposes new texts for a few spans, one proposal a bucket or group of labels.

    Costs two optimizer calls a bucket, one where the user marked the spans, at most `MAX_CALLS`
    buckets; and one more for each reply that cannot be read.
    """

    name = "local_edit"

    def __init__(self, meta_prompts: MetaPrompts | None = None) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Find and mend the places of each bucket; all buckets at the same time."""
        seed = rng.getrandbits(32)
        groups = group_buckets(evidence.buckets)[:MAX_CALLS]
        return await all_of(
            self._mend(_question(base, group, evidence, seed), bench) for group in groups
        )

    async def _mend(self, question: _Question, bench: Bench) -> Proposal:
        raw, reply, edits = "", TextsReply(), list[Replace]()
        places = await or_say(
            self._places(question, bench), lambda problem: _Places((), notes=[problem])
        )
        if places.spans:
            raw, reply = await self._replace(question, places, bench)
            step = question.step
            edits = span_edits(reply.texts, step.prompt, step.name, places.spans)
        said = [*places.notes, *([reply.problem] if reply.problem else [])]
        if not edits:
            said.append("no edit")
        return Proposal(
            generator=self.name,
            edits=tuple(edits),
            hypothesis=reply.hypothesis
            or places.cause
            or f"{question.names[0]} fails for what one place of the prompt says.",
            evidence=question.names,
            raw=" | ".join([*said, places.raw[:1500], raw])[:4000],
        )

    async def _places(self, question: _Question, bench: Bench) -> _Places:
        """Name the places that may change; the bucket's section where the reply names none."""
        prompt = question.step.prompt
        if prompt.spans:
            return _Places(marked_spans(prompt))
        messages = self._meta_prompts.fill(
            "identify",
            {
                "nonce": question.nonce,
                "prompt": prompt_block(prompt, question.nonce),
                "sections": _section_map(prompt),
                "buckets": question.buckets,
                "attempts": question.attempts,
            },
        )
        raw, reply = await ask(
            bench, self._meta_prompts, messages, read_spans, schema=spans_schema(prompt)
        )
        spans, notes = place_spans(reply.spans, prompt)
        if spans:
            return _Places(spans, reply.cause, notes, raw)
        if reply.problem:
            notes.append(reply.problem)
        span = fallback_span(prompt, question.target)
        if span is None:
            return _Places((), reply.cause, [*notes, "no place was found"], raw)
        notes.append(f"fell back to section '{span.section}' of the bucket")
        return _Places([span], reply.cause, notes, raw)

    async def _replace(
        self, question: _Question, places: _Places, bench: Bench
    ) -> tuple[str, TextsReply]:
        prompt, nonce, spans = question.step.prompt, question.nonce, places.spans
        tag = "prompt" if "</prompt" not in prompt.text else f"prompt-{nonce}"
        shown = marked_text(prompt, spans, nonce)
        messages = self._meta_prompts.fill(
            "replace",
            {
                "nonce": nonce,
                "prompt": f'<{tag} id="{nonce}">\n{shown}\n</{tag}>',
                "places": ", ".join(span.id for span in spans) + ".",
                "cause": f"What was found: {quoted(places.cause)}" if places.cause else "",
                "buckets": question.buckets,
                "attempts": question.attempts,
            },
        )
        return await ask_or_say(
            bench,
            self._meta_prompts,
            messages,
            lambda text: read_texts(text, prompt, spans, nonce),
            lambda problem: TextsReply(problem=problem),
            schema=texts_schema(spans),
        )


def _question(base: Candidate, group: Sequence[Bucket], evidence: Evidence, seed: int) -> _Question:
    step = step_of(base, group)
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
    # The section that rules guess is not shown: finding it is what is asked for.
    blocks = [bucket_block(bucket, rows, None, nonce) for bucket, rows in shown]
    return _Question(
        step=step,
        names=tuple(bucket.name for bucket in group),
        target=group[0].target[1] if group[0].target else None,
        nonce=nonce,
        buckets="\n\n".join(blocks),
        attempts=attempts_block(attempts, nonce),
    )


def _section_map(prompt: Prompt) -> str:
    """List all sections with id, title and length, and say which may be edited."""
    lines = ["Its sections:"]
    for section in prompt.sections:
        if section.text.strip() or section.title:
            title = f" ({' '.join(section.title.split())})" if section.title else ""
            locked = ", locked: it cannot be edited" if section.locked else ""
            lines.append(f"- {section.id}{title}: {len(section.text)} characters{locked}")
    return "\n".join(lines)
