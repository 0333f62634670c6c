"""What people say of answers and cases: lasting labels, and the answers of a labelling session."""

from __future__ import annotations

from typing import Literal, TypeAlias

from promptyard.records.base import Json, Record, content_hash

Verdict: TypeAlias = Literal["pass", "fail"]


class Label(Record):
    """A person's verdict on one output: one line of a labels file.

    `metric` is the check that the verdict is on, None for the case as a whole. `output_hash` is
    `output_hash(output)`, None where it was not noted which output was seen; `at` is ISO 8601 in
    UTC.
    """

    case_id: str
    label: Verdict
    metric: str | None = None
    output: str | None = None
    output_hash: str | None = None
    labeller: str = ""
    at: str = ""

    @property
    def key(self) -> tuple[str, str | None, str | None, str]:
        """What a later label with the same key replaces."""
        return (self.case_id, self.metric, self.output_hash, self.labeller)


class Answer(Record):
    """One answer of a labelling session: one line of its journal.

    `verdict` fills `label` and what it is on, `gold` fills `expected`, `tags` what is to be `added`
    and `removed`, `skip` nothing. `written` ends what was put into the files. `input_hash`
    identifies the input that the person saw.
    """

    kind: Literal["verdict", "gold", "tags", "skip", "written"]
    labeller: str
    at: str
    case_id: str = ""
    input_hash: str = ""
    metric: str | None = None
    label: Verdict | None = None
    output: str | None = None
    expected: Json = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def output_hash(output: str) -> str:
    """Return what identifies an output in labels: SHA-256 (hex) of its canonical JSON text."""
    return content_hash(output)
