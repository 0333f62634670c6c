"""Cases that come over the network: added to a task's files, and taken out of use there.

They are data of strangers. A check of a case's own may name a function to be run, an image a file
to be read: both are for whoever writes the task's files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.strict_json import JsonFault, parse_json
from promptyard.evalset.wording import one_line
from promptyard.line.case_files import Change
from promptyard.line.growth import add_cases, retire_cases
from promptyard.line.query import StoreOrUrl
from promptyard.records.base import Json, as_object
from promptyard.records.cases import SplitName
from promptyard.records.images import image_url

_IMAGE_STARTS = ("https://", "http://", "data:")


async def add_sent_cases(
    task: Path,
    rows: Sequence[Mapping[str, Json]],
    *,
    split: SplitName | None = None,
    tags: Sequence[str] = (),
    into: str | None = None,
    force: bool = False,
    store: StoreOrUrl = None,
) -> Change:
    """Append rows to a task's cases, as `add_cases` does. `into` is the name of a case file.

    Raises EvalSetError, with nothing written, for what `add_cases` refuses, and for rows with
    checks of their own or images that are files.
    """
    for number, row in enumerate(rows, 1):
        _require_plain(row, f"rows[{number - 1}]")
    if into is not None and Path(into).name != into:
        raise EvalSetError(f"'{one_line(into)}' is no name of a case file")
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    changed = await add_cases(
        task,
        io.BytesIO(lines.encode()),
        split=split,
        tags=tags,
        into=into,
        force=force,
        store=store,
    )
    return _without_folder(changed)


async def add_sent_lines(
    task: Path,
    lines: bytes,
    *,
    into: str | None = None,
    force: bool = False,
    store: StoreOrUrl = None,
) -> Change:
    """Append cases of a JSONL file, as `export_task` writes it, as `add_sent_cases` does rows.

    Raises EvalSetError, with nothing written, for a line that is no JSON object, too.
    """
    rows = [_row(line, number) for number, line in enumerate(lines.split(b"\n"), 1) if line.strip()]
    if not rows:
        raise EvalSetError("there is no case in the file; send a JSON object a line")
    return await add_sent_cases(task, rows, into=into, force=force, store=store)


def _row(line: bytes, number: int) -> Mapping[str, Json]:
    try:
        row = as_object(parse_json(line.decode()))
    except (UnicodeDecodeError, JsonFault) as error:
        raise EvalSetError(f"line {number}: no JSON: {error}") from None
    if row is None:
        raise EvalSetError(f"line {number}: expected a case, which is keys and values")
    return row


async def retire_named_cases(
    task: Path, case_ids: Sequence[str], *, reason: str, store: StoreOrUrl = None
) -> Change:
    """Take cases out of use, as `retire_cases` does. Raises EvalSetError, with nothing written."""
    return _without_folder(await retire_cases(task, case_ids, reason=reason, store=store))


def _require_plain(row: Mapping[str, Json], position: str) -> None:
    if "checks" in row:
        raise EvalSetError(
            f"{position}: checks: a case that is sent has no checks of its own, which may run "
            "code; write them into the task's files"
        )
    for name, value in (as_object(row.get("input")) or {}).items():
        url = image_url(value)
        if url is not None and not url.lower().startswith(_IMAGE_STARTS):
            raise EvalSetError(
                f"{position}: input.{one_line(name)}: an image that is sent is a URL (data: or "
                "https:), not a file"
            )


def _without_folder(change: Change) -> Change:
    """Leave out where the files lie: that is nobody's business far away."""
    names = tuple(Path(file).name for file in change.files)
    return change.model_copy(update={"files": names})
