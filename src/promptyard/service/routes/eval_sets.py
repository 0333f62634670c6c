"""Eval sets: their versions, the cases of one, what parts two, what was measured on them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query, Request, Response

from promptyard.line import eval_sets
from promptyard.line.eval_sets import EvalSetRow, NamedEvalSet, VersionEntry
from promptyard.line.history import History, eval_set_history
from promptyard.records.cases import Case, EvalSplit
from promptyard.records.differences import EvalSetDiff
from promptyard.service.access import needs
from promptyard.service.acts import store_of
from promptyard.service.pages import (
    TAGGED,
    Cursor,
    JsonAnswer,
    Limit,
    Page,
    log_of,
    slice_of,
    tagged,
)
from promptyard.service.parameters import LARGEST, MAX_NAME, NAME_PATTERN
from promptyard.service.paths import API
from promptyard.service.requests import ServiceRoute

router = APIRouter(
    prefix=f"{API}/eval-sets",
    tags=["eval sets"],
    route_class=ServiceRoute,
    default_response_class=JsonAnswer,
)

_PATTERN = r"^@?[A-Za-z0-9]+$"
_VERSION = "A version: whole, by a beginning of 4 signs or more, or by its number (`@2`)."
EvalSetName: TypeAlias = Annotated[
    str,
    Path(
        min_length=1,
        max_length=MAX_NAME,
        pattern=NAME_PATTERN,
        description="The eval set's name: that of its task.",
        examples=["support-tickets"],
    ),
]
EvalSetVersionReference: TypeAlias = Annotated[
    str, Path(max_length=64, pattern=_PATTERN, description=_VERSION, examples=["@1"])
]
Compared: TypeAlias = Annotated[
    str, Query(max_length=64, pattern=_PATTERN, description=_VERSION, examples=["@1"])
]
Split: TypeAlias = Annotated[
    EvalSplit | None, Query(description="Only this split, or `all` (in `history`: evals of all).")
]
Word: TypeAlias = Annotated[str, Query(min_length=1, max_length=MAX_NAME, pattern=NAME_PATTERN)]


@router.get("", **needs("read"))
async def list_eval_sets(
    request: Request, cursor: Cursor = None, limit: Limit = 100
) -> Page[EvalSetRow]:
    """List the eval sets whose versions are stored, by name."""
    return slice_of(await eval_sets.list_eval_sets(store_of(request)), cursor, limit)


@router.get("/{name}/versions", **needs("read"))
async def list_eval_set_versions(
    request: Request, name: EvalSetName, cursor: Cursor = None, limit: Limit = 100
) -> Page[VersionEntry]:
    """List the versions of an eval set, newest first, with the runs that used each."""
    found = await eval_sets.eval_set_log(_named(request, name))
    return log_of(found.versions, cursor, limit)


@router.get("/{name}/versions/{version}/cases", **needs("write"))
async def list_cases(
    request: Request,
    name: EvalSetName,
    version: EvalSetVersionReference,
    split: Split = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Case]:
    """List the cases of a version, in the order of its files; of `all` in that of their ids."""
    found = await eval_sets.eval_set_version(_named(request, name), version)
    return slice_of(found.cases if split is None else found.split(split), cursor, limit)


@router.get("/{name}/diff", response_model=EvalSetDiff, responses=TAGGED, **needs("write"))
async def diff_eval_sets(
    request: Request, name: EvalSetName, old: Compared, new: Compared
) -> Response:
    """Say what was done to one version so that it became another one."""
    *_, difference = await eval_sets.eval_set_diff(_named(request, name), old, new)
    return tagged(request, difference)


@router.get("/{name}/history", response_model=History, responses=TAGGED, **needs("read"))
async def show_history(
    request: Request,
    name: EvalSetName,
    metric: Annotated[
        Word, Query(description="A dimension, a check, `suite.NAME` or `score`.")
    ] = "score",
    bucket: Annotated[Word | None, Query(description="A failure bucket to count.")] = None,
    version: Annotated[
        int | None, Query(ge=1, le=LARGEST, description="Only this version of the prompt.")
    ] = None,
    split: Split = None,
) -> Response:
    """Show what versions of the prompt scored on versions of the eval set, split by split."""
    found = await eval_set_history(
        store_of(request), name, metric=metric, bucket=bucket, version=version, split=split
    )
    return tagged(request, found)


def _named(request: Request, name: str) -> NamedEvalSet:
    return NamedEvalSet(name, None, store_of(request))
