"""Who is at the keyboard: the name that moves and labels are filed under."""

from __future__ import annotations

import getpass
import os
from typing import Annotated, TypeAlias

import typer

from promptyard.errors import ConfigError

MAX_NAME = 100
USER_VARIABLE = "PROMPTYARD_USER"

Actor: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--as",
        envvar=USER_VARIABLE,
        show_envvar=False,
        help="Who acts; default: PROMPTYARD_USER, else the user of the operating system.",
    ),
]


def present_user() -> str:
    """Return the user's name; a container may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def acting(given: str | None) -> str:
    """Return who acts: the name given, else the present user. Raises ConfigError for no name."""
    if given is None:
        return present_user()
    name = given.strip()
    if not name or not name.isprintable() or len(name) > MAX_NAME:
        raise ConfigError(
            f"--as (or {USER_VARIABLE}): {given[:MAX_NAME]!a} is no name; write one of up to "
            f"{MAX_NAME} characters on one line"
        )
    return name
