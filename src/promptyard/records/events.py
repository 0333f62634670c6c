"""The one stream of events of a run: it feeds progress, report, journal and callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from promptyard.records.base import Json, Record
from promptyard.records.budget import Spent
from promptyard.records.verdicts import Verdict


class Diagnosed(Record):
    """The baseline was run on train cases and its failures sorted into buckets."""

    kind: Literal["diagnosed"] = "diagnosed"
    score: float | None
    n_cases: int
    n_buckets: int
    note: str = ""


class Proposed(Record):
    """A generator proposed a candidate that the validators let pass."""

    kind: Literal["proposed"] = "proposed"
    candidate_id: str
    generator: str
    hypothesis: str = ""
    evidence: tuple[str, ...] = ()
    edits: tuple[Json, ...] = ()


class Rejected(Record):
    """A proposal that was not evaluated, and why: the code of a validator, or of the parser."""

    kind: Literal["rejected"] = "rejected"
    generator: str
    code: str
    reason: str
    hypothesis: str = ""
    raw: str = ""


class Composed(Record):
    """Atoms of several buckets were applied at once."""

    kind: Literal["composed"] = "composed"
    candidate_id: str
    buckets: tuple[str, ...]
    n_atoms: int


class Screened(Record):
    """A candidate was run on train cases: a failure slice, fresh cases, suspicious ones.

    `difference` is its mean lead on cases that both ran, None where it was not compared.
    """

    kind: Literal["screened"] = "screened"
    candidate_id: str
    purpose: str
    n_cases: int
    score: float | None
    difference: float | None = None


class Credited(Record):
    """Whether the atoms of a bucket moved it on its slice; those that did not are taken out."""

    kind: Literal["credited"] = "credited"
    bucket: str
    n_cases: int
    n_failing_before: int
    n_failing_after: int
    moved: bool


class Eliminated(Record):
    """A candidate is out of the search; or a sentence of it that was found to be a `trap`."""

    kind: Literal["eliminated"] = "eliminated"
    candidate_id: str
    reason: str
    trap: str = ""


class Accepted(Record):
    """A candidate became the incumbent; `served` where it also beat the baseline."""

    kind: Literal["accepted"] = "accepted"
    candidate_id: str
    reason: str
    served: bool = False
    n_cases: int = 0
    difference: float | None = None


class Staged(Record):
    """A stage of the funnel ended."""

    kind: Literal["stage"] = "stage"
    stage: str
    n_tried: int
    n_kept: int
    calls: int


class Noted(Record):
    """Something that a person should know: low headroom, under-powered, a plateau."""

    kind: Literal["noted"] = "noted"
    text: str


class Decided(Record):
    """The verdict."""

    kind: Literal["decided"] = "decided"
    verdict: Verdict


class Spending(Record):
    """What the run has spent up to now."""

    kind: Literal["spent"] = "spent"
    spent: Spent


Event: TypeAlias = Annotated[
    Diagnosed
    | Proposed
    | Rejected
    | Composed
    | Screened
    | Credited
    | Eliminated
    | Accepted
    | Staged
    | Noted
    | Decided
    | Spending,
    Field(discriminator="kind"),
]
"""Any event of a run; `kind` tells which. What happens in it is the docstring of its class."""


class LoggedEvent(Record):
    """An event with its place in the journal of its run and the time at which it was written."""

    seq: int
    at: str
    event: Event


def journaled(kind: str, payload: Mapping[str, Json]) -> Event | None:
    """Read an entry of a journal as the event that it is; None for what is none.

    The journal keeps more of a stage than its event tells. Entries of an older version that say
    something else under the same name are no events either.
    """
    fields = payload
    if kind == "stage":
        fields = {name: payload[name] for name in Staged.model_fields if name in payload}
    try:
        return _events().validate_python({**fields, "kind": kind})
    except ValidationError:
        return None


@cache
def _events() -> TypeAdapter[Event]:
    return TypeAdapter(Event)
