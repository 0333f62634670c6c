"""`promptyard serve` as a process: its start and its end."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def test_the_address_that_is_said_answers_at_once_and_the_end_waits_for_no_stream(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "promptyard", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said: list[str] = process.stdout.readline().split()
        (port,) = (int(word.rpartition(":")[2]) for word in said if word.startswith("http://"))
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/api/v1/manifest/events")
        stream = connection.getresponse()
        assert stream.status == 200
        assert stream.readline().startswith(b":")
        process.send_signal(signal.SIGTERM)
        began_s = time.monotonic()
        assert b"event: gossip" not in stream.read()  # to its end
        assert process.wait(10) in (0, -signal.SIGTERM)
        assert time.monotonic() - began_s < 3.0
        connection.close()
    finally:
        process.kill()
        process.communicate()
