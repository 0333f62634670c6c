"""Writes the reference pages out of the code, so that they cannot say anything else.

    python -m docs.generate            write what has changed
    python -m docs.generate --check    change nothing; exit 1 and name the stale files
    python -m docs.generate --demo     run the demo and put what it prints into README.md

Run from the root of the checkout.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.generator.commands import cli_page
from docs.generator.configuration import configuration_page
from docs.generator.http_api import http_api_page
from docs.generator.metric_pages import metric_pages, metrics_page
from docs.generator.names import names_page
from docs.generator.python_api import errors_page, python_api_page

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
DEMO_BEGIN = "<!-- printed by: promptyard demo -->\n```text\n"
DEMO_END = "```\n"
DEMO_WIDTH = 88


def main() -> int:
    """Write or check all pages; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, name stale files")
    parser.add_argument("--demo", action="store_true", help="refresh what README.md shows of it")
    arguments = parser.parse_args()
    if arguments.demo:
        refresh_demo(ROOT / "README.md")
        return 0
    stale = [path for path, text in pages().items() if not _is_current(path, text)]
    for path in stale:
        shown = path.relative_to(ROOT)
        if arguments.check:
            sys.stderr.write(f"{shown}: stale; run `python -m docs.generate`\n")
            sys.stderr.writelines(_changes(path, pages()[path]))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
            sys.stdout.write(f"wrote {shown}\n")
    return 1 if arguments.check and stale else 0


def pages() -> Mapping[Path, str]:
    """Return every generated file with the text it should have."""
    from promptyard.config import ProjectConfig
    from promptyard.line.schema import DIALECT, task_json_schema
    from promptyard.service.openapi import ServiceApp

    api = ServiceApp().openapi()
    project = {"$schema": DIALECT, **ProjectConfig.model_json_schema()}
    project["title"] = "Promptyard project"
    return {
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "configuration.md": configuration_page(),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "http-api.md": http_api_page(api),
        REFERENCE / "metrics.md": metrics_page(),
        REFERENCE / "names.md": names_page(),
        REFERENCE / "python-api.md": python_api_page(),
        REFERENCE / "openapi.json": _json(api),
        REFERENCE / "project.schema.json": _json(project),
        REFERENCE / "task.schema.json": _json(task_json_schema()),
        **{REFERENCE / "metrics" / f"{name}.md": text for name, text in metric_pages().items()},
    }


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _changes(path: Path, text: str) -> Iterator[str]:
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = difflib.unified_diff(old.splitlines(True), text.splitlines(True), "is", "should be")
    yield from list(lines)[:40]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def refresh_demo(readme: Path) -> None:
    """Run the demo and replace the sample in README.md by what it prints now."""
    text = readme.read_text(encoding="utf-8")
    head, begin, rest = text.partition(DEMO_BEGIN)
    if not begin:
        raise SystemExit(f"README.md has no line {DEMO_BEGIN.splitlines()[0]}")
    tail = rest.partition(DEMO_END)[2]
    environment = {**os.environ, "COLUMNS": str(DEMO_WIDTH), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "promptyard", "demo"]
    done = subprocess.run(  # noqa: S603  (our own command)
        command, env=environment, capture_output=True, text=True, check=True
    )
    sample = shortened_demo(done.stderr, done.stdout)
    readme.write_text(head + DEMO_BEGIN + sample + DEMO_END + tail, encoding="utf-8")


def shortened_demo(progress: str, result: str) -> str:
    """Keep the introduction, the holdout table, the funnel and the verdict; `...` marks a cut."""
    lines = [line.rstrip() for line in result.splitlines()]
    starts = {
        "holdout": _find(lines, "The sealed holdout"),
        "buckets": _find(lines, "Failure buckets"),
        "funnel": _find(lines, "The funnel"),
        "next": _find(lines, "What to do next"),
    }
    steps = [line.rstrip() for line in progress.splitlines() if not re.search(r" \d+/\d+, ", line)]
    kept = [
        *steps,
        "",
        *lines[starts["holdout"] : starts["buckets"]],
        "...",
        *lines[starts["funnel"] : starts["next"]],
    ]
    text = "\n".join(kept).strip() + "\n"
    text = re.sub(r"Report: \S+", "Report: /tmp/promptyard-demo-.../report.html", text)
    return re.sub(r"\n{3,}", "\n\n", text)


def _find(lines: Sequence[str], title: str) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(title))


if __name__ == "__main__":
    sys.exit(main())
