"""Optimisation by prompting: the instructions tried so far with their scores ask for a better one.

One request, several replies, each a whole new instruction for the task's section. Source: OPRO
(arXiv 2309.03409); anchors on algorithms, A2.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from promptyard.candidates.asking import all_of, ask_or_say
from promptyard.candidates.instructions import (
    INSTRUCTION_SCHEMA,
    InstructionsReply,
    Place,
    call_rows,
    instruction_edit,
    instruction_place,
    no_instructions,
    normalised,
    read_instructions,
)
from promptyard.candidates.meta_prompt import MetaPrompts, item_value, nonce_for
from promptyard.protocols import Bench
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Message
from promptyard.records.prompts import Program, Prompt, Step
from promptyard.records.quoting import quoted

N_REPLIES = 8
N_SHOWN = 20
N_EXAMPLES = 3
MAX_CHARS = 500
MAX_SHOWN_CHARS = N_SHOWN * MAX_CHARS
"""What so many replies of full length take: longer instructions come in smaller numbers."""
TAG_WORD = "INS"
NO_INSTRUCTION = "(no instruction)"


@dataclass(frozen=True)
class Tried:
    """An instruction that was scored, in percent."""

    text: str
    score_pct: int


class Trajectory:
    """Proposes whole instructions for the task's section, at most `n_replies` a call.

    Costs `n_replies` optimizer calls, and one more for each reply that cannot be read. Of the
    instructions tried, the best `N_SHOWN` with at least `threshold_pct` are shown, long ones up to
    `MAX_SHOWN_CHARS`; replies of more than `max_chars` characters are dropped.
    """

    name = "trajectory"

    def __init__(
        self,
        meta_prompts: MetaPrompts | None = None,
        *,
        n_replies: int = N_REPLIES,
        threshold_pct: int = 0,
        max_chars: int = MAX_CHARS,
    ) -> None:
        self._meta_prompts = meta_prompts or MetaPrompts()
        self._n_replies = n_replies
        self._threshold_pct = threshold_pct
        self._max_chars = max_chars

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask for new instructions; nothing where no instruction has a score yet."""
        step = base.program.steps[-1]
        place = instruction_place(step.prompt)
        tried = tried_instructions(base.program, evidence)
        if place is None or not tried:
            return ()
        messages = self._request(step.prompt, place, tried, evidence, rng)
        replies = await all_of(
            self._reply(messages, bench, replicate) for replicate in range(self._n_replies)
        )
        known = {normalised(item.text) for item in tried}
        proposals: list[Proposal] = []
        n_usable = 0
        for raw, reply in replies:
            for text in reply.texts:
                reason = _unfit(text, known, self._max_chars)
                if reason is None and n_usable == self._n_replies:
                    reason = f"more than {self._n_replies} instructions were not asked for"
                if reason is None:
                    known.add(normalised(text))
                    n_usable += 1
                proposals.append(self._proposal(step, place, text, reason, raw))
            if reply.problem is not None:
                proposals.append(self._proposal(step, place, "", reply.problem, raw))
        return proposals

    async def _reply(
        self, messages: Sequence[Message], bench: Bench, replicate: int
    ) -> tuple[str, InstructionsReply]:
        return await ask_or_say(
            bench,
            self._meta_prompts,
            messages,
            read_instructions,
            no_instructions,
            schema=INSTRUCTION_SCHEMA,
            replicate=replicate,
        )

    def _proposal(
        self, step: Step, place: Place, text: str, reason: str | None, raw: str
    ) -> Proposal:
        if reason is not None:
            return Proposal(
                generator=self.name,
                edits=(),
                hypothesis="A new instruction.",
                raw=f"{reason} | {text or raw}"[:4000],
            )
        return Proposal(
            generator=self.name,
            edits=(instruction_edit(step.prompt, step.name, place, text),),
            hypothesis=f"Another instruction scores higher: {' '.join(text.split())[:200]}",
            evidence=("trajectory",),
            raw=raw[:4000],
        )

    def _request(
        self,
        prompt: Prompt,
        place: Place,
        tried: Sequence[Tried],
        evidence: Evidence,
        rng: random.Random,
    ) -> tuple[Message, ...]:
        cases = _examples(evidence, rng)
        payload: list[Json] = [[item.text for item in tried], [c.model_dump_json() for c in cases]]
        nonce = nonce_for([*payload, prompt.text], rng.getrandbits(32))
        entries = [
            f"text:\n{item.text or NO_INSTRUCTION}\nscore:\n{item.score_pct}"
            for item in shown(tried, self._threshold_pct)
        ]
        blocks = [_example_block(prompt, place, case, nonce) for case in cases]
        said = "Calls with the answer that is expected; the instruction stands at <INS>:\n\n"
        return self._meta_prompts.fill(
            "trajectory",
            {
                "nonce": nonce,
                "max_chars": str(self._max_chars),
                "trajectory": "\n\n".join(entries),
                "examples": said + "\n\n".join(blocks) if blocks else "",
            },
        )


