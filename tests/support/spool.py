"""Segments of a spool, written as the client writes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from promptyard.records.live import LiveEvent


def write_segment(
    folder: Path,
    name: str,
    events: Sequence[LiveEvent | bytes],
    *,
    is_open: bool = False,
    end: bytes = b"",
    age_s: float = 0.0,
) -> Path:
    """Write events, or raw lines, into a segment; `end` is what stands behind the last line end."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (e if isinstance(e, bytes) else e.model_dump_json().encode() for e in events)
    path = folder / f"{name}.jsonl{'.open' if is_open else ''}"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + end)
    if age_s:
        written_s = path.stat().st_mtime - age_s
        os.utime(path, (written_s, written_s))
    return path
