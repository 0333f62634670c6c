"""One sender of spans: prebuilt requests over one connection, each a new trace.

    python benchmarks/service_load_client.py ADDRESS SECONDS [headers as JSON] [path]

Prints JSON: the traces that were acknowledged (in hex), the one that was not when the connection
broke, and the seconds that each request took. Sends the next request when the last is answered.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import cast
from urllib.parse import urlsplit

N_SPANS = 50
NAMED_EVERY = 10
PROMPT = "support"
_PLACE = b"\xfe\xfdplaceoftrace\xfc\xfb"  # 16 bytes that are in no text
_WORDS = "The customer asks where the parcel is, and wants back what was paid for delivery. "


@dataclass
class Sent:
    """What a sender did."""

    acked: list[str] = field(default_factory=list[str])
    unanswered: str | None = None
    refused: dict[str, int] = field(default_factory=dict[str, int])
    seconds: list[float] = field(default_factory=list[float])


def parts_of_body() -> list[bytes]:
    """A request of 50 GenAI spans of about 1.27 kB each, cut where the trace id belongs."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan

    def value(given: object) -> AnyValue:
        if isinstance(given, str):
            return AnyValue(string_value=given)
        if isinstance(given, int):
            return AnyValue(int_value=given)
        if isinstance(given, float):
            return AnyValue(double_value=given)
        items = cast("list[object]", given)
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in items]))

    def message(role: str, text: str) -> str:
        parts = [{"type": "text", "content": text}]
        return json.dumps([{"role": role, "parts": parts}])

    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=value("shop")))
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for number in range(N_SPANS):
        attributes: dict[str, object] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2026-08-07",
            "gen_ai.response.id": f"chatcmpl-{number:024d}",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.request.temperature": 0.2,
            "gen_ai.usage.input_tokens": 612 + number,
            "gen_ai.usage.output_tokens": 118,
            "gen_ai.conversation.id": f"conversation-{number:08d}",
            "server.address": "api.example.com",
            "server.port": 443,
            "gen_ai.input.messages": message("user", _WORDS * 4),
            "gen_ai.output.messages": message("assistant", _WORDS * 2),
        }
        if number % NAMED_EVERY == 0:
            attributes |= {"gen_ai.prompt.name": PROMPT, "gen_ai.prompt.version": "1"}
        span = scope.spans.add()
        span.trace_id = _PLACE
        span.span_id = (number + 1).to_bytes(8, "big")
        span.name = "chat gpt-5-mini"
        span.kind = SentSpan.SPAN_KIND_CLIENT
        span.start_time_unix_nano = 1_790_000_000_000_000_000
        span.end_time_unix_nano = 1_790_000_001_250_000_000
        span.attributes.extend(KeyValue(key=k, value=value(v)) for k, v in attributes.items())
    return request.SerializeToString().split(_PLACE)


class Sender:
    """One connection to a receiver."""

    def __init__(self, address: str, path: str, headers: Mapping[str, str]) -> None:
        self.parts = parts_of_body()
        self.n_bytes = sum(map(len, self.parts)) + 16 * N_SPANS
        place = urlsplit(address)
        self.place = (place.hostname or "", place.port or 0)
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: {place.netloc}\r\n{lines}"
            f"Content-Type: application/x-protobuf\r\nContent-Length: {self.n_bytes}\r\n\r\n"
        ).encode()
        self.socket: socket.socket | None = None

    def send(self, trace_id: bytes) -> int:
        """Send one trace and return the status of the answer. Raises OSError."""
        if self.socket is None:
            self.socket = socket.create_connection(self.place, timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(self.head + trace_id.join(self.parts))
            return self._status()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _status(self) -> int:
        assert self.socket is not None
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(x[15:]) for x in lines if x.startswith(b"content-length:")), 0)
        while len(rest) < length:
            rest += self._more()
        return int(head.split(b" ", 2)[1])

    def _more(self) -> bytes:
        assert self.socket is not None
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionResetError("closed by the receiver")
        return data


def send_again(address: str, traces: Sequence[str]) -> None:
    """Send traces of which nobody knows whether they were stored."""
    sender = Sender(address, "/v1/traces", {})
    try:
        for trace in traces:
            status = sender.send(bytes.fromhex(trace))
            assert status == 200, f"{status} instead of 200"
    finally:
        sender.close()


def main(address: str, seconds: float, headers: Mapping[str, str], path: str) -> Sent:
    """Send until the time is over or the connection breaks."""
    sender = Sender(address, path, headers)
    sent = Sent()
    end_s = time.perf_counter() + seconds
    while (begin_s := time.perf_counter()) < end_s:
        trace_id = os.urandom(16)
        try:
            status = sender.send(trace_id)
        except OSError:
            sent.unanswered = trace_id.hex()
            break
        sent.seconds.append(time.perf_counter() - begin_s)
        if status == 200:
            sent.acked.append(trace_id.hex())
        else:
            sent.refused[str(status)] = sent.refused.get(str(status), 0) + 1
    sender.close()
    return sent


if __name__ == "__main__":
    given: dict[str, str] = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    where = sys.argv[4] if len(sys.argv) > 4 else "/v1/traces"
    done = main(sys.argv[1], float(sys.argv[2]), given, where)
    print(json.dumps(asdict(done)))
