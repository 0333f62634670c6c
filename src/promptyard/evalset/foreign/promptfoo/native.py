"""What our export adds to a promptfoo file so that reading it back gives the same cases.

An assertion has our check under `config.promptyard`, with a digest of what was written: once a
person changes the assertion, the change counts and not the check. A test has the keys of its case,
and the checks that promptfoo cannot run, under `metadata.promptyard`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.records.base import Json, as_list, as_object, content_hash

OURS = "promptyard"
SHARED = "promptyard_task"
"""The key of `defaultTest.metadata`: metadata of defaults is merged into that of every test."""

KEPT = "promptyard:kept"
"""Type of the stand-in for a check of ours that promptfoo cannot run."""

CASE_KEYS = (
    "id", "expected", "kind", "tags", "cluster", "split", "weight", "critical", "rubric", "source",
)  # fmt: skip
SHOWN_KEYS = ("tags", "kind", "split")
"""Keys of a case that stand in the metadata too, where promptfoo can filter by them."""


def with_check(assertion: Mapping[str, Json], check: Mapping[str, Json]) -> dict[str, Json]:
    """Add our check to an assertion."""
    plain = {key: value for key, value in assertion.items() if key != "config"}
    mark = {"check": dict(check), "of": _digest(plain)}
    return {**plain, "config": {**(as_object(assertion.get("config")) or {}), OURS: mark}}


def check_in(assertion: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return our check of an assertion that nobody has changed since, or None."""
    mark = as_object((as_object(assertion.get("config")) or {}).get(OURS))
    check = as_object((mark or {}).get("check"))
    if mark is None or check is None:
        return None
    if assertion.get("type") == KEPT:
        return dict(check)
    plain = {key: value for key, value in assertion.items() if key != "config"}
    return dict(check) if mark.get("of") == _digest(plain) else None


def with_kept(asserts: Sequence[Json], metadata: Mapping[str, Json], key: str) -> list[Json]:
    """Put stand-ins for the checks that were kept in the metadata where they belong."""
    found = list(asserts)
    kept = (as_object(metadata.get(key)) or {}).get("checks")
    for entry in as_list(kept) or ():
        pair = as_list(entry) or []
        if len(pair) == 2 and isinstance(pair[0], int) and as_object(pair[1]) is not None:
            stand_in: Json = {"type": KEPT, "config": {OURS: {"check": pair[1]}}}
            found.insert(min(max(pair[0], 0), len(found)), stand_in)
    return found


def case_keys(metadata: Mapping[str, Json]) -> dict[str, Json] | None:
    """Return the keys of our case that a test has in its metadata, or None."""
    found = as_object(metadata.get(OURS))
    if found is None:
        return None
    return {key: found[key] for key in CASE_KEYS if found.get(key) is not None}


def _digest(assertion: Mapping[str, Json]) -> str:
    return content_hash(dict(assertion))[:12]
