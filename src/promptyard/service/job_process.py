"""The process of one job: reads what it shall do, says how far it is, ends with a result.

Started by `job_child`; `python -m promptyard.service.job_process` with a `JobSpec` on stdin. It
ends as at Ctrl-C when it gets SIGINT, when its stdin ends (then nobody waits for it any more), and
when nothing comes on stdin for as long as its lease: whoever started it hangs, and the job is
another's to decide on.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import threading
import time
import traceback
from io import BufferedWriter
from pathlib import Path

from pydantic import ValidationError

from promptyard.errors import PromptyardError
from promptyard.line.job_work import run_job
from promptyard.line.sync import run_sync
from promptyard.records.base import Record
from promptyard.records.runs import Progress
from promptyard.service.http_words import http_line
from promptyard.service.job_messages import (
    INTERRUPTED,
    MAX_LINE_BYTES,
    Began,
    Finished,
    JobSpec,
    Refused,
    Stepped,
)

STEP_S = 0.1
"""Progress is told so often at most: nobody looks more often."""
ORPHAN_GRACE_S = 10.0


class Speaker:
    """Writes messages to what was stdout; what else is printed goes to stderr."""

    def __init__(self, out: BufferedWriter) -> None:
        self._out = out
        self._told_s = 0.0

    def say(self, message: Record) -> None:
        """Write a message at once."""
        self._out.write(message.model_dump_json().encode() + b"\n")
        self._out.flush()

    def began(self, run_id: str) -> None:
        """Tell the id of the run."""
        self.say(Began(run_id=run_id))

    def stepped(self, progress: Progress) -> None:
        """Tell how far it is, unless that was told a moment ago; the end is always told."""
        now_s = time.monotonic()
        if now_s - self._told_s >= STEP_S or progress.done >= progress.total:
            self._told_s = now_s
            self.say(Stepped(progress=progress))

    def finished(self, message: Finished) -> None:
        """Tell the result, or that it is too long to be told."""
        if len(message.model_dump_json()) >= MAX_LINE_BYTES:
            left_out = "the result is too long for a job; the run has all of it"
            message = Finished(result={"left_out": left_out})
        self.say(message)


def main() -> int:
    """Do the job. Returns 0 when it is done, 130 when it was interrupted, 2 when refused."""
    # Whoever starts a service in the background of a shell leaves SIGINT ignored to its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    speaker = Speaker(_private_stdout())
    try:
        spec = JobSpec.model_validate_json(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_stdin, args=(spec.lease_s,), daemon=True).start()
        work = run_job(
            Path(spec.task),
            spec.order,
            store=spec.store,
            on_begin=speaker.began,
            on_progress=speaker.stepped,
        )
        speaker.finished(Finished(result=run_sync(work)))
    except KeyboardInterrupt:
        return INTERRUPTED
    except ValidationError as error:
        speaker.say(Refused(error=f"the job cannot be read: {error.error_count()} errors"))
        return 2
    except PromptyardError as error:
        speaker.say(Refused(error=http_line(error)))
        return 2
    except Exception as error:  # noqa: BLE001 (whatever it is, somebody waits for a word)
        traceback.print_exc()
        speaker.say(Refused(error=f"{type(error).__name__}: {error}"))
        return 1
    return 0


def _private_stdout() -> BufferedWriter:
    """Keep stdout for messages; code of a task that prints does so to stderr."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return out


def _end_with_stdin(lease_s: float) -> None:
    """Interrupt the work when whoever started it is gone, or has not been heard of for so long."""
    while select.select([0], [], [], lease_s)[0] and os.read(0, 1 << 12):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(ORPHAN_GRACE_S)
    if os.getpgrp() == os.getpid():  # with all processes that it has started
        os.killpg(0, signal.SIGKILL)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    code = main()
    gc.freeze()  # all goes with the process: to look through it for cycles takes 0.2 s
    sys.exit(code)
