"""The demo task that ships with the package: Banking77 support routing."""

from __future__ import annotations

import contextlib
import importlib.resources
from collections.abc import Generator
from pathlib import Path

from promptyard.providers.embedded import NOTICE

EMBEDDED_NOTICE = NOTICE


@contextlib.contextmanager
def demo_folder() -> Generator[Path]:
    """Yield the folder of the demo task: task.yaml, prompt.md, cases.jsonl, ATTRIBUTION.md."""
    source = importlib.resources.files("promptyard.line") / "demo_task"
    with importlib.resources.as_file(source) as folder:
        yield folder
