"""The check `date_format`: the answer, or one field of it, is a real date in a given form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from promptyard.metrics.context import MetricContext
from promptyard.metrics.field_rule import FIELD_OPTIONS, Breach, FieldRule
from promptyard.metrics.json_text import as_array, shorten
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec

DIRECTIVES = "YmdHMSfyjBbAaIpz%"
NAMED = {"date": "%Y-%m-%d", "time": "%H:%M:%S"}
LONGEST_DATE = 100

_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class DateFormat(FieldRule):
    """Check that the answer is a date of the calendar, written exactly in one form.

    Exactly means that writing the date again in the form gives the same text: `2024-5-1` is not
    `%Y-%m-%d`, 30 February is no date. White space at both ends does not count.

    Options:
        format: a form, or a list of forms of which one must fit: `date` (default, `%Y-%m-%d`),
            `date-time` (RFC 3339, with an offset), `time` (`%H:%M:%S`), or a pattern of the
            directives `%Y %m %d %H %M %S %f %y %j %B %b %A %a %I %p %z %%` (names in English). A
            pattern with a day of the month needs a year.
        field: a dotted path, to check one field of a JSON answer; default: the whole answer.
        allow_null: true lets the field be null; default false.
        allow_absent: true lets the field be absent; default false.
        allow_fence: as in `is_json`; only with `field`.

    Fails with `constraint_violation`, with `wrong_type` where the field is no text, with
    `missing_required_field` where it is absent, with `invalid_json` where a field is asked for
    and the answer is not JSON. Hard, validity.
    """

    name = "date_format"
    option_names = ("format", *FIELD_OPTIONS)

    def __init__(self, spec: CheckSpec, context: MetricContext) -> None:
        super().__init__(spec, context)
        given: Json = self.options.value("format") if self.options.has("format") else "date"
        forms = as_array(given) or (given,)
        self.forms: Sequence[str] = [self._checked(form) for form in forms]
        self.written = " or ".join(map(str, forms))

    def breach(self, case: Case, got: Json) -> Breach | None:
        """Read the date in each form."""
        if not isinstance(got, str):
            return Breach("wrong_type", f"must be a date as text, got {shorten(got)}")
        text = got.strip()
        if len(text) <= LONGEST_DATE and any(_fits(text, form) for form in self.forms):
            return None
        return Breach("constraint_violation", f"is no date as {self.written}, got {shorten(got)}")

    def _checked(self, form: Json) -> str:
        pattern = NAMED.get(form, form) if isinstance(form, str) else None
        if pattern == "date-time":
            return pattern
        if not pattern or "%" not in pattern:
            raise self.options.wrong("format", "must be date, date-time, time or %Y-%m-%d", form)
        used = re.findall(r"%(.?)", pattern, re.DOTALL)
        if unknown := [letter for letter in used if letter not in DIRECTIVES or not letter]:
            raise self.options.wrong("format", f"has no directive '%{unknown[0]}'", form)
        if "d" in used and not {"Y", "y"} & set(used):
            raise self.options.wrong("format", "has a day but no year: is 29 February one?", form)
        return pattern


def _fits(text: str, form: str) -> bool:
    """Whether a text is a date in a form, and the one way to write it."""
    try:
        if form == "date-time":
            return _DATE_TIME.fullmatch(text) is not None and bool(
                datetime.fromisoformat(text.upper())
            )
        read = datetime.strptime(text, form)  # noqa: DTZ007 - only its form is looked at
        again = read.strftime(form)
    except (ValueError, OverflowError):
        return False
    return again == text
