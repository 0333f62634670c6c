"""What the judge checks share: asking, reading, asking some twice, stamping what was said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

from promptyard.errors import CheckSkipped, JudgeError, MetricError
from promptyard.metrics.check import Check, one_line
from promptyard.metrics.context import MetricContext
from promptyard.metrics.judge_data import REASON_CHARS, shown_answer, with_quote
from promptyard.metrics.judge_request import (
    NOTE,
    UNSURE,
    InvalidReply,
    judge_request,
    read_reply,
    reply_schema,
)
from promptyard.records.base import Json, content_hash
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import CLEAN_FINISHES, Completion, Request
from promptyard.records.scores import JudgeStamp, Score
from promptyard.stats.assignment import unit_hash

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

JUDGE_OPTIONS: Final = ("temperature", "repeat_share", "max_chars")
"""Options that every judge check has beside its own."""

REPEAT_SHARE = 0.05
MAX_CHARS = 200_000
NOT_IN_HASH = ("repeat_share", "max_chars")
"""Options that change how often a judge is asked, and not what it says."""


@dataclass(frozen=True)
class Reply:
    """A reply that keeps the schema, and the model that gave it."""

    values: Mapping[str, Json]
    model: str


@dataclass(frozen=True)
class Judgement:
    """What one round of asking came to: the word for the stamp, and the scores without it."""

    verdict: str
    model: str
    scores: tuple[Score, ...]


class JudgeCheck(Check):
    """A check that asks the judge model; a subclass says what, and what the replies come to.

    A reply that is cut, filtered or does not keep the schema twice is an error of the judge, and so
    is `unsure`; the case is then unscored. Some cases, chosen by a hash, are asked twice.
    """

    dimension = "judge"
    after = "hard"
    asks_judge = True
    schema: ClassVar[Mapping[str, Json]] = reply_schema("pass", "fail", UNSURE)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self._spec = spec
        self._params = self._model_params()
        self._repeat_share = self._number("repeat_share", REPEAT_SHARE, most=1.0)
        self._max_chars = self._number("max_chars", MAX_CHARS, most=1e9)

    @abstractmethod
    def write_instructions(self) -> str:
        """Write the system message: all that the judge is told, without anything of a case."""

    @abstractmethod
    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask, and say what the reply comes to. Raises MetricError where it cannot be said."""

    def settled(self, case: Case, completion: Completion) -> Sequence[Score] | None:
        """Return the scores of an answer that needs no judge; None asks it."""
        del case, completion
        return None

    @cached_property
    def instructions(self) -> str:
        """The system message."""
        return self.write_instructions()

    @cached_property
    def prompt_hash(self) -> str:
        """What identifies the instrument (16 hex digits): instructions, schema, options, model."""
        options = {
            name: value for name, value in self._spec.options.items() if name not in NOT_IN_HASH
        }
        identity = {
            "check": type(self).name,
            "instructions": self.instructions,
            "schema": dict(self.schema),
            "options": options,
            "params": dict(self._params),
            "model": self.context.judge.name if self.context.judge is not None else None,
        }
        return instrument_hash(identity)

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Ask the judge, some cases twice, and stamp what it said."""
        settled = self.settled(case, completion)
        if settled is not None:
            return settled
        first = await self.judgement(case, completion, 0)
        stamp = JudgeStamp(
            model=first.model,
            prompt_hash=self.prompt_hash,
            verdict=first.verdict,
            repeated=await self._repeated(case, completion),
        )
        return tuple(score.model_copy(update={"judge": stamp}) for score in first.scores)

    async def ask(self, case: Case, data: Mapping[str, Json], replicate: int) -> Reply:
        """Ask once, and once more where the reply does not keep the schema.

        Raises CheckSkipped for data that are too long, JudgeError for a call that failed and for
        a reply that is cut, filtered or twice not what was asked for.
        """
        judge = self.context.judge
        if judge is None:
            raise MetricError(
                f"check '{self.name}' asks a judge, and no judge model is set; name one under "
                "models.judge"
            )
        why = ""
        for note in ("", NOTE):
            request = self._request(case, data, note)
            completion = await self._whole_reply(request, replicate)
            try:
                values = read_reply(completion.text, self._validator)
            except InvalidReply as error:
                why = str(error)
                continue
            return Reply(values, _served(judge.name, completion.model))
        raise JudgeError(f"check '{self.name}': the judge's reply is no verdict, twice: {why}")

    def unsure(self, reply: Reply) -> JudgeError:
        """Build the error for a judge that does not decide."""
        said = one_line(str(reply.values["reasons"]), REASON_CHARS)
        return JudgeError(f"check '{self.name}': the judge is unsure: {said}", kind="judge_unsure")

    def passed_for(self, reason: str) -> tuple[Score, ...]:
        """The one score of an answer that the judge passes, with why."""
        return tuple(
            score.model_copy(update={"reason": one_line(reason)}) for score in self.passed()
        )

    def graded(
        self, completion: Completion, value: float, reason: str, *, tags: Sequence[str] = ()
    ) -> tuple[Score, ...]:
        """The one score of an answer that the judge values at `value`; below 1 it has tags."""
        if value >= 1.0:
            return self.passed_for(reason)
        score = self.failed(completion, reason, tags=tags)
        return (score.model_copy(update={"value": value}),)

    async def _repeated(self, case: Case, completion: Completion) -> str | None:
        if unit_hash(self.prompt_hash, case.id, "judged twice") >= self._repeat_share:
            return None
        try:
            return (await self.judgement(case, completion, 1)).verdict
        except JudgeError as error:
            # To be unsure now is to say something else; a call that failed says nothing.
            return UNSURE if error.kind == "judge_unsure" else None

    def _request(self, case: Case, data: Mapping[str, Json], note: str) -> Request:
        try:
            request = judge_request(self.instructions, data, self.schema, self._params, note=note)
        except ValueError as error:
            raise self.ungradable(case, f"its data are no JSON: {error}") from None
        n_chars = sum(len(message.text) for message in request.messages)
        if n_chars > self._max_chars:
            why = f"{n_chars:,} characters are more than max_chars {self._max_chars:,.0f}"
            raise CheckSkipped(f"too large to be judged: {why}", kind="too_large")
        return request

    async def _whole_reply(self, request: Request, replicate: int) -> Completion:
        judge = self.context.judge
        assert judge is not None
        try:
            completion = await judge.ask(request, replicate=replicate)
        except JudgeError as error:
            if error.kind == "invalid_request" and "temperature" in str(error).lower():
                message = f"{error}; a model that takes no temperature needs `temperature: null`"
                raise JudgeError(message, kind=error.kind) from error
            raise
        finish = completion.finish_reason
        if finish not in CLEAN_FINISHES:
            kind = {"length": "judge_truncated", "content_filter": "judge_filtered"}.get(finish)
            raise JudgeError(
                f"check '{self.name}': the judge's reply ended with '{finish}': no verdict",
                kind=kind,
            )
        return completion

    @cached_property
    def _validator(self) -> Draft202012Validator:
        from jsonschema_rs import Draft202012Validator

        return Draft202012Validator(dict(self.schema), offline=True, mask="a value")

    def _model_params(self) -> dict[str, Json]:
        if self.options.has("temperature") and self.options.value("temperature") is None:
            return {}
        return {"temperature": self._number("temperature", 0.0, most=2.0)}

    def _number(self, name: str, default: float, *, most: float) -> float:
        value = self.options.value(name) if self.options.has(name) else default
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= most:
            raise self.options.wrong(name, f"must be a number from 0 to {most:g}", value)
        return value


class CriterionCheck(JudgeCheck):
    """A judge check with one verdict, pass or fail, by a criterion."""

    @abstractmethod
    def data(self, case: Case, completion: Completion) -> dict[str, Json]:
        """Return what the judge is shown of a case. Raises MetricError where it lacks something."""

    async def judgement(self, case: Case, completion: Completion, replicate: int) -> Judgement:
        """Ask whether the criterion is met."""
        reply = await self.ask(case, self.data(case, completion), replicate)
        verdict = str(reply.values["verdict"])
        if verdict == UNSURE:
            raise self.unsure(reply)
        reason = with_quote(reply.values, (shown_answer(completion),))
        value = 1.0 if verdict == "pass" else 0.0
        return Judgement(verdict, reply.model, self.graded(completion, value, reason))


def instrument_hash(*identity: Json) -> str:
    """Return the name of an instrument: 16 hex digits of the hash of all that it consists of."""
    return content_hash(list(identity))[:16]


def _served(asked: str, answered: str) -> str:
    """Name the model that judged: as asked for, with the snapshot where the server names one."""
    known = {"", asked, asked.partition("/")[2]}
    return asked if answered in known else f"{asked}@{answered}"
