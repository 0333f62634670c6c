"""The real process: what it listens on without keys and with them, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from support.shell import command
from support.stores import on_store

COMMAND = (sys.executable, "-m", "promptyard")
SERVE = ("serve", "--host", "0.0.0.0", "--port", "0", "--store", "service.db")
WEBHOOKS = {"PROMPTYARD_WEBHOOK_SECRET": "s" * 32, "PROMPTYARD_WEBHOOK_ALLOW": "10.0.0.0/8"}
TIMEOUT_S = 30


def test_only_loopback_is_listened_on_until_there_is_a_key(tmp_path: Path) -> None:
    refused = subprocess.run(
        [*COMMAND, *SERVE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "error: host is 0.0.0.0, which others can reach, and there is no key; make one first "
        "with `promptyard keys create NAME --scope admin`\n"
    )
    made = command(
        *(tmp_path, "keys", "create", "ops", "--scope", "admin", "--store", "service.db"),
        environment=os.environ,
    )
    key = made.stdout.strip()
    on_store(
        str(tmp_path / "service.db"),
        lambda store: store.take_lease("monitors", "first-1", for_s=60),
    )
    serving = subprocess.Popen(
        [*COMMAND, *SERVE],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **WEBHOOKS},
    )
    try:
        assert serving.stdout is not None
        found = re.search(r":(\d+) \(", serving.stdout.readline())
        assert found is not None
        url = f"http://127.0.0.1:{found[1]}/api/v1/keys"
        with pytest.raises(HTTPError) as caught:
            urllib.request.urlopen(url, timeout=TIMEOUT_S)
        assert caught.value.code == 401
        assert "server" not in {name.lower() for name in caught.value.headers}
        caught.value.close()
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            assert [item["name"] for item in json.load(answer)["items"]] == ["ops"]
        serving.send_signal(signal.SIGTERM)
        _, told = serving.communicate(timeout=TIMEOUT_S)
    finally:
        serving.kill()
        serving.wait()
    assert key.split("_", 2)[2] not in told
    (warning,) = told.splitlines()
    assert "replica first-1 works on this store, or was killed within" in warning
    assert serving.returncode in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PROMPTYARD_WEBHOOK_SECRET", "short", "PROMPTYARD_WEBHOOK_SECRET is too short"),
        ("PROMPTYARD_WEBHOOK_ALLOW", "10.0.0.1/8", "PROMPTYARD_WEBHOOK_ALLOW: '10.0.0.1/8' is"),
    ],
)
def test_what_webhooks_could_not_use_is_refused_at_the_start(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    environment = {**os.environ, variable: value}
    refused = command(tmp_path, *SERVE, environment=environment)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"error: {said}")
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "service.db").exists()
