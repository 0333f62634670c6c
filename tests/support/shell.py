"""Runs `promptyard` and says what it left behind: its exit code and what it printed."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import NamedTuple
from unittest.mock import patch

from promptyard.cli.main import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


def command(
    folder: Path, *arguments: object, environment: Mapping[str, str], stdin: str = ""
) -> CompletedProcess[str]:
    """Run the command without a terminal, as a process would but in this one: in a folder, with
    no environment but the given one. Starting a process takes ten times what a command does.
    """
    argv = ["promptyard", *map(str, arguments)]
    given, out, err = (
        io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8") for text in (stdin, "", "")
    )
    code = 0
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, environment, clear=True),
        patch.multiple(sys, argv=argv, stdin=given, stdout=out, stderr=err),
    ):
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return CompletedProcess(argv, code, _written(out), _written(err))


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
