"""Who is at the keyboard: the name that moves and labels are filed under."""

from __future__ import annotations

import getpass
import os


def present_user() -> str:
    """Return the user's name; a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
