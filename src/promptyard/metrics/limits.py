"""The checks `max_tokens`, `latency` and `cost`: an answer keeps to what it may take."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.records.cases import Case, CheckSpec, Dimension
from promptyard.records.messages import Completion
from promptyard.records.scores import Score


class Limit(Check):
    """A check that a quantity of the call which gave the answer is at most a limit.

    Validity, for want of a dimension of its own: it says whether an answer can be used, not how
    right it is, and would blur accuracy. Soft: that an answer came late does not make it wrong.
    """

    dimension: Dimension = "validity"
    limit_option: str = ""
    unit: str = ""

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.limit = self.options.number(self.limit_option, least=0)
        if self.limit is None:
            raise self.options.wrong(self.limit_option, "is missing; add it")

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare; where nothing was measured the case cannot be graded."""
        got = self.measured(completion)
        if got is None or not math.isfinite(got):
            raise self.ungradable(case, self.unknown())
        assert self.limit is not None
        if got <= self.limit:
            return self.passed()
        reason = f"the answer took {got:.6g} {self.unit}, at most {self.limit:g} are allowed"
        return (self.failed(completion, reason),)

    @abstractmethod
    def measured(self, completion: Completion) -> float | None:
        """Return the quantity, None where it is not known."""

    @abstractmethod
    def unknown(self) -> str:
        """Say why the quantity is not known and what to do."""


class MaxTokens(Limit):
    """Check that the answer has at most so many output tokens, as the server counted them.

    Reasoning tokens count where the server counts them. A case whose server did not report the
    tokens of an answer with something in it is unscored.

    Options:
        most: the number of tokens.

    Fails with `too_long`. Soft, validity: the answer can be right and still not fit.
    """

    name = "max_tokens"
    tag = "too_long"
    option_names = ("most",)
    limit_option = "most"
    unit = "output tokens"

    def measured(self, completion: Completion) -> float | None:
        """Return the output tokens; none reported means none only for an empty answer."""
        n_tokens = completion.usage.output_tokens
        empty = not completion.text and not completion.tool_calls
        return n_tokens if n_tokens > 0 or empty else None

    def unknown(self) -> str:
        """Say what the server lacks."""
        return "the server reported no output tokens; use word_count or length instead"


class Latency(Limit):
    """Check that the call which gave the answer took at most so many seconds.

    Of an answer out of the store it is the time of the original call. Time spent waiting for
    limits and retries does not count, nor do other steps of the program. A case whose time was
    not measured is unscored. Times vary: grade them over many cases, not as a hard check of each.

    Options:
        max_s: the time in seconds.

    Fails with `too_slow`. Soft, validity: a late answer can be right and still be of no use.
    """

    name = "latency"
    tag = "too_slow"
    option_names = ("max_s",)
    limit_option = "max_s"
    unit = "s"

    def measured(self, completion: Completion) -> float | None:
        """Return the time; no call takes none."""
        return completion.latency_s if completion.latency_s > 0 else None

    def unknown(self) -> str:
        """Say what the model lacks."""
        return "the time of the call was not measured"


class Cost(Limit):
    """Check that the call which gave the answer cost at most so many US dollars.

    Of an answer out of the store it is the price of the original call; other steps of the program
    do not count. A model without a known price leaves the case unscored; it never passes.

    Options:
        max_usd: the price in US dollars.

    Fails with `too_costly`. Soft, validity: a dear answer can be right and still not be worth it.
    """

    name = "cost"
    tag = "too_costly"
    option_names = ("max_usd",)
    limit_option = "max_usd"
    unit = "USD"

    def measured(self, completion: Completion) -> float | None:
        """Return the price, None where none is known."""
        return completion.cost_usd

    def unknown(self) -> str:
        """Say where a price would come from."""
        return "the model has no known price; set it under 'prices' in promptyard.yaml"
