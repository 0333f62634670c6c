"""The simulated optimizer model: any meta-prompt in, a reply in the asked shape out.

It finds the prompt and the evidence in the request, teaches some of what the evidence points at,
and makes the mistakes that models make: vague sentences, traps, useless sentences, memorised cases,
wrong quotations, and rules that get lost where it writes a long prompt anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from search_worlds.luck import hashed, rng_of
from search_worlds.optimizer.evidence import Evidence, read_evidence
from search_worlds.optimizer.lessons import Lesson, lessons
from search_worlds.optimizer.prompts import Part, Shown, shown_prompt
from search_worlds.optimizer.rewriting import Edit, edits_of, rewritten, shortened
from search_worlds.optimizer.schema import EXPLAINED, PROMPT, Answers, filled
from search_worlds.phrases import Phrasebook
from search_worlds.plan import Plan
from search_worlds.shapes import Turn, asked_fields, dressed

_TARGET = re.compile(r"<bucket[^>]*\b(?:part|section|target)\s*=\s*[\"']([^\"']+)[\"']")
_NUMBER = re.compile(
    r"\b(\d{1,2}|two|three|four|five)\b[^.\n]{0,40}"
    r"\b(?:prompts|instructions|candidates|variants|rewrites|alternatives)\b",
    re.IGNORECASE,
)
ASK_CHARS = 600
"""Where a request says what it wants: so near to its end or to its beginning."""
_WORDS = {"two": 2, "three": 3, "four": 4, "five": 5}
_OWN_EDIT = re.compile(r"<edit-(\w+) part=")
_EDIT_TAG = re.compile(r"<edit(-\w+)?>")
_WRAPPED = re.compile(
    r"<(INS|(?:new_|improved_|revised_)?(?:prompt|instructions?))>"
    r"|(?:within|inside|between|in|wrap[^.\n]{0,40})\s+<(\w+)>",
    re.IGNORECASE,
)
_FENCED = re.compile(r"(?:within|inside|between|in) ```")
_WHY = re.compile(
    r"\b(?:why|diagnos\w*|critique|explain|analy[sz]e|give \S+ reasons?)\b", re.IGNORECASE
)
_ANEW = re.compile(
    r"\b(?:new|better|improved|different|revised) (?:prompt|instruction)|rewrite|revise|\bedit\b",
    re.IGNORECASE,
)
_SHORTER = re.compile(r"\b(?:shorten|compress|condense|merge duplicates|more concise)\b", re.I)
WITHOUT_PROMPT = "Work out the answer to the input."


class OptimizerModel:
    """Replies to requests about one kind of world. `seed` only changes its luck."""

    def __init__(self, plan: Plan, book: Phrasebook, seed: int) -> None:
        self._plan, self._book, self._seed = plan, book, seed

    def reply(
        self,
        turns: Sequence[Turn],
        sample: int = 0,
        response_format: Mapping[str, Any] | None = None,
    ) -> str:
        """Answer a request; `sample` draws anew."""
        return _Reply(self._plan, self._book, self._seed, turns, sample).text(response_format or {})


class _Reply:
    def __init__(
        self, plan: Plan, book: Phrasebook, seed: int, turns: Sequence[Turn], sample: int
    ) -> None:
        self._plan, self._book, self._turns = plan, book, turns
        self._request = "\n\n".join(turn.text for turn in turns)
        self._tail = turns[-1].text[-3000:] if turns else ""
        self._luck = hashed("optimizer", seed, self._request, sample)

    def text(self, response_format: Mapping[str, Any]) -> str:
        """The reply in the first shape that the request asks for."""
        if response_format.get("type") == "json_schema":
            schema = response_format["json_schema"].get("schema", {})
            return json.dumps(filled(schema, self._answers))
        fields = asked_fields(self._turns)
        if fields is not None:
            return dressed(fields, self._field)
        own = _OWN_EDIT.search(self._request)
        if own:
            return self._own_edits(own.group(1))
        if _EDIT_TAG.search(self._request):
            return self._spans()
        return self._free_text()

    # what the request says

    @cached_property
    def _shown(self) -> Shown:
        return shown_prompt(self._turns)

    @cached_property
    def _evidence(self) -> Evidence:
        return read_evidence(self._plan, self._book, self._shown.body)

    @cached_property
    def _parts(self) -> Sequence[Part]:
        return self._shown.parts or (Part("", self._shown.prompt),)

    @cached_property
    def _n_prompts(self) -> int:
        match = _NUMBER.search(self._shown.body)
        if match is None:
            return 3
        said = match.group(1).lower()
        return min(10, max(1, _WORDS.get(said) or int(said if said.isdigit() else 3)))

    # what it makes of it

    def _lessons(self, number: int = 0) -> list[Lesson]:
        rng = rng_of("lessons", self._luck, number)
        return lessons(self._plan, self._book, self._shown.prompt, self._evidence, rng)

    def _edits(self) -> list[Edit]:
        target = _TARGET.search(self._request)
        rng = rng_of("edits", self._luck)
        where = target.group(1) if target else None
        return edits_of(self._plan, self._lessons(), self._parts, where, rng)

    def _prompt(self, number: int = 0) -> str:
        prompt = self._shown.prompt or WITHOUT_PROMPT
        if _SHORTER.search(self._request) and not self._evidence.failures:
            return shortened(self._book, prompt)
        rng = rng_of("rewriting", self._luck, number)
        return rewritten(self._plan, self._book, prompt, self._lessons(number), rng)

    def _part_texts(self) -> list[Part]:
        """The parts with the lessons applied, those that change."""
        texts: list[Part] = []
        edits = self._edits()
        for part in self._parts:
            text = part.text
            for edit in edits:
                if edit.section == part.id:
                    text = _applied(text, edit)
            if text != part.text:
                texts.append(Part(part.id, text))
        return texts

    def _explanation(self) -> str:
        taught = [lesson.new for lesson in self._lessons() if lesson.new]
        if not taught:
            return "The answers follow the form of the examples."
        return "The prompt leaves open what matters here. " + " ".join(taught)

    @cached_property
    def _answers(self) -> Answers:
        return Answers(
            prompt=self._prompt,
            edits=self._edits,
            part_texts=self._part_texts,
            explanation=self._explanation,
            n_prompts=self._n_prompts,
        )

    # shapes

    def _field(self, name: str) -> str:
        writes = PROMPT.search(name) and not EXPLAINED.search(name)
        return self._prompt() if writes else self._explanation()

    def _own_edits(self, nonce: str) -> str:
        lines = [f"<hypothesis-{nonce}>{self._explanation()}</hypothesis-{nonce}>"]
        for edit in self._edits():
            anchored = edit.op == "insert_after" and edit.old
            new = f"{edit.old} {edit.new}" if anchored else edit.new
            old = f"<old-{nonce}>{edit.old}</old-{nonce}>" if edit.old else ""
            lines.append(
                f'<edit-{nonce} part="{edit.section}">{old}<new-{nonce}>{new}</new-{nonce}>'
                f"</edit-{nonce}>"
            )
        return "\n".join(lines)

    def _spans(self) -> str:
        """Mark spans where the prompt has none yet, else write what belongs into them."""
        prompt = self._shown.prompt
        found = re.search(r"<(edit(?:-\w+)?)>", self._request)
        tag = found.group(1) if found else "edit"
        spans = re.findall(rf"<{tag}>(.*?)</{tag}>", prompt, re.DOTALL)
        if not spans:
            return self._marked(prompt, tag)
        texts = list(spans)
        for lesson in self._lessons():
            at = next(
                (n for n, span in enumerate(spans) if lesson.old and lesson.old in span), None
            )
            if at is not None:
                texts[at] = texts[at].replace(lesson.old, lesson.new)
            elif not lesson.old:
                texts[-1] = f"{texts[-1]} {lesson.new}".strip()
        if re.search(
            r"without the|whole (?:prompt|instruction)|full (?:prompt|instruction)", self._tail
        ):
            fresh = iter(texts)
            return re.sub(rf"<{tag}>.*?</{tag}>", lambda _: next(fresh), prompt, flags=re.DOTALL)
        return "\n".join(f"<{tag}>{text}</{tag}>" for text in texts)

    def _marked(self, prompt: str, tag: str) -> str:
        marked = prompt
        for lesson in self._lessons():
            if lesson.old and lesson.old in marked:
                marked = marked.replace(lesson.old, f"<{tag}>{lesson.old}</{tag}>", 1)
        return marked if f"<{tag}>" in marked else f"{marked}\n<{tag}></{tag}>"

    def _free_text(self) -> str:
        """Look for the shape at the end of the request, else at its beginning."""
        for zone in (self._request[-ASK_CHARS:], self._request[:ASK_CHARS]):
            reply = self._shaped(zone)
            if reply is not None:
                return reply
        return self._prompt()

    def _shaped(self, zone: str) -> str | None:
        writes = _ANEW.search(zone)
        asks_why = _WHY.search(zone) and not writes
        if "<START>" in zone:
            return f"<START>{self._explanation() if asks_why else self._prompt()}<END>"
        wrapped = _WRAPPED.search(zone)
        if wrapped:
            tag = wrapped.group(1) or wrapped.group(2)
            explains = wrapped.group(1) is None and asks_why
            return f"<{tag}>{self._explanation() if explains else self._prompt()}</{tag}>"
        if _FENCED.search(zone):
            return f"I looked at the examples.\n\n```\n{self._prompt()}\n```"
        if asks_why:
            return self._explanation()
        return self._prompt() if writes else None


def _applied(text: str, edit: Edit) -> str:
    if edit.old and edit.old not in text:
        return text
    match edit.op:
        case "append":
            return f"{text.rstrip()}\n{edit.new}"
        case "insert_after":
            return text.replace(edit.old, f"{edit.old} {edit.new}", 1)
        case _:
            return text.replace(edit.old, edit.new, 1)
