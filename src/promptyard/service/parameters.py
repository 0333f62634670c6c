"""What routes are given in paths and bodies: bounded, described once."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Path, Query
from pydantic import Field

MAX_NAME = 200
MAX_REASON = 1_000
LARGEST = 999_999_999
"""The largest number of a version."""
NAME_PATTERN = r"^[^\x00-\x1f\x7f]+$"
REFERENCE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
MAX_REFERENCE = 64

_PROMPT = "The prompt's name; a slash in it is written `%2F`."
_VERSION = "A version: its number (`3` or `v3`), a pointer (`production`) or `latest`."
_POINTER = "The pointer's name."
_ROLLOUT = (
    "A rollout's id, or the name of its prompt: then the one that has not ended, else the newest."
)

PromptName: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description=_PROMPT,
        examples=["support-tickets"],
    ),
]
VersionReference: TypeAlias = Annotated[
    str,
    Path(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description=_VERSION,
        examples=["latest"],
    ),
]
PointerName: TypeAlias = Annotated[
    str,
    Path(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description=_POINTER,
        examples=["production"],
    ),
]
RolloutReference: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description=_ROLLOUT,
        examples=["v2-4f1c09ab"],
    ),
]
PointerFilter: TypeAlias = Annotated[
    str | None,
    Query(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description="Only what is behind this pointer.",
        examples=["production"],
    ),
]
PromptFilter: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="Only those of this prompt.",
        examples=["support-tickets"],
    ),
]
VersionText: TypeAlias = Annotated[
    str,
    Field(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description=_VERSION,
        examples=["latest"],
    ),
]
PointerText: TypeAlias = Annotated[
    str,
    Field(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description=_POINTER,
        examples=["production"],
    ),
]
Reason: TypeAlias = Annotated[
    str,
    Field(
        max_length=MAX_REASON,
        description="Why; goes into the log.",
        examples=["better on refunds"],
    ),
]
