"""The checks `contains` and its variants: the answer holds one, all or any of some texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from promptyard.metrics.check import Check
from promptyard.metrics.comparison import caseless, composed
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import as_array, shorten
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

Wanted: TypeAlias = Literal["one", "all", "any"]


class Contains(Check):
    """Look for one text in the answer, as it is written (after NFC).

    Options:
        value: the text; default: the case's expected value, which must then be a text.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "contains"
    tag = "missing_text"
    option_names: tuple[str, ...] = ("value",)
    wanted: Wanted = "one"
    ignore_case: bool = False

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.texts = self._written_texts()

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Search for each text."""
        texts = self.texts or self._expected_texts(case)
        output = self._compared(completion.text)
        missing = [text for text in texts if self._compared(text) not in output]
        enough = len(missing) < len(texts) if self.wanted == "any" else not missing
        if enough:
            return self.passed()
        what = "has none of" if self.wanted == "any" else "lacks"
        listed = shorten(missing[0] if len(missing) == 1 else missing, 100)
        return (
            self.failed(completion, f"the output {what} {listed}; got {shorten(completion.text)}"),
        )

    def _written_texts(self) -> tuple[str, ...]:
        if self.wanted == "one":
            return (self.options.text("value"),) if self.options.has("value") else ()
        name = self.options.either("values", "value")
        return self.options.texts(name) if self.options.has(name) else ()

    def _expected_texts(self, case: Case) -> tuple[str, ...]:
        if self.wanted == "one":
            if isinstance(case.expected, str) and case.expected:
                return (case.expected,)
            raise self.ungradable(case, "'expected' must be a text; or give option 'value'")
        items = as_array(case.expected)
        if not items or not all(isinstance(item, str) and item for item in items):
            raise self.ungradable(case, "'expected' must be a list of texts; or give 'values'")
        return tuple(items)

    def _compared(self, text: str) -> str:
        return caseless(text) if self.ignore_case else composed(text)


class IContains(Contains):
    """Look for one text in the answer, whatever its case (Unicode case folding).

    Options:
        value: the text; default: the case's expected value, which must then be a text.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "icontains"
    ignore_case = True


class ContainsAll(Contains):
    """Look for every text of a list in the answer, as it is written (after NFC).

    Options:
        values (or `value`): the list of texts, never split at commas; default: the case's
            expected value, which must then be a list of texts.

    Fails with `missing_text`; the reason names the missing ones. Soft, accuracy.
    """

    name = "contains_all"
    option_names = ("values", "value")
    wanted = "all"


class ContainsAny(Contains):
    """Look for at least one text of a list in the answer, as it is written (after NFC).

    Options:
        values (or `value`): the list of texts, never split at commas; default: the case's
            expected value, which must then be a list of texts.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "contains_any"
    option_names = ("values", "value")
    wanted = "any"


class IContainsAll(ContainsAll):
    """Look for every text of a list in the answer, whatever its case (Unicode case folding).

    Options:
        values (or `value`): the list of texts, never split at commas; default: the case's
            expected value, which must then be a list of texts.

    Fails with `missing_text`; the reason names the missing ones. Soft, accuracy.
    """

    name = "icontains_all"
    ignore_case = True


class IContainsAny(ContainsAny):
    """Look for at least one text of a list, whatever its case (Unicode case folding).

    Options:
        values (or `value`): the list of texts, never split at commas; default: the case's
            expected value, which must then be a list of texts.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "icontains_any"
    ignore_case = True
