"""What an export is made of and what it gives."""

from __future__ import annotations

from promptyard.records.base import Record
from promptyard.records.cases import Case, CheckSpec


class ExportSource(Record):
    """An eval set with what grades all of its cases and the texts of its prompts."""

    name: str
    cases: tuple[Case, ...]
    checks: tuple[CheckSpec, ...] = ()
    prompts: tuple[str, ...] = ()


class Exported(Record):
    """The text of a file, and sentences for a person about what is not in it."""

    text: str
    notes: tuple[str, ...] = ()
