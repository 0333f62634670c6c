"""The check `factuality`: a judge compares the facts of an answer with those expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from promptyard.metrics.context import MetricContext
from promptyard.metrics.judge_data import is_empty, shown_answer, shown_input, with_quote
from promptyard.metrics.judge_request import UNSURE, instructions, reply_keys, reply_schema
from promptyard.metrics.judging import JUDGE_OPTIONS, JudgeCheck, Judgement
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

SCORES: Final = {"A": 0.4, "B": 0.6, "C": 1.0, "D": 0.0, "E": 1.0}
TAGS: Final = {"A": "missing_fact", "B": "unsupported_fact", "C": "", "D": "wrong_fact", "E": ""}

RELATIONS = """Compare the facts of the answer with those of the expected answer. Wording, order, \
length and style do not count. Choose the one relation that holds:
- "A": the answer leaves out facts that are expected; what it does state agrees with them;
- "B": the answer states all the expected facts and others besides; none disagrees;
- "C": the answer states the same facts;
- "D": the answer disagrees with at least one expected fact;
- "E": the two differ only in what is no matter of fact.
Where several seem to hold, "D" goes before all others and "A" before "B". An expected answer \
{"any_of": [...]} lists alternatives: compare with the one that the answer is nearest to."""


class Factuality(JudgeCheck):
    """Ask the judge how the facts of the answer relate to those of the expected answer.

    It replies `A` (some expected facts are missing), `B` (all of them and more), `C` (the same),
    `D` (a disagreement), `E` (they differ in nothing factual) or `unsure`; the five relations are
    those of the `fact` template of OpenAI evals. An empty answer is `A` and scores 0, uncalled.

    Options:
        scores: what each relation scores, from 0 to 1; those that are left out keep the default
            {A: 0.4, B: 0.6, C: 1, D: 0, E: 1}. Neither an incomplete answer nor one that claims
            more than can be checked passes. Tools differ: promptfoo passes both (A: 1, B: 1).
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    Fails with `missing_fact` (A), `unsupported_fact` (B) or `wrong_fact` (D); the relation is
    given as the verdict of the judge. A case that expects nothing is unscored. Soft, judge.
    """

    name = "factuality"
    tag = "wrong_fact"
    option_names = ("scores", *JUDGE_OPTIONS)
    schema: ClassVar = reply_schema(*SCORES, UNSURE)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.scores = self._scores()

    def settled(self, case: Case, completion: Completion) -> Sequence[Score] | None:
        """Refuse a case without expectation; fail an empty answer."""
        if case.expected is None or case.expected == "":
            raise self.ungradable(case, "'expected' must say what the facts are")
        if is_empty(completion):
            reason = "the output is empty, so every expected fact is missing"
            return (self.failed(completion, reason, tags=(self.tag_override or TAGS["A"],)),)
        return None

    def write_instructions(self) -> str:
        """Say what the five relations are."""
        reply = reply_keys('"A", "B", "C", "D" or "E"')
        return instructions(RELATIONS, ("input", "expected", "answer"), reply)

    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask for the relation."""
        data = {
            "input": shown_input(case),
            "expected": case.expected,
            "answer": shown_answer(completion),
        }
        reply = await self.ask(case, data, replicate)
        relation = str(reply.values["verdict"])
        if relation == UNSURE:
            raise self.unsure(reply)
        reason = f"{relation}: {with_quote(reply.values, (data['answer'], case.expected))}"
        tag = self.tag_override or TAGS[relation] or self.tag
        scores = self.graded(completion, self.scores[relation], reason, tags=(tag,))
        return Judgement(relation, reply.model, scores)

    def _scores(self) -> dict[str, float]:
        if not self.options.has("scores"):
            return dict(SCORES)
        given = self.options.mapping("scores")
        for relation, value in given.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if relation not in SCORES or not number or not 0 <= value <= 1:
                raise self.options.wrong("scores", "must map A to E to numbers from 0 to 1", given)
        return {**SCORES, **{relation: float(value) for relation, value in given.items()}}
