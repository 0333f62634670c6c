"""The child process of the check `regex`: one request a line in, one answer a line out.

It is run as a file, apart from the package, so that it starts in milliseconds. A request is
`{"pattern", "flags", "text", "timeout_s"}`; an answer is `1` (found) or `0`. A search that takes
longer ends the process with `TIMED_OUT`: the watchdog is a thread of the interpreter's C code and
needs no lock of Python's, which a running match never gives back.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import sys
from typing import BinaryIO

TIMED_OUT = 1
"""The exit code that `faulthandler` uses when its time is over."""

GAVE_UP = 3
"""The exit code when the search needs more memory or depth than there is."""


def main() -> None:
    """Answer until the other side closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which then closes us
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - pathlib would double the start-up time
        for line in sys.stdin.buffer:
            try:
                answer = b"1\n" if found(line, nowhere) else b"0\n"
            except (MemoryError, RecursionError):
                sys.exit(GAVE_UP)
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()


def found(line: bytes, traceback_file: BinaryIO) -> bool:
    """Run one search under the watchdog."""
    request = json.loads(line)
    faulthandler.dump_traceback_later(request["timeout_s"], exit=True, file=traceback_file)
    try:
        return re.search(request["pattern"], request["text"], request["flags"]) is not None
    finally:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
