"""The option `extract`: takes the answer out of a longer text before it is compared."""

from __future__ import annotations

import re
from decimal import Decimal

from promptyard.metrics.check import Check
from promptyard.metrics.json_text import shorten
from promptyard.metrics.number_text import first_number, last_number, read_number
from promptyard.metrics.options import Options, nearest
from promptyard.records.cases import Case

EXTRACT_TIMEOUT_S = 1.0
WAYS: tuple[str, ...] = ("whole", "first", "last")
"""The ways to find a number in an answer that need no expression."""


def pattern_option(options: Options, name: str) -> str:
    """Read an option that is a regular expression. Raises ConfigError where it does not compile."""
    pattern = options.text(name)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise options.wrong(name, f"does not compile: {error}", pattern) from None
    return pattern


async def last_match(check: Check, case: Case, pattern: str, text: str) -> str | None:
    """Return the first group of the pattern's last match, or the whole match; None without one.

    Raises MetricError where the search takes more than `EXTRACT_TIMEOUT_S` in its child process.
    """
    from promptyard.metrics.regex_process import last_match_within

    try:
        return await last_match_within(pattern, text, timeout_s=EXTRACT_TIMEOUT_S)
    except TimeoutError:
        why = f"{shorten(pattern)} took more than {EXTRACT_TIMEOUT_S:g} s; make it simpler"
        raise check.ungradable(case, why) from None
    except OSError as error:
        raise check.ungradable(case, str(error)) from error


class NumberReader:
    """Reads the number in an answer in the way of the option `extract`."""

    def __init__(self, check: Check, options: Options) -> None:
        self._check = check
        self.way = options.text("extract") if options.has("extract") else "whole"
        if self.way in WAYS:
            return
        if self.way.isidentifier():  # a misspelt way would be a pattern that never matches
            raise options.wrong("extract", f"cannot be {self.way}{nearest(self.way, WAYS, WAYS)}")
        pattern_option(options, "extract")

    async def read(self, case: Case, text: str) -> tuple[Decimal | None, str]:
        """Return the number, or None and the tag that says why there is none.

        Raises MetricError where the user's pattern takes too long.
        """
        if self.way == "last":
            return last_number(text), "wrong_type"
        if self.way == "first":
            return first_number(text), "wrong_type"
        if self.way == "whole":
            return read_number(text), "wrong_type"
        found = await last_match(self._check, case, self.way, text)
        if found is None:
            return None, "pattern_mismatch"
        return read_number(found), "wrong_type"
