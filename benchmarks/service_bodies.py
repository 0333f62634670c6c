"""What many large bodies at once cost the service, and how long an act waits beside them.

    python benchmarks/service_bodies.py [--senders 200] [--keys 8] [--megabytes 33]

Each sender sends one gzip request of spans, as large as a request may become, all at once, under
one of several keys; none is sent again. Meanwhile another key promotes a prompt, again and again,
and `/healthz` is asked. Printed are the peak memory of the service, what the senders were answered,
and the longest that an act and a look at its health took. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import http.client
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from promptyard.line.api_keys import create_key
from promptyard.records.api_keys import Scope
from promptyard.storage import open_store
from service_load import Served, register_prompt, rss_mb
from service_load_client import PROMPT

N_BODIES = 3
TEXT_BYTES = 3_600
PROTOBUF = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
JSON = {"Content-Type": "application/json"}
ACT = json.dumps({"version": "1", "reason": "measured"}).encode()
TIMEOUT_S = 300.0


def body_of(n_bytes: int, seed: int) -> bytes:
    """Return a request of GenAI spans of some size; gzip makes a quarter of it."""
    chance = random.Random(seed)
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for _ in range(n_bytes // TEXT_BYTES):
        span = spans.add(trace_id=chance.randbytes(16), span_id=chance.randbytes(8), name="chat")
        span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
        content = span.attributes.add(key="gen_ai.prompt")
        words = "the same words again and again " * 70
        content.value.string_value = f"{chance.randbytes(680).hex()} {words}"
    return gzip.compress(request.SerializeToString(), 6)


def answered(address: str, method: str, path: str, headers: dict[str, str], body: bytes) -> str:
    """Ask once and return what came of it: a status, or that the connection broke."""
    line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=TIMEOUT_S)
    try:
        line.request(method, path, body, headers)
        answer = line.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return "not at all: the connection broke"
    else:
        return str(answer.status)
    finally:
        line.close()


def while_they_send(senders: list[threading.Thread], ask: Callable[[], str]) -> tuple[str, float]:
    """Ask again and again; returns the statuses and the longest time, in seconds."""
    statuses: Counter[str] = Counter()
    longest_s = 0.0
    while any(sender.is_alive() for sender in senders):
        began_s = time.perf_counter()
        statuses[ask()] += 1
        longest_s = max(longest_s, time.perf_counter() - began_s)
        time.sleep(0.05)
    return _counted(statuses), longest_s


def make_keys(url: str, n_keys: int) -> tuple[str, list[str]]:
    """Make the key that acts and those that send; returns their secrets."""

    async def work() -> tuple[str, list[str]]:
        async def secret(name: str, scope: Scope) -> str:
            return (await create_key(store, name, [scope], actor="me")).secret

        store = open_store(url)
        await store.open()
        try:
            acting = await secret("acting", "release")
            return acting, [await secret(f"sender-{n}", "report") for n in range(n_keys)]
        finally:
            await store.close()

    return asyncio.run(work())


def main(given: argparse.Namespace) -> None:
    """Measure and print."""
    bodies = [body_of(int(given.megabytes * 1e6), seed) for seed in range(N_BODIES)]
    with tempfile.TemporaryDirectory() as folder:
        url = str(Path(folder) / "s.db")
        register_prompt(url)
        acting, keys = make_keys(url, given.keys)
        with Served.promptyard(url, Path(folder)) as served:
            at_rest_mb = rss_mb(served.process.pid)
            told: Counter[str] = Counter()

            def send(number: int) -> None:
                key = {"Authorization": f"Bearer {keys[number % len(keys)]}"}
                body = bodies[number % len(bodies)]
                told[answered(served.address, "POST", "/v1/traces", {**PROTOBUF, **key}, body)] += 1

            def act() -> str:
                path = f"/api/v1/prompts/{PROMPT}/pointers/production/promote"
                headers = {**JSON, "Authorization": f"Bearer {acting}"}
                return answered(served.address, "POST", path, headers, ACT)

            def look() -> str:
                return answered(served.address, "GET", "/healthz", {}, b"")

            senders = [threading.Thread(target=send, args=(n,)) for n in range(given.senders)]
            looks: list[tuple[str, float]] = []
            looking = threading.Thread(target=lambda: looks.append(while_they_send(senders, look)))
            for thread in (*senders, looking):
                thread.start()
            acts, act_s = while_they_send(senders, act)
            for thread in (*senders, looking):
                thread.join()
            peak_mb = rss_mb(served.process.pid)
    size = f"{given.megabytes:g} MB ({len(bodies[0]) / 1e6:.1f} MB gzip)"
    print(f"{given.senders} senders of {size} under {given.keys} keys: {_counted(told)}")
    print(f"memory: {at_rest_mb:.0f} MB at rest, peak {peak_mb:.0f} MB")
    print(f"acts of another key: {acts}, longest {act_s:.2f} s")
    print(f"/healthz: {looks[0][0]}, longest {looks[0][1]:.2f} s")


def _counted(statuses: Counter[str]) -> str:
    return ", ".join(f"{n} answered {status}" for status, n in sorted(statuses.items()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--senders", type=int, default=200)
    parser.add_argument("--keys", type=int, default=8)
    parser.add_argument("--megabytes", type=float, default=33.0)
    return parser.parse_args()


if __name__ == "__main__":
    main(_arguments())
