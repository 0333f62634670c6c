"""Compression: sentences that say again what another one says go, and nothing else changes.

Searches that add sentence after sentence end with second wordings of a rule; tests by removal
cost more calls than the search and harm. So duplicates are found in the text, and by one question
to the optimizer model, which can only name whole sentences. The policy checks the result once on
fresh cases. Source: anchors on search, section 5.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from promptyard.candidates.asking import ask_object
from promptyard.candidates.duplicates import (
    CompressSettings,
    Sentence,
    cuts_of,
    duplicates,
    may_merge,
    sentences_of,
)
from promptyard.candidates.meta_prompt import MetaPrompts, nonce_for
from promptyard.protocols import Bench
from promptyard.records.base import Json, as_list, as_object
from promptyard.records.edits import Candidate, Proposal, Replace
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Program
from promptyard.records.quoting import quoted

CHARS_PER_TOKEN = 4
MAX_LABEL_CHARS = 60

DUPLICATES_SCHEMA: Mapping[str, Json] = {
    "type": "object",
    "properties": {
        "duplicates": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "keep": {"type": "string"},
                    "delete": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["keep", "delete"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["duplicates"],
    "additionalProperties": False,
}


class Compress:
    """Proposes at most one set of deletions. Costs no task call and at most two optimizer calls."""

    name = "compress"

    def __init__(
        self, meta_prompts: MetaPrompts | None = None, settings: CompressSettings | None = None
    ) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()
        self._settings = settings or CompressSettings()

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Delete second wordings; nothing where there are none, or where nothing was measured."""
        if not evidence.successes and not evidence.failures:
            return ()
        sentences = sentences_of(base.program, self._settings)
        labels = labels_of(base.program, evidence)
        gone = duplicates(sentences, labels, self._settings)
        left = [sentence for sentence in sentences if sentence not in gone]
        raw = problem = ""
        if len(left) >= self._settings.min_sentences:
            named, raw, problem = await self._named(left, labels, bench, rng.getrandbits(32))
            gone += named
        allowed = int(self._settings.max_deleted_share * len(sentences))
        gone = gone[:allowed]
        if not gone:
            said = "No sentence of the prompt says again what another one says."
            unread = Proposal(
                generator=self.name, edits=(), hypothesis=said, raw=f"{problem} | {raw}"[:4000]
            )
            return (unread,) if problem else ()
        edits = deletions(gone)
        n_chars = sum(len(edit.old) for edit in edits)
        n = len(gone)
        again = "sentence says" if n == 1 else "sentences say"
        return (
            Proposal(
                generator=self.name,
                edits=edits,
                hypothesis=(
                    f"{n} {again} again what others say; without {'it' if n == 1 else 'them'} the "
                    f"prompt saves about {max(1, round(n_chars / CHARS_PER_TOKEN))} tokens."
                ),
                evidence=("second_wordings",),
                raw=raw[:4000],
            ),
        )

    async def _named(
        self, sentences: Sequence[Sentence], labels: frozenset[str], bench: Bench, seed: int
    ) -> tuple[list[Sentence], str, str]:
        """Ask the optimizer model which sentences repeat others.

        Returns those that may go, the reply, and what was wrong with it.
        """
        rows = [
            {"id": item.id, "section": item.region.id, "text": item.piece.text}
            for item in sentences
        ]
        nonce = nonce_for([dict(row) for row in rows], seed)
        messages = self._meta_prompts.fill(
            "compress", {"nonce": nonce, "sentences": "\n".join(quoted(row) for row in rows)}
        )
        found, raw = await ask_object(
            bench, self._meta_prompts, messages, DUPLICATES_SCHEMA, "duplicates"
        )
        groups = as_list(found["duplicates"]) if found is not None else None
        if groups is None:
            return [], raw, "no list of duplicates"
        return _allowed(groups, sentences, labels), raw, ""


def _allowed(
    groups: Sequence[Json], sentences: Sequence[Sentence], labels: frozenset[str]
) -> list[Sentence]:
    """Return what a reply may delete: known sentences, never one that another was deleted for."""
    by_id = {item.id: item for item in sentences}
    kept: set[str] = set()
    gone: dict[str, Sentence] = {}
    for group in groups:
        row = as_object(group) or {}
        keep = by_id.get(str(row.get("keep")))
        if keep is None or keep.id in gone:
            continue
        for name in as_list(row.get("delete")) or []:
            other = by_id.get(str(name))
            if other is None or other.id in kept or other.id == keep.id:
                continue
            if may_merge(keep, other, labels):
                kept.add(keep.id)
                gone[other.id] = other
    return list(gone.values())


def labels_of(program: Program, evidence: Evidence) -> frozenset[str]:
    """Return the labels and field names of a task: words that never stand for one another."""
    found: set[str] = set()
    for step in program.steps:
        contract = step.prompt.output
        found.update(contract.labels)
        found.update(as_object((contract.schema_ or {}).get("properties")) or {})
    for row in (*evidence.successes, *evidence.failures):
        expected = row.case.expected
        values = [expected] if isinstance(expected, str) else (as_object(expected) or {})
        found.update(value for value in values if len(value) <= MAX_LABEL_CHARS)
    return frozenset(label for label in found if label.strip())


def deletions(sentences: Sequence[Sentence]) -> tuple[Replace, ...]:
    """Return the edits that take sentences out; every other byte stays."""
    edits: list[Replace] = []
    places = {(item.step, item.region.id): item.region for item in sentences}
    for (step, name), region in places.items():
        pieces = [s.piece for s in sentences if (s.step, s.region.id) == (step, name)]
        edits += [
            Replace(
                step=step,
                section=region.section,
                start=region.start + start,
                end=region.start + end,
                old=region.text[start:end],
                text="",
            )
            for start, end in cuts_of(region.text, pieces)
        ]
    return tuple(edits)
