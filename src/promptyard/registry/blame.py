"""Says of each line of a prompt where it comes from: seed, run and bucket, or demonstration.

A sentence is found again by what it says, wherever it stands now; what no origin explains belongs
to the oldest version of its lineage that has it. Pure functions over stored versions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from promptyard.records.blame import Blame, BlameEntry, BlameLine, BlameSource
from promptyard.records.origins import Origin
from promptyard.records.prompt_text import demo_lines, split_lines
from promptyard.records.prompts import Demo, Program
from promptyard.records.sentences import folded, says, sentences
from promptyard.records.versions import PromptVersion


def standing(origins: Iterable[Origin], program: Program) -> tuple[Origin, ...]:
    """Return the origins that still hold in a program, one a sentence, the first one given.

    The sentence of an edit has to stand in its step; what a deletion took out must not be back.
    """
    texts = {step.name: step.prompt.text for step in program.steps}
    kept: dict[tuple[str, str], Origin] = {}
    for origin in origins:
        atom = origin.atom
        text = texts.get(atom.step)
        if text is None:
            continue
        holds = says([text], atom.text) if atom.text else not says([text], atom.anchor)
        if holds:
            kept.setdefault((atom.step, atom.key), origin)
    return tuple(kept.values())


def lineage_of(version: PromptVersion, versions: Sequence[PromptVersion]) -> list[PromptVersion]:
    """Return a version, its parent, the parent of that, and so on to the first."""
    by_number = {item.number: item for item in versions}
    line = [version]
    while (parent := line[-1].parent) is not None and parent in by_number:
        line.append(by_number[parent])
    return line


def blame(lineage: Sequence[PromptVersion]) -> Blame:
    """Say where each line of the first version of `lineage` comes from; see `lineage_of`."""
    version = lineage[0]
    blaming = _Blaming(lineage)
    lines = [line for step in version.program.steps for line in blaming.lines(step.name)]
    removed = [
        blaming.of_origin(origin) for origin in version.origins if origin.atom.kind == "delete"
    ]
    return Blame(
        name=version.name,
        number=version.number,
        digest=version.digest,
        lines=tuple(lines),
        removed=tuple(removed),
    )


class _Blaming:
    """One version with its ancestors, newest first."""

    def __init__(self, lineage: Sequence[PromptVersion]) -> None:
        self._lineage = lineage
        self._origins = {
            (origin.atom.step, folded(origin.atom.text)): origin
            for origin in lineage[0].origins
            if origin.atom.text
        }
        # Folded once: a long prompt has hundreds of sentences to look up in each version.
        self._folded = {
            (item.number, step.name): " ".join(step.prompt.text.casefold().split())
            for item in lineage
            for step in item.program.steps
        }

    def lines(self, step: str) -> Iterable[BlameLine]:
        """Blame the lines of one step."""
        prompt = self._lineage[0].program.step(step).prompt
        demos = {number for number, _ in demo_lines(prompt.text)}
        for number, line in enumerate(split_lines(prompt.text), 1):
            if number in demos:
                entries = [self._of_demo(step, line.text)]
            else:
                entries = [self._of_sentence(step, said) for said in sentences(line.text)]
            if all(entry.source == "seed" for entry in entries):
                entries = entries[:1]
            yield BlameLine(step=step, number=number, text=line.text, entries=tuple(entries))

    def of_origin(self, origin: Origin) -> BlameEntry:
        """Write out what a search kept of an edit, with the verdict of its run."""
        atom = origin.atom
        found = (item for item in self._lineage if item.run_id == origin.run_id)
        brought = next(found, self._lineage[0])
        return self._entry(
            "edit",
            brought,
            text=atom.text,
            replaced=atom.anchor if atom.kind in ("replace", "delete") else "",
            run_id=origin.run_id,
            generator=origin.generator,
            hypothesis=origin.hypothesis,
            buckets=origin.buckets,
            case_ids=origin.case_ids,
            effect=origin.effect,
        )

    def _of_sentence(self, step: str, sentence: str) -> BlameEntry:
        origin = self._origins.get((step, folded(sentence)))
        if origin is not None:
            return self.of_origin(origin)
        brought = self._first_with(step, folded(sentence))
        if brought is self._lineage[-1]:
            return self._entry("seed", brought, text=sentence)
        return self._entry(
            "version",
            brought,
            text=sentence,
            run_id=brought.run_id or "",
            hypothesis=brought.hypothesis,
        )

    def _of_demo(self, step: str, line: str) -> BlameEntry:
        try:
            demo = Demo.model_validate(json.loads(line))
        except (ValueError, ValidationError):
            return self._of_sentence(step, line)
        brought = self._first_with(step, " ".join(line.casefold().split()))
        return self._entry(
            "demo",
            brought,
            text=line,
            run_id="" if brought is self._lineage[-1] else brought.run_id or "",
            case_ids=() if demo.case_id is None else (demo.case_id,),
            demo_source=demo.source,
        )

    def _first_with(self, step: str, text: str) -> PromptVersion:
        """Return the oldest version in an unbroken line of those that hold a folded text."""
        first = self._lineage[0]
        for item in self._lineage:
            if text not in self._folded.get((item.number, step), ""):
                break
            first = item
        return first

    def _entry(self, source: BlameSource, brought: PromptVersion, **found: Any) -> BlameEntry:
        verdict = brought.verdict or {}
        return BlameEntry(
            source=source,
            version=brought.number,
            author=brought.author,
            decision=str(verdict.get("status", "")),
            sentence=str(verdict.get("sentence", "")),
            **found,
        )
