"""Replicas of the service as processes of their own, as `promptyard serve` starts them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 60.0


class Replica:
    """One process; its address is known once it answers."""

    def __init__(self, folder: Path, store: str) -> None:
        self.url = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "promptyard", "serve", "--port", "0", "--store", store],
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            self._process.kill()
            raise AssertionError(f"it did not start: {line}{self._process.communicate()}")
        self.url = found[0]
        assert self.get("/healthz") == {"status": "ok"}

    def get(self, path: str) -> Any:
        """Ask for something as JSON."""
        with urllib.request.urlopen(self.url + path, timeout=START_TIMEOUT_S) as answer:
            return json.loads(answer.read())

    def status(self, path: str) -> int:
        """Ask for something and return the status alone."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=START_TIMEOUT_S) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def lease(self, name: str) -> dict[str, Any]:
        """Return a lease as this replica sees it, or nothing."""
        leases: list[dict[str, Any]] = self.get("/api/v1/background")["leases"]
        return {
            key: value for item in leases if item["name"] == name for key, value in item.items()
        }

    def holds(self, name: str) -> bool:
        """Whether this replica has a lease."""
        lease = self.lease(name)
        owner, ends_in_s = lease.get("owner"), lease.get("ends_in_s", 0)
        return ends_in_s > 0 and owner == self.get("/api/v1/background")["replica"]

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.communicate()

    def pause(self) -> None:
        """Let it sleep, as a machine that hangs does; its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Wake it up again."""
        self._process.send_signal(signal.SIGCONT)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, float]:
        """Tell it to end; return its exit code, what it wrote to stderr, and how long it took."""
        began_s = time.monotonic()
        self._process.send_signal(number)
        _, err = self._process.communicate(timeout=START_TIMEOUT_S)
        return self._process.returncode, err, time.monotonic() - began_s


@contextlib.contextmanager
def replicas(folder: Path, store: str, n: int, settings: str = "") -> Generator[list[Replica]]:
    """Start several replicas over one store; those that are left are killed at the end."""
    (folder / "promptyard.yaml").write_text(f"service: {{{settings}}}\n")
    started = [Replica(folder, store) for _ in range(n)]
    try:
        for replica in started:
            replica.wait()
        yield started
    finally:
        for replica in started:
            replica.kill()
