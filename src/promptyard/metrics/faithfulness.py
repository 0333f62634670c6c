"""The checks `faithfulness` and `context_recall`: a judge holds each claim against a source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, cast

from promptyard.errors import CheckSkipped, JudgeError
from promptyard.metrics.check import shared_weight
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import ABSENT, shorten
from promptyard.metrics.judge_data import input_value, is_empty, shown_answer, with_quote
from promptyard.metrics.judge_request import UNSURE, instructions, strict_object
from promptyard.metrics.judging import JUDGE_OPTIONS, JudgeCheck, Judgement
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

SUPPORTED, UNSUPPORTED = "supported", "unsupported"
MAX_FINDINGS = 50

CLAIMS: Final = strict_object(
    {
        "claims": {
            "type": "array",
            "items": strict_object(
                {
                    "claim": {"type": "string"},
                    "reasons": {"type": "string"},
                    "evidence_quote": {"type": "string"},
                    "verdict": {"type": "string", "enum": [SUPPORTED, UNSUPPORTED, UNSURE]},
                }
            ),
        }
    }
)

TASK = """Take {text} apart into its claims: every single statement of fact that is true or false \
by itself, with names in place of pronouns. Questions, greetings, opinions and remarks about the \
text itself are no claims. Then hold each claim against the source. It is supported if the source \
states it or it follows from what the source states without any other knowledge, and unsupported \
if the source contradicts it or does not say so. What you know yourself does not count."""

REPLY = """Reply with one JSON object and nothing else: {"claims": [...]}, one entry for each \
claim in the order of the text, an empty list where there is none. Its keys, in this order:
- "claim": the claim as a sentence;
- "reasons": in one sentence, what decides;
- "evidence_quote": the words of the source that decide, copied exactly; "" where there are none;
- "verdict": "supported" or "unsupported", or "unsure" where the source lets nobody decide."""


class ClaimsCheck(JudgeCheck):
    """A judge check whose score is the share of a text's claims that a source supports."""

    option_names = ("source", *JUDGE_OPTIONS)
    schema: ClassVar[Mapping[str, Json]] = CLAIMS
    part: ClassVar[str]
    """What the text is called among the data."""

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.source = self.options.text("source")

    @abstractmethod
    def text(self, case: Case, completion: Completion) -> Json:
        """Return the text whose claims are judged. Raises MetricError where there is none."""

    def source_of(self, case: Case) -> Json:
        """Return the source. Raises MetricError where the case has none."""
        source = input_value(case, self.source)
        if source is ABSENT or source is None or source == "":
            raise self.ungradable(case, f"its input has no '{self.source}', which holds the source")
        return source

    def write_instructions(self) -> str:
        """Say what a claim is, and when it is supported."""
        task = TASK.format(text=f"the `{self.part}`")
        return instructions(task, ("source", self.part), REPLY)

    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask for all claims with a verdict on each."""
        source = self.source_of(case)
        text = self.text(case, completion)
        reply = await self.ask(case, {"source": source, self.part: text}, replicate)
        claims = cast("Sequence[Mapping[str, Any]]", reply.values["claims"])
        if not claims:
            raise CheckSkipped(f"the {self.part} makes no claim", kind="no_claims")
        decided = [claim for claim in claims if claim["verdict"] != UNSURE]
        if not decided:
            why = f"of all {len(claims)} claims"
            raise JudgeError(f"check '{self.name}': the judge is unsure {why}", kind="judge_unsure")
        unsupported = [claim for claim in decided if claim["verdict"] == UNSUPPORTED]
        n_supported = len(decided) - len(unsupported)
        verdict = f"{n_supported}/{len(decided)}"
        said = f"{verdict} claims are supported"
        if len(decided) < len(claims):
            said += f", {len(claims) - len(decided)} undecided"
        if not unsupported:
            return Judgement(verdict, reply.model, self.passed_for(said))
        value = n_supported / len(decided)
        findings = [
            self._finding(completion, claim, value, source, text)
            for claim in unsupported[:MAX_FINDINGS]
        ]
        return Judgement(verdict, reply.model, shared_weight(findings))

    def _finding(
        self,
        completion: Completion,
        claim: Mapping[str, Any],
        value: float,
        source: Json,
        text: Json,
    ) -> Score:
        said = str(claim["claim"])
        why = with_quote(claim, (source,), where="the source")
        found = self.failed(completion, f"not supported: {shorten(said, 90)}: {why}")
        start = text.find(said) if isinstance(text, str) and said else -1
        span = (start, start + len(said)) if start >= 0 else None
        return found.model_copy(update={"value": value, "span": span})


class Faithfulness(ClaimsCheck):
    """Ask the judge which claims of the answer its source supports; the score is their share.

    The judge takes the answer apart into claims and gives a verdict on each, in one call. Claims
    of which it is unsure count neither way. An answer without any claim is skipped, never passed;
    an empty one fails without a call.

    Options:
        source: the input variable that holds the source (`ticket`, also `input.ticket`).
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    One finding for each unsupported claim, at most 50, all valued at the share: `unsupported_fact`,
    with the span of the claim where the answer says it in these words. Soft, judge.
    """

    name = "faithfulness"
    tag = "unsupported_fact"
    part = "answer"

    def settled(self, case: Case, completion: Completion) -> Sequence[Score] | None:
        """Refuse a case without source; fail an empty answer."""
        self.source_of(case)
        if is_empty(completion):
            return (self.failed(completion, "the output is empty, so nothing in it is supported"),)
        return None

    def text(self, case: Case, completion: Completion) -> Json:
        """Return the answer."""
        del case
        return shown_answer(completion)


class ContextRecall(ClaimsCheck):
    """Ask the judge which claims of the expected answer the source supports; scored by their share.

    It grades what was retrieved, and never looks at the answer: where it fails no prompt can help.

    Options:
        source: the input variable that holds what was retrieved (`context`).
        temperature, `repeat_share`, `max_chars`: as in `llm_rubric`.

    One finding for each claim that is missing, at most 50: `missing_context`. A case that expects
    nothing is unscored. Soft, judge.
    """

    name = "context_recall"
    tag = "missing_context"
    part = "expected"

    def text(self, case: Case, completion: Completion) -> Json:
        """Return the expected answer."""
        del completion
        if case.expected is None or case.expected == "":
            raise self.ungradable(case, "'expected' must be the answer whose claims are looked for")
        return case.expected
