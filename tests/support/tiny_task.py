"""A small label task on disk; its embedded model answers some cases wrongly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROMPT = """system:
Sort the message. Answer with exactly one of these labels and nothing else.

## Labels {#labels}
- lost_card
- top_up
- age_limit

user:
{{text}}
"""
TASK = """name: tiny
prompt: prompt.md
cases: cases.jsonl
models: {task: embedded/lexical}
checks:
  - {type: exact_match, severity: hard}
"""
TEXTS = {
    "lost_card": ["my wallet was stolen", "I cannot find it anywhere", "somebody took my wallet"],
    "top_up": ["put money in", "add some funds", "how do I add money"],
    "age_limit": ["can my son join", "is my daughter too young", "my son is a child"],
}


def tiny_rows(n_each: int = 6) -> list[dict[str, Any]]:
    """Return `n_each` rows a label, a third of them in each split."""
    return [
        {
            "id": f"{label}-{number}",
            "input": {"text": f"{texts[number % 3]} ({number})"},
            "expected": label,
            "split": ("train", "dev", "holdout")[number % 3],
        }
        for label, texts in TEXTS.items()
        for number in range(n_each)
    ]


def write_tiny_task(
    folder: Path, rows: Sequence[Mapping[str, Any]] | None = None, **files: str
) -> Path:
    """Write the task; `task_yaml`, `prompt_md` and the like replace what a file holds."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "prompt.md": PROMPT,
        "task.yaml": TASK,
        "cases.jsonl": "".join(
            json.dumps(row) + "\n" for row in (tiny_rows() if rows is None else rows)
        ),
        **{name.replace("_", "."): text for name, text in files.items()},
    }
    for name, text in contents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
