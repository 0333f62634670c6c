"""The fault server itself, spoken to without any of our own client code."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from support.chat_server import Body, ChatServer, Fault
from support.service_images import PIXEL_URL

BODY = {"model": "m1", "messages": [{"role": "user", "content": "one two"}]}


def _connection(server: ChatServer, timeout_s: float = 10.0) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=timeout_s)


def _post(
    server: ChatServer, raw: bytes | None = None, path: str = "/v1/chat/completions"
) -> tuple[int, bytes]:
    connection = _connection(server)
    try:
        connection.request("POST", path, json.dumps(BODY) if raw is None else raw)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_answers_in_the_wire_format_and_remembers_the_request() -> None:
    with ChatServer(lambda body: body["messages"][0]["content"].upper()) as server:
        status, raw = _post(server)
        document = json.loads(raw)
        assert status == 200
        assert document["choices"][0]["message"]["content"] == "ONE TWO"
        assert document["choices"][0]["finish_reason"] == "stop"
        assert document["model"] == "m1"
        assert document["usage"]["completion_tokens"] == 2
        (received,) = server.requests
        assert (received.path, received.body) == ("/v1/chat/completions", BODY)
        assert received.headers["content-length"]
        server.reset()
        assert server.n_requests == 0


def test_fields_of_a_dict_are_merged_over_the_answer() -> None:
    with ChatServer(lambda _: {"usage": None, "extra": 1}) as server:
        document = json.loads(_post(server)[1])
    assert (document["usage"], document["extra"]) == (None, 1)
    assert document["object"] == "chat.completion"


def test_faults_are_chosen_by_the_number_of_the_request() -> None:
    def faults(index: int, body: Body) -> Fault | None:
        assert body == BODY
        return Fault.status(503, retry_after=2) if index == 1 else None

    with ChatServer(faults=faults) as server:
        assert [_post(server)[0] for _ in range(3)] == [200, 503, 200]
        server.reset()
        assert [_post(server)[0] for _ in range(2)] == [200, 503]


def test_what_is_no_chat_completion_is_an_error() -> None:
    with ChatServer() as server:
        assert _post(server, raw=b"{")[0] == 400
        assert _post(server, path="/v1/embeddings")[0] == 404


STRICT: dict[str, Any] = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": False,
}


def _format(schema: Any, *, strict: bool = True) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


def _image(url: str, role: str = "user") -> list[Any]:
    return [{"role": role, "content": [{"type": "image_url", "image_url": {"url": url}}]}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": _format(STRICT)}, None),
        ({"response_format": _format({"type": "object"}, strict=False)}, None),
        ({"messages": _image("https://h/a.png")}, None),
        ({"messages": _image(PIXEL_URL)}, None),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "json_schema.name"),
        ({"response_format": _format({"type": "array"}, strict=False)}, "must be a JSON Schema"),
        ({"response_format": _format({"type": "object"})}, "'additionalProperties' is required"),
        ({"response_format": _format(STRICT | {"oneOf": []})}, "'oneOf' is not permitted"),
        (
            {"response_format": _format(STRICT | {"properties": {"a": {"type": "string"}}})},
            "'required' is required to include every key",
        ),
        ({"messages": _image("picture.png")}, "expected a base64 data URL"),
        ({"messages": _image("data:image/png;base64,bm8=")}, "does not match"),
        ({"messages": _image(PIXEL_URL, role="system")}, "only allowed for role 'user'"),
    ],
)
def test_formats_and_images_are_held_to_the_rules_of_the_service(
    fields: dict[str, Any], said: str | None
) -> None:
    with ChatServer() as server:
        status, raw = _post(server, json.dumps(BODY | fields).encode())
    assert status == (200 if said is None else 400)
    assert said is None or said in json.loads(raw)["error"]["message"]


def test_requests_in_flight_are_counted() -> None:
    with ChatServer(latency_s=0.2) as server:
        threads = [threading.Thread(target=_post, args=(server,)) for _ in range(5)]
        for thread in threads:
            thread.start()
        _until(lambda: server.n_in_flight == 5)
        for thread in threads:
            thread.join()
        assert server.max_in_flight == 5
        assert server.n_in_flight == 0


def test_a_client_that_goes_away_is_noticed() -> None:
    with ChatServer(faults=lambda _i, _b: Fault.hang(60)) as server:
        connection = _connection(server)
        connection.request("POST", "/v1/chat/completions", json.dumps(BODY))
        _until(lambda: server.n_in_flight == 1)
        connection.close()
        _until(lambda: server.n_in_flight == 0 and server.n_connections == 0)


def test_a_client_process_may_be_killed() -> None:
    program = (
        "import http.client, sys\n"
        "connection = http.client.HTTPConnection(sys.argv[1])\n"
        "connection.request('POST', '/v1/chat/completions', sys.argv[2])\n"
        "connection.getresponse()\n"
    )
    with ChatServer(faults=lambda index, _: Fault.hang(60) if index == 0 else None) as server:
        address = urlsplit(server.base_url).netloc
        client = subprocess.Popen([sys.executable, "-c", program, address, json.dumps(BODY)])
        _until(lambda: server.n_in_flight == 1)
        client.kill()
        client.wait(10)
        _until(lambda: server.n_in_flight == 0)
        assert _post(server)[0] == 200


@pytest.mark.parametrize("fault", [Fault.hang(60), Fault.slow_drip(60)])
def test_it_stops_at_once_though_requests_hang(fault: Fault) -> None:
    server = ChatServer(faults=lambda _i, _b: fault)
    with server:
        connections = [_connection(server) for _ in range(8)]
        for connection in connections:
            connection.request("POST", "/v1/chat/completions", json.dumps(BODY))
        _until(lambda: server.n_in_flight == 8)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert not [thread for thread in threading.enumerate() if thread.name == "model-server"]
    server.stop()
    for connection in connections:
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", connections[0].port), timeout=1)


def test_a_mistake_in_the_answer_of_the_test_comes_out() -> None:
    server = ChatServer(lambda body: body["no_such_key"]).__enter__()
    status, raw = _post(server)
    assert status == 500
    assert b"the test's own function failed" in raw
    with pytest.raises(KeyError, match="no_such_key"):
        server.__exit__(None, None, None)


def test_a_failure_of_the_test_itself_is_not_hidden() -> None:
    def fail() -> None:
        with ChatServer(lambda body: body["no_such_key"]) as server:
            _post(server)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
