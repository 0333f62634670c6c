"""The simulated task model: messages in, an answer out.

It takes the last case whose input stands in the messages for the question, earlier ones with an
answer behind them for demonstrations, and everything else for the instructions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from search_worlds.cases import WorldCase, succeeds
from search_worlds.effect import Effects
from search_worlds.grading import grade, read_object
from search_worlds.luck import hashed, normal
from search_worlds.plan import Gold, Plan, Value
from search_worlds.shapes import Turn, asked_fields, dressed

NO_QUESTION = "There is nothing to answer in this message."
DEMO_CHARS = 1500
LABEL_AHEAD = re.compile(
    r"(?:\[\[ ## (?!input|text|question)\w+ ## \]\]|\b(?:label|output|answer|expected|assistant)\b)"
    r"\W*(.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """What the messages ask: `n_demos` counts by skill, `named` are cases that are given away."""

    case: WorldCase
    instruction: str
    n_demos: Mapping[str, int] = field(default_factory=dict[str, int])
    named: frozenset[str] = frozenset()

    @cached_property
    def key(self) -> int:
        """The identity of the prompt, without the question."""
        return hashed(self.instruction, sorted(self.named), sorted(self.n_demos.items()))


class TaskModel:
    """Answers questions about the cases that `case_of` finds by their reference."""

    def __init__(
        self, plan: Plan, effects: Effects, rho: float, case_of: Callable[[str], WorldCase | None]
    ) -> None:
        self.plan, self.effects, self.rho = plan, effects, rho
        self.seed = effects.seed
        self._case_of = case_of
        self._mark = re.compile(rf"{plan.mark}-\d{{5,6}}")
        self._chances: dict[int, dict[str, float]] = {}

    def reply(self, turns: Sequence[Turn], sample: int = 0) -> tuple[str, WorldCase | None]:
        """Answer; the case is None where the messages hold no question. `sample` draws anew."""
        question = self.question(turns)
        if question is None:
            return NO_QUESTION, None
        answer = self._answer(question, sample)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        fields = asked_fields(turns)
        if fields is None:
            return text, question.case
        value = answer if isinstance(answer, dict) else {}
        return dressed(fields, lambda name: _field_text(name, value, text)), question.case

    def chances(self, question: Question) -> Mapping[str, float]:
        """The chance of each skill under the prompt of a question."""
        if question.case.ref in question.named:
            return dict.fromkeys(question.case.wrongs, 0.99)
        key = question.key
        if key not in self._chances:
            if len(self._chances) > 5000:
                self._chances.clear()
            self._chances[key] = self.effects.chances(question.instruction, question.n_demos)
        return self._chances[key]

    def _answer(self, question: Question, sample: int) -> Gold:
        chances, key, case = self.chances(question), question.key, question.case
        failed = [
            name
            for name in case.wrongs
            if not succeeds(
                case.difficulty[name],
                normal("luck", self.seed, case.ref, name, key, sample),
                chances[name],
                self.rho,
            )
        ]
        return spoilt(case, failed)

    def question(self, turns: Sequence[Turn]) -> Question | None:
        """Read the messages. None where no case is found in them."""
        text = "\n\n".join(turn.text for turn in turns)
        found = [
            (match.start(), case)
            for match in self._mark.finditer(text)
            if (case := self._case_of(match.group())) is not None
        ]
        whole = [(at, case) for at, case in found if text.startswith(case.input, at)]
        asked = whole or found
        if not asked:
            return None
        *shown, (at, case) = asked
        n_demos: dict[str, int] = {}
        named = {
            other.ref
            for place, other in found[: None if whole else -1]
            if not text.startswith(other.input, place)
        }
        cuts = [(at, at + len(case.input))]
        for number, (start, demo) in enumerate(shown):
            if not text.startswith(demo.input, start):
                continue
            answer_from = start + len(demo.input)
            limit = min(asked[number + 1][0], answer_from + DEMO_CHARS)
            answer, length = self._demo_answer(text[answer_from:limit])
            cuts.append((start, answer_from + length))
            if answer is not None:
                named.add(demo.ref)
                for name in self._shown(demo, answer):
                    n_demos[name] = n_demos.get(name, 0) + 1
        return Question(case, _without(text, cuts), n_demos, frozenset(named))

    def _demo_answer(self, text: str) -> tuple[str | None, int]:
        """The answer that stands behind a demonstration's input, and where it ends."""
        if self.plan.kind == "object":
            value = read_object(text)
            if value is None:
                return None, 0
            end = text.find("}", text.find("{"))
            return json.dumps(value), end + 1
        stripped = text.strip()
        bare = stripped.split("\n")[0].strip().strip("\"'`") if stripped else ""
        if bare in self.plan.labels:
            return bare, text.find(bare) + len(bare)
        match = LABEL_AHEAD.search(text)
        if match is None:
            return None, 0
        return match.group(1).strip().strip("\"'`"), match.end()

    def _shown(self, case: WorldCase, answer: str) -> Sequence[str]:
        """The skills that a demonstration shows: those whose field it has right."""
        graded = grade(self.plan, case, answer)
        if graded.score == 1.0:
            return tuple(case.wrongs)
        if isinstance(case.gold, str):
            return ()
        got = read_object(answer) or {}
        return [
            name
            for name, wrong in case.wrongs.items()
            if all(got.get(item) == case.gold[item] for item in wrong)
        ]


def spoilt(case: WorldCase, failed: Sequence[str]) -> Gold:
    """The answer to a case when these skills fail."""
    if isinstance(case.gold, str):
        label = case.gold
        wraps: list[str] = []
        for name in failed:
            wrong = str(case.wrongs[name]["label"])
            if "{}" in wrong:
                wraps.append(wrong)
            elif label == case.gold:
                label = wrong
        return wraps[0].format(label) if wraps else label
    answer = dict(case.gold)
    for name in failed:
        answer.update(case.wrongs[name])
    return answer


def _field_text(name: str, value: Mapping[str, Value], text: str) -> str:
    if name in value:
        return value[name] if isinstance(value[name], str) else json.dumps(value[name])
    if name in {"reasoning", "rationale"}:
        return "The entry was read line by line."
    return text


def _without(text: str, cuts: Sequence[tuple[int, int]]) -> str:
    kept: list[str] = []
    last = 0
    for start, end in sorted(cuts):
        if start >= last:
            kept.append(text[last:start])
        last = max(last, end)
    kept.append(text[last:])
    return "\n".join(kept)