def tried_instructions(program: Program, evidence: Evidence) -> list[Tried]:
    """Return what stood in the task's section of each scored program, in order of the trajectory.

    Programs that differ elsewhere in what the section is cannot be compared and are left out; of
    equal instructions the first counts.
    """
    step = program.steps[-1]
    place = instruction_place(step.prompt)
    section = next((s for s in step.prompt.sections if place and s.id == place.section), None)
    if place is None or section is None:
        return []
    head, tail = section.text[: place.start], section.text[place.end :]
    before = "".join(f"{item.prompt.text}\n\n" for item in program.steps[:-1])
    found: dict[str, Tried] = {}
    for point in evidence.trajectory:
        if not point.text.startswith(before):
            continue
        own = Prompt(text=point.text[len(before) :])
        text = next((item.text for item in own.sections if item.id == place.section), None)
        if text is None or not (text.startswith(head) and text.endswith(tail)):
            continue
        said = text[len(head) : len(text) - len(tail)].strip()
        found.setdefault(normalised(said), Tried(said, point.score_pct))
    return list(found.values())


def shown(tried: Sequence[Tried], threshold_pct: int = 0) -> list[Tried]:
    """Return the best `N_SHOWN` by score, ascending and ties in order; then those of the threshold.

    The cut comes before the threshold, as in the source. Long ones are cut at `MAX_SHOWN_CHARS` in
    all: each reply pays for the whole request.
    """
    ranked = sorted(tried, key=lambda item: item.score_pct)[-N_SHOWN:]
    while len(ranked) > 1 and sum(len(item.text) for item in ranked) > MAX_SHOWN_CHARS:
        ranked.pop(0)
    return [item for item in ranked if item.score_pct >= threshold_pct]


def _unfit(text: str, known: set[str], max_chars: int) -> str | None:
    """Say why an instruction is not worth a single call."""
    if normalised(text) in known:
        return "the instruction was tried before"
    if len(text) > max_chars:
        return f"the instruction has {len(text)} characters, more than {max_chars}"
    if TAG_WORD in text:
        return f"the instruction holds the tag word {TAG_WORD}"
    return None


def _examples(evidence: Evidence, rng: random.Random) -> list[Case]:
    """Draw train cases whose expected answer is known."""
    rows = (*evidence.failures, *evidence.successes)
    cases = {row.case.id: row.case for row in rows if row.case.expected is not None}
    pool = [cases[name] for name in sorted(cases)]
    return rng.sample(pool, min(N_EXAMPLES, len(pool)))


def _example_block(prompt: Prompt, place: Place, case: Case, nonce: str) -> str:
    rows = call_rows(prompt, place, case, nonce, f"<{TAG_WORD}>")
    expected = f"expected: {quoted(item_value(case.expected))}"
    return "\n".join([f"<call-{nonce}>", *rows, expected, f"</call-{nonce}>"])
