"""The small label task with 27 cases, of which the embedded model answers some wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.tiny_task import tiny_rows, write_tiny_task


def cases(n_each: int = 9) -> list[dict[str, Any]]:
    return tiny_rows(n_each)


def write_task(folder: Path, **files: str) -> Path:
    return write_tiny_task(folder, cases(), **files)
