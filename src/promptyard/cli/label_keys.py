"""How a person answers: single keys on a terminal, lines of commands from a pipe."""

from __future__ import annotations

import os
import sys
import termios
import tty
from typing import NamedTuple, Protocol, Self

import click

END = "q"
"""What the end of the input means: quit and save."""

_CTRL_C = "\x03"
_CTRL_D = "\x04"


class Command(NamedTuple):
    """A key and, where it came with the line, what it is to do: `g new gold`."""

    key: str
    argument: str | None = None


class Keys(Protocol):
    """Where answers come from; to be entered before the first and left after the last one."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def command(self) -> Command:
        """Wait for the next command. Raises KeyboardInterrupt."""
        ...

    def line(self, prompt: str) -> str:
        """Ask for one line; empty at the end of the input."""
        ...

    def text(self, present: str) -> str | None:
        """Let a text be edited; None where it was left as it was."""
        ...


class TerminalKeys:
    """A key is a command at once; a gold is edited in $VISUAL or $EDITOR, where one is set.

    The terminal gives single keys, unseen, from beginning to end, and lines in between: switching
    for every key would lose what is typed meanwhile.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno()
        self._lines = termios.tcgetattr(self._terminal)

    def __enter__(self) -> Self:
        tty.setcbreak(self._terminal, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._lines)

    def command(self) -> Command:
        """Read one key; what is no single letter is no command."""
        key = os.read(self._terminal, 1).decode("utf-8", "replace").lower()
        if key == _CTRL_C:  # where this is not the terminal that the process answers to
            raise KeyboardInterrupt
        if key in ("", _CTRL_D):
            return Command(END)
        return Command("s" if key in ("\r", "\n") else key)

    def line(self, prompt: str) -> str:
        """Ask for one line."""
        self.__exit__()
        try:
            return input(prompt).strip()
        except EOFError:
            return ""
        finally:
            self.__enter__()

    def text(self, present: str) -> str | None:
        """Edit a text, in the editor or on a line."""
        if not (os.environ.get("VISUAL") or os.environ.get("EDITOR")):
            return self.line("gold: ") or None
        self.__exit__()
        try:
            return click.edit(present, extension=".txt", require_save=True)
        finally:
            self.__enter__()


class LineKeys:
    """Each line is a command: its first word is the key, the rest what it needs."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was changed."""

    def command(self) -> Command:
        """Read one line; blank ones are no command."""
        for line in sys.stdin:
            key, _, rest = line.strip().partition(" ")
            if key:
                return Command(key.lower(), rest.strip() or None)
        return Command(END)

    def line(self, prompt: str) -> str:
        """Read the next line."""
        del prompt
        return next(sys.stdin, "").strip()

    def text(self, present: str) -> str | None:
        """Read the next line as the text."""
        del present
        return self.line("") or None


def keys() -> Keys:
    """Return keys for what standard input is."""
    return TerminalKeys() if sys.stdin.isatty() else LineKeys()
