"""Versions: register, read, compare; where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from promptyard.line import prompt_log
from promptyard.line.prompt_log import VersionSummary
from promptyard.line.query import blame_version
from promptyard.line.registering import WrittenPrompt, register_program
from promptyard.records.base import Json, Record
from promptyard.records.blame import Blame
from promptyard.records.prompts import Program
from promptyard.records.versions import PromptVersion
from promptyard.registry.differences import Part
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, store_of
from promptyard.service.pages import (
    IMMUTABLE,
    REVALIDATED,
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    number_of,
    page_of,
    slice_of,
    tagged,
)
from promptyard.service.parameters import (
    MAX_REFERENCE,
    REFERENCE_PATTERN,
    PromptName,
    VersionReference,
    VersionText,
)
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

MAX_TEXT = 1_000_000
"""Characters of a prompt file; the largest that models take have a few hundred thousand."""

router = APIRouter(
    prefix=API, tags=["versions"], route_class=ServiceRoute, default_response_class=JsonAnswer
)


class NewVersion(Record):
    """What is to be registered: the text of a prompt file, or a whole program."""

    text: str | None = Field(
        default=None,
        max_length=MAX_TEXT,
        description="A prompt file's text, byte by byte. Either this or `program`.",
        examples=["user:\nSummarise {{ticket}}\n"],
    )
    files: Mapping[str, Json] | None = Field(
        default=None,
        max_length=100,
        description="What the text refers to by name: JSON Schemas.",
    )
    step: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The step of the parent that `text` replaces; left out, it is a program of "
        "one step.",
    )
    program: Program | None = Field(default=None, description="Steps and workflow, as served.")
    parent: VersionText | None = Field(
        default=None, description="The version that it was made from; left out, the newest."
    )
    message: str = Field(
        default="", max_length=2_000, description="What was changed, and why.", examples=["shorter"]
    )

    @model_validator(mode="after")
    def _is_one(self) -> NewVersion:
        if (self.text is None) == (self.program is None):
            raise ValueError("give either `text` or `program`")
        if self.program is not None and (self.step is not None or self.files is not None):
            raise ValueError("`step` and `files` belong to `text`; a program has its own")
        return self

    @property
    def written(self) -> WrittenPrompt | Program:
        """What it holds, as the line takes it."""
        if self.program is not None:
            return self.program
        return WrittenPrompt(self.text or "", self.files or {}, self.step)


class ChangedPart(Record):
    """One thing that is other in the newer version. `old` or `new` is null where it is not there.

    `part` says what changed and `name` which one of its kind, in `step`; `sentence` says it on one
    line.
    """

    step: str
    part: Part
    name: str
    old: str | None
    new: str | None
    sentence: str


class VersionChanges(Record):
    """What changed between two versions, `old` and `new`: their numbers.

    `diff` is a unified diff of the texts, empty where they are equal; `changes` are settings.
    """

    name: str
    old: int
    new: int
    diff: str
    changes: tuple[ChangedPart, ...]


Compared = Annotated[
    str,
    Query(
        max_length=MAX_REFERENCE,
        pattern=REFERENCE_PATTERN,
        description="A version: its number, a pointer, or `latest`.",
        examples=["1"],
    ),
]


@router.get("/prompts/{name}/versions", **needs("read"))
async def list_versions(
    request: Request, name: PromptName, cursor: Cursor = None, limit: Limit = 100
) -> Page[VersionSummary]:
    """List the versions of a prompt without their programs, newest first."""
    found = await prompt_log.list_versions(
        store_of(request), name, before=number_of(cursor), limit=limit + 1
    )
    return page_of(found, limit, lambda item: item.number)


@router.post(
    "/prompts/{name}/versions",
    status_code=201,
    responses={200: {"model": PromptVersion, "description": "These bytes were registered before."}},
    **needs("write"),
)
async def register_version(
    request: Request, response: Response, name: PromptName, body: NewVersion
) -> PromptVersion:
    """Register a prompt as a version; the name may be new. Nothing points at it yet.

    The same bytes again are the version that they are already.
    """
    made = await register_program(
        store_of(request),
        name,
        body.written,
        author=actor_of(request, message=body.message),
        message=body.message,
        parent=body.parent,
    )
    place = f"{API}/prompts/{quote(name, safe='')}/versions/{made.version.number}"
    response.headers["Location"] = place
    if not made.is_new:
        response.status_code = 200
    return made.version


@router.get(
    "/prompts/{name}/versions/{reference}",
    response_model=PromptVersion,
    responses=TAGGED,
    **needs("read"),
)
async def show_version(request: Request, name: PromptName, reference: VersionReference) -> Response:
    """Show a version with its program; its bytes are proven.

    By its number it never changes and may be kept for good; by a pointer or `latest` a cache asks.
    """
    version = await prompt_log.show_version(store_of(request), name, reference)
    return tagged(request, version, cache=_cache(reference, version.number))


@router.get("/prompts/{name}/versions/{reference}/lineage", **needs("read"))
async def list_lineage(
    request: Request,
    name: PromptName,
    reference: VersionReference,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[VersionSummary]:
    """List a version, what it was made from, and so on to the first."""
    line = await prompt_log.version_lineage(store_of(request), name, reference)
    return slice_of([VersionSummary.of(version) for version in line], cursor, limit)


@router.get(
    "/prompts/{name}/versions/{reference}/blame",
    response_model=Blame,
    responses=TAGGED,
    **needs("read"),
)
async def show_blame(request: Request, name: PromptName, reference: VersionReference) -> Response:
    """Say of each line of a version who put it there, why, and with what effect."""
    return tagged(request, await blame_version(store_of(request), name, reference))


@router.get(
    "/prompts/{name}/diff", response_model=VersionChanges, responses=TAGGED, **needs("read")
)
async def diff_versions(
    request: Request, name: PromptName, old: Compared, new: Compared = "latest"
) -> Response:
    """Compare two versions: texts, contract, parameters, tools, files."""
    found = await prompt_log.diff_versions(store_of(request), name, old, new)
    changes = VersionChanges(
        name=name,
        old=found.old.number,
        new=found.new.number,
        diff=found.text,
        changes=tuple(
            ChangedPart(**change.model_dump(), sentence=change.sentence) for change in found.changes
        ),
    )
    return tagged(request, changes)


def _cache(reference: str, number: int) -> str:
    return IMMUTABLE if reference.removeprefix("v") == str(number) else REVALIDATED
