"""The check `citation_markers`: prose says with markers like [1] or [doc1] what it rests on."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from promptyard.metrics.check import Check, shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import shorten
from promptyard.metrics.sources import Sources
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Every: TypeAlias = Literal["none", "answer", "paragraph", "sentence"]
EVERY: tuple[Every, ...] = ("none", "answer", "paragraph", "sentence")

MAX_FINDINGS = 50

_BRACKETS = re.compile(r"\[([^\[\]\n]{1,200})\](?!\()|【([^【】\n]{1,200})】")
_MARKERS_AFTER = re.compile(rf"(?:[^\S\n]*(?:{_BRACKETS.pattern}))*")
_SEPARATOR = re.compile(r"[,;]")
_WHITE_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\w+")
_HEADING = re.compile(r"\s*(#{1,6}\s|```|[-=*_]{3,}\s*$)")
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
# Only the first of a run of full stops is tried, and nothing is given back: linear in the text.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s|$)|[。！？]++[」』”’)]*+|\n")


class Marker(NamedTuple):
    """One id in a marker, and the characters [start, end) at which the marker stands."""

    id: str
    start: int
    end: int


class CitationMarkers(Check):
    """Check that every marker in a prose answer, like `[1]` or `[doc1, doc2]`, names a source.

    A marker is a pair of brackets, [] or 【】, around ids parted by commas or semicolons; `[^1]`
    counts as `[1]`, ranges are not expanded. Brackets around something with white space in it are
    prose unless they hold an existing id, and so is the text of a Markdown link.

    Options:
        source: the input variable that holds the sources, or a list of variables, as in
            `citation_span`.
        every: what needs a marker: the `answer` (default), every `paragraph`, every `sentence`,
            or `none`. A sentence ends at `.`, `!`, `?`, `…` before white space, at their
            ideographic forms and at a line break; a marker that follows belongs to it. Paragraphs
            are parted by empty lines. Headings and rulers need none.
        min_words: shorter sentences and paragraphs need no marker; default 4.
        allow: texts in brackets that are no markers, such as `sic`; default none.

    One finding for each wrong place, at most 50, with its span in the answer: `unknown_source`
    for an id that does not exist, `missing_citation` where a marker is needed. A case without
    the sources is unscored. Hard, accuracy.
    """

    name = "citation_markers"
    tag = "unknown_source"
    severity = "hard"
    option_names = ("source", "every", "min_words", "allow")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.sources = Sources(self.options.text_or_texts("source"))
        self.every: Every = self.options.choice("every", EVERY, "answer")
        self.min_words = self.options.whole_number("min_words", default=4, least=1)
        self.allow = frozenset(self.options.texts("allow") if self.options.has("allow") else ())

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Look at each marker, then at each place that needs one."""
        try:
            known = self.sources.of(case)
        except ValueError as error:
            raise self.ungradable(case, str(error)) from None
        text = completion.text
        found = [marker for marker in markers(text, known) if marker.id not in self.allow]
        findings = [
            self._finding(
                completion,
                "unknown_source",
                (marker.start, marker.end),
                f"the marker {shorten(marker.id)} names no source; the sources are "
                + shorten(list(islice(known, 20))),
            )
            for marker in islice((m for m in found if m.id not in known), MAX_FINDINGS)
        ]
        for span in islice(self._unmarked(text, found), MAX_FINDINGS - len(findings)):
            what = "the answer" if self.every == "answer" else f"the {self.every}"
            reason = f"{what} has no marker: {shorten(text[slice(*span)])}"
            findings.append(self._finding(completion, "missing_citation", span, reason))
        return shared_weight(findings) if findings else self.passed()

    def _finding(
        self, completion: Completion, tag: str, span: tuple[int, int], reason: str
    ) -> Score:
        score = self.failed(completion, reason, tags=(self.tag_override or tag,))
        return score.model_copy(update={"span": span})

    def _unmarked(self, text: str, found: Sequence[Marker]) -> Iterator[tuple[int, int]]:
        """Find the places that need a marker and have none."""
        if self.every == "answer" and not found:
            yield (0, len(text))
        if self.every not in {"paragraph", "sentence"}:
            return
        ahead = iter(found)
        marker = next(ahead, None)
        for start, end in _places(text, self.every):
            marked = False
            while marker is not None and marker.start < end:
                marked = True
                marker = next(ahead, None)
            if not marked and self._needs_one(text, start, end):
                yield (start, end)

    def _needs_one(self, text: str, start: int, end: int) -> bool:
        if _HEADING.match(text, start, end):
            return False
        words = islice(_WORD.finditer(text, start, end), self.min_words)
        return sum(1 for _ in words) == self.min_words


def markers(text: str, known: Container[str] = ()) -> Iterator[Marker]:
    """Find the ids in the markers of a text, in order; `known` ids may have white space in them."""
    for match in _BRACKETS.finditer(text):
        inside = (match.group(1) or match.group(2) or "").strip()
        whole = inside.removeprefix("^")
        ids = [whole] if whole in known else [part.strip() for part in _SEPARATOR.split(whole)]
        ids = [part.removeprefix("^") for part in ids]
        if all(part and (part in known or not _WHITE_SPACE.search(part)) for part in ids):
            yield from (Marker(part, match.start(), match.end()) for part in ids)


def _places(text: str, every: Every) -> Iterator[tuple[int, int]]:
    """Cut a text into paragraphs or sentences; the markers after a sentence's end belong to it."""
    pattern = _PARAGRAPH_END if every == "paragraph" else _SENTENCE_END
    start = 0
    for match in pattern.finditer(text):
        end = match.end()
        after = _MARKERS_AFTER.match(text, end)
        if after is not None and every == "sentence" and match.group() != "\n":
            end = after.end()
        if end > start:
            yield start, end
            start = end
    yield start, len(text)
