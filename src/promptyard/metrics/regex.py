"""The check `regex`: a pattern is found in the answer, within a time that holds."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptyard.errors import ConfigError
from promptyard.metrics.check import Check
from promptyard.metrics.context import MetricContext
from promptyard.metrics.json_text import as_array, shorten
from promptyard.metrics.options import Options, nearest
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

FLAGS: dict[str, re.RegexFlag] = {
    "a": re.ASCII,
    "i": re.IGNORECASE,
    "m": re.MULTILINE,
    "s": re.DOTALL,
    "x": re.VERBOSE,
    "ascii": re.ASCII,
    "ignorecase": re.IGNORECASE,
    "multiline": re.MULTILINE,
    "dotall": re.DOTALL,
    "verbose": re.VERBOSE,
}
DEFAULT_TIMEOUT_S = 1.0
MAX_TIMEOUT_S = 60.0


class Regex(Check):
    """Search the raw answer for a Python regular expression (`re.search`).

    The search runs in a child process that ends itself when the time is over, so that no pattern,
    however catastrophic on some answer, can hold up the run. Such a case is unscored.

    Options:
        pattern (or `value`): the expression; it must compile.
        flags: letters among `aimsx` ("im"), or a list of letters or of names (`[ignorecase]`).
        timeout_s: seconds for one search, default 1, at most 60.

    Fails with `pattern_mismatch`. Soft, accuracy. Costs under a millisecond a case.
    """

    name = "regex"
    tag = "pattern_mismatch"
    option_names = ("pattern", "value", "flags", "timeout_s")

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        self.flags = _flags(spec, self.options)
        self.timeout_s = self.options.seconds(
            "timeout_s", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S
        )
        option = self.options.either("pattern", "value")
        self.pattern = self.options.text(option)
        try:
            re.compile(self.pattern, self.flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise self.options.wrong(option, f"does not compile: {error}", self.pattern) from None

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        """Search in the child process."""
        from promptyard.metrics.regex_process import search_within

        try:
            found = await search_within(
                self.pattern, self.flags, completion.text, timeout_s=self.timeout_s
            )
        except TimeoutError:
            why = f"{shorten(self.pattern)} took more than {self.timeout_s:g} s; make it simpler"
            raise self.ungradable(case, why) from None
        except OSError as error:
            raise self.ungradable(case, str(error)) from error
        if found:
            return self.passed()
        reason = (
            f"the output does not match {shorten(self.pattern)}; got {shorten(completion.text)}"
        )
        return (self.failed(completion, reason),)


def _flags(spec: CheckSpec, options: Options) -> int:
    value: Json = options.value("flags") if options.has("flags") else ""
    words = list(value) if isinstance(value, str) else as_array(value)
    if words is None or not all(isinstance(word, str) for word in words):
        raise options.wrong("flags", 'must be letters like "im" or a list of names', value)
    flags = 0
    for word in words:
        flag = FLAGS.get(word.lower())
        if flag is None:
            raise ConfigError(
                f"check '{spec.type}': option 'flags' has no '{word}'" + nearest(word, FLAGS, FLAGS)
            )
        flags |= flag
    return int(flags)
