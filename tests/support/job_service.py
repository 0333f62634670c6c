"""A service with a folder of tasks, and what a test does with its jobs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from promptyard.config.service_shape import ServiceConfig
from promptyard.records.jobs import Job
from promptyard.service.state import ServiceState
from promptyard.storage import open_store
from support.served import Service, served
from support.task_folder import write_task
from support.tiny_task import TASK

TIMEOUT_S = 60.0
SLOW = "import time\ndef slow(case, output):\n    time.sleep({})\n    return 1.0\n"


@contextlib.contextmanager
def task_service(folder: Path, store: str | None = None, **settings: Any) -> Generator[Service]:
    """Serve a store (one in the folder) and the small label task, as `tiny`, in `tasks`."""
    if not (folder / "tasks" / "tiny").exists():
        write_task(folder / "tasks" / "tiny")
    with served(store or folder, tasks=str(folder / "tasks"), **settings) as service:
        yield service


def remote_service(url: str, folder: Path) -> Service:
    """Return what asks a service in another process, whose store is in the folder."""
    state = ServiceState.of(open_store(None), ServiceConfig())
    return Service(url, str(folder / "service.db"), state)


def write_slow_task(folder: Path, pause_s: float = 0.2) -> None:
    """Write `tiny` with a check that takes its time."""
    checks = f"{TASK}  - {{type: python, function: 'slow.py:slow', severity: soft}}\n"
    tiny = write_task(folder / "tasks" / "tiny", task_yaml=checks)
    (tiny / "slow.py").write_text(SLOW.format(pause_s))


def ordered(service: Service, kind: str = "eval", **options: Any) -> str:
    """Order a job on `tiny`; returns its id."""
    order = {"kind": kind, "task": "tiny", "options": options}
    answer = service.post("/api/v1/jobs", order)
    assert answer.status == 202, answer.body
    return str(answer.json["id"])


def job_when(service: Service, job_id: str, is_so: Callable[[Job], bool]) -> Job:
    """Return a job as soon as something holds of it."""
    until_s = time.monotonic() + TIMEOUT_S
    while True:
        job = Job.model_validate(service.get(f"/api/v1/jobs/{job_id}").json)
        if is_so(job):
            return job
        assert time.monotonic() < until_s, job
        time.sleep(0.05)


def ended_job(service: Service, job_id: str) -> Job:
    """Return a job once it has ended."""
    return job_when(service, job_id, lambda job: job.has_ended)


def stream_events(body: bytes) -> list[tuple[str, str, Any]]:
    """Read server-sent events: name, id and data of each."""
    found: list[tuple[str, str, Any]] = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], lines.get("id", ""), json.loads(lines["data"])))
    return found
