"""The checks `starts_with` and `ends_with`: how the answer begins and ends."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.metrics.check import Check
from promptyard.metrics.comparison import Normalization, normalized
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import shorten
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

NORMALIZATIONS: tuple[Normalization, ...] = ("none", "strip", "casefold")


class StartsWith(Check):
    """Check that the answer begins with a text.

    Options:
        value: the text; default: the case's expected value, which must then be a text.
        normalize: `strip` (default: white space around answer and text does not count), `none`
            or `casefold` (neither does case). Unicode is composed (NFC) in every mode.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "starts_with"
    tag = "missing_text"
    option_names = ("value", "normalize")
    place = "start"

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.normalize: Normalization = self.options.choice("normalize", NORMALIZATIONS, "strip")
        self.text = self.options.text("value") if self.options.has("value") else None
        if self.text is not None and not normalized(self.text, self.normalize):
            raise self.options.wrong("value", "must hold more than white space", self.text)

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Compare the two ends."""
        text = case.expected if self.text is None else self.text
        wanted = normalized(text, self.normalize) if isinstance(text, str) else ""
        if not wanted:
            raise self.ungradable(case, "'expected' must be a text; or give option 'value'")
        if self.meets(normalized(completion.text, self.normalize), wanted):
            return self.passed()
        reason = (
            f"the output does not {self.place} with {shorten(text)}; got {self.end_of(completion)}"
        )
        return (self.failed(completion, reason),)

    def meets(self, output: str, wanted: str) -> bool:
        """Whether the output has the wanted text at this end."""
        return output.startswith(wanted)

    def end_of(self, completion: Completion) -> str:
        """Show this end of the answer."""
        return shorten(completion.text)


class EndsWith(StartsWith):
    """Check that the answer ends with a text.

    Options:
        value: the text; default: the case's expected value, which must then be a text.
        normalize: `strip` (default: white space around answer and text does not count), `none`
            or `casefold` (neither does case). Unicode is composed (NFC) in every mode.

    Fails with `missing_text`. Soft, accuracy.
    """

    name = "ends_with"
    place = "end"

    def meets(self, output: str, wanted: str) -> bool:
        """Whether the output has the wanted text at this end."""
        return output.endswith(wanted)

    def end_of(self, completion: Completion) -> str:
        """Show this end of the answer."""
        text = completion.text
        return shorten(text) if len(text) <= 80 else "…" + shorten(text[-80:])
