"""Asks for a prompt in a new process, which knows nothing yet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

DEADLINE_S = 2.0
COLD = """
import json, sys, time
from promptyard.client import Promptyard
source, snapshot, fallback, clock_s = json.loads(sys.argv[1])
if clock_s:
    real = time.time
    time.time = lambda: real() + clock_s
began_s = time.monotonic()
client = Promptyard(source, snapshot=snapshot, fallback=fallback)
try:
    prompt = client.prompt("support", subject="ann")
    said = [prompt.version, prompt.reason, prompt.age_s, client.status()["source"]["state"]]
except Exception as error:
    said = [type(error).__name__, str(error)]
print(json.dumps([time.monotonic() - began_s, *said]))
"""


def cold(
    source: Path | str, *, snapshot: Path | None = None, fallback: Any = None, clock_s: float = 0.0
) -> Any:
    """Ask in a new process; returns seconds, version, reason, age and the source's state."""
    given = [str(source), str(snapshot) if snapshot else None, fallback, clock_s]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COLD, json.dumps(given)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    took_s, *said = json.loads(done.stdout)
    assert took_s < DEADLINE_S
    return said
