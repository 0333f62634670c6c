"""The child process that searches with regular expressions: one JSON line in, one out.

It is run as a file, apart from the package, so that it starts in milliseconds. A request is
`{"pattern", "flags", "text", "timeout_s", "want"}`. Where `found` is wanted, the answer says
whether there is a match; where `last` is, it is the first group of the last match (the whole match
where the pattern has no group or that one took no part), or null. A search that takes longer ends
the process with `TIMED_OUT`: the watchdog is a thread of the interpreter's C code and needs no
lock of Python's, which a running match never gives back.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import sys
from typing import Any, BinaryIO

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
                found = search(json.loads(line), nowhere)
            except (MemoryError, RecursionError):
                sys.exit(GAVE_UP)
            sys.stdout.buffer.write(json.dumps(found).encode("ascii") + b"\n")
            sys.stdout.buffer.flush()


def search(request: dict[str, Any], traceback_file: BinaryIO) -> bool | str | None:
    """Run one search under the watchdog."""
    faulthandler.dump_traceback_later(request["timeout_s"], exit=True, file=traceback_file)
    try:
        pattern: re.Pattern[str] = re.compile(request["pattern"], request["flags"])
        if request["want"] == "found":
            return pattern.search(request["text"]) is not None
        last = None
        for match in pattern.finditer(request["text"]):
            last = match
        if last is None:
            return None
        group = last.group(1) if pattern.groups else None
        return last.group() if group is None else group
    finally:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
