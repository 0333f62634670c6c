"""Runs a test as a user who may not write everywhere, where the tests run as root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def unprivileged() -> Generator[None]:
    """Act as `nobody` for a while if this is root; the kernel then checks permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_folder() -> Generator[Path]:
    """A folder that every user can enter: those of pytest are its user's own."""
    folder = Path(tempfile.mkdtemp(prefix="promptyard-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
