"""Prompts in and out as files: the archive of an export, and what other tools write."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from promptyard.line.exchange import Imported, ImportWishes
from promptyard.line.prompt_archive import export_archive, import_archive
from promptyard.service.access import needs
from promptyard.service.acts import actor_of, store_of
from promptyard.service.parameters import MAX_NAME, NAME_PATTERN, PromptFilter
from promptyard.service.paths import API
from promptyard.service.problems import RequestRefused, refusals
from promptyard.service.requests import ServiceRoute

router = APIRouter(prefix=API, tags=["prompts"], route_class=ServiceRoute)

TAR, FILE = "application/x-tar", "application/octet-stream"
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"`{TAR}`: the archive of an export, or of .prompty or .prompt files. "
        f"`{FILE}`: one file, whose name is `file`. `Content-Encoding: gzip` is understood.",
        "content": {TAR: _BINARY, FILE: _BINARY},
    }
}
_NEEDS = needs("write", **_BODY)
_ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {TAR: _BINARY}, "description": "The archive; equal stores give equal bytes."}
}

FileName: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        pattern=r"^[^/\x00-\x1f\x7f]+$",
        description="The name of the file, where it is one: its ending tells the format.",
        examples=["prompts.json"],
    ),
]
FormatName: TypeAlias = Annotated[
    Literal["promptyard", "langfuse", "mlflow", "prompty", "dotprompt"] | None,
    Query(description="Of which tool it is; left out, it is recognised."),
]
NewName: TypeAlias = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="What to call the prompt, where there is one of another tool.",
    ),
]


@router.get(
    "/prompt-export",
    response_class=StreamingResponse,
    responses={**refusals(404), **_ARCHIVE},
    **needs("read"),
)
async def export_prompts(request: Request, prompt: PromptFilter = None) -> StreamingResponse:
    """Write one prompt or all as a tar archive of plain files, as `promptyard prompts export` does.

    Each prompt is a folder: every version byte for byte, with pointers, moves and protections. An
    archive that breaks off had a version in it that is not what was registered.
    """
    parts = export_archive(store_of(request), prompt)
    first = await anext(parts)  # what is refused is refused before the answer begins

    async def archive() -> AsyncGenerator[bytes]:
        yield first
        async for part in parts:
            yield part

    headers = {"Content-Disposition": 'attachment; filename="prompts.tar"'}
    return StreamingResponse(archive(), media_type=TAR, headers=headers)


@router.post("/prompt-import", responses=refusals(404, 409), **_NEEDS)
async def import_prompts(
    request: Request,
    file: FileName = None,
    format: FormatName = None,
    name: NewName = None,
    template: Annotated[
        Literal["double", "single", "jinja2", "mustache"],
        Query(description="How variables are written in JSON of other tools."),
    ] = "double",
    skip_refused: Annotated[
        bool, Query(description="Import the rest where some prompts cannot be had.")
    ] = False,
) -> Imported:
    """Bring prompts in: an export of ours, Langfuse, MLflow, Prompty, Dotprompt, a prompt file.

    An archive that was cut off or damaged is refused, and nothing of it imported.
    Versions that are there already are found again, others are added. Pointers stay where they are:
    to move them is a promotion, and needs `release`. What the files say of authors and scores is
    taken over as it stands; the audit log says who brought it in.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (TAR, FILE):
        detail = f"the body is {TAR} or {FILE}; the Content-Type is {kind[:100] or 'missing'!a}"
        raise RequestRefused(415, "media-type", detail)
    if (kind == FILE) != (file is not None):
        detail = f"query parameter 'file': give it for one file ({FILE}), and for nothing else"
        raise RequestRefused(422, "invalid", detail)
    actor = actor_of(request, file=file, format=format)
    wishes = ImportWishes(format, name, template, skip_refused=skip_refused)
    content = await request.body()
    imported = await import_archive(store_of(request), content, wishes, file=file, actor=actor)
    added = {item.name: item.n_new for item in imported.prompts[:100]}
    request.state.audit = {"file": file, "format": imported.format, "new_versions": added}
    return imported
