"""Hostile requests end in a clear 4xx, and the service answers the next one."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import re
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from promptyard.service.access import SCOPE_FIELD
from promptyard.service.requests import ServiceRoute
from promptyard.service.routes import ROUTERS
from promptyard.service.strict_json import strict_json
from support.served import Answer, Service, served

KEYS = "/api/v1/keys"
DOCUMENT = "/api/v1/openapi.json"
PROBLEM = "application/problem+json"
BODY_LIMIT = 4096
OPENED_LIMIT = 8192


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    limits = {"max_body_bytes": BODY_LIMIT, "max_decompressed_bytes": OPENED_LIMIT}
    limits |= {"max_header_bytes": 8192, "requests_per_s": 10**6, "burst": 10**6}
    with served(folder, **limits) as running:
        running.key = running.new_key("admin", name="root")
        running.state.access.forget()
        yield running


@pytest.fixture(autouse=True)
def still_well(service: Service, caplog: pytest.LogCaptureFixture) -> Generator[None]:
    """After each: nothing failed unforeseen, and the service answers."""
    with caplog.at_level(logging.WARNING):
        yield
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == []
    assert service.get("/readyz").status == 200


def refused(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json["status"] == status
    assert answer.json["detail"]
    return answer.json


def raw(service: Service, *parts: bytes, wait_s: float = 5) -> bytes:
    """Send bytes as they are and return everything that comes back until the end."""
    place = urlsplit(service.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=wait_s) as line:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                line.sendall(part)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while part := line.recv(65536):
                got += part
    return got


def parsed(got: bytes) -> Answer:
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Answer(int(first.split()[1]), headers, body)


def head(service: Service, *lines: str, method: str = "POST", path: str = KEYS) -> bytes:
    place = urlsplit(service.url)
    given = (f"Host: {place.netloc}", f"Authorization: Bearer {service.key}", *lines)
    return "\r\n".join((f"{method} {path} HTTP/1.1", *given, "", "")).encode("latin-1")


def posted(service: Service, body: bytes, **headers: str) -> Answer:
    sent = {} if "content_type" in headers else {"Content-Type": "application/json"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return service.post(KEYS, body=body, headers=sent)


# bodies


def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_its_size(
    service: Service,
) -> None:
    refused(posted(service, b" " * (BODY_LIMIT + 1)), 413)
    # a length that is only claimed is refused before any of it is sent
    lines = ("Content-Type: application/json", "Connection: close", "Content-Length: 99999999999")
    refused(parsed(raw(service, head(service, *lines))), 413)
    chunked = ("Content-Type: application/json", "Connection: close", "Transfer-Encoding: chunked")
    chunk = b"400\r\n" + b" " * 0x400 + b"\r\n"
    refused(parsed(raw(service, head(service, *chunked), chunk * 5 + b"0\r\n\r\n")), 413)


def test_a_bomb_is_found_before_it_goes_off(service: Service) -> None:
    bomb = gzip.compress(b" " * 3_000_000)
    assert len(bomb) < BODY_LIMIT
    refused(posted(service, bomb, content_encoding="gzip"), 413)
    nested = gzip.compress(gzip.compress(b" " * 1_000_000))
    refused(posted(service, nested, content_encoding="gzip, gzip"), 415)
    refused(posted(service, nested, content_encoding="gzip"), 400)
    refused(posted(service, gzip.compress(b"{}")[:-4], content_encoding="gzip"), 400)
    refused(posted(service, gzip.compress(b"{}") * 2, content_encoding="gzip"), 400)
    refused(posted(service, b"{}", content_encoding="gzip"), 400)
    refused(posted(service, b"{}", content_encoding="br"), 415)
    refused(posted(service, b"{}", content_encoding="deflate"), 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'name': 1}",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": -1E+1000}',
        b'{"name": ' + b"9" * 400 + b".0}",
        b'{"name": ' + b"9" * 4000 + b"}",
        b'{"name": "x", "name": "y", "scopes": ["read"]}',
        b'{"name": {"a": 1, "\\u0061": 2}}',
        b"[" * 2000,
        b"[" * 1000 + b"]" * 1000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        b'\xef\xbb\xbf{"name": "x"}',
        '{"name": "x"}'.encode("utf-16"),
        b'{"name": "x"} trailing',
        b'{"name": "a\x00b"}',
        b'{"name": 01}',
        b'{"name": "x",}',
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_what_is_no_json_is_refused(service: Service, body: bytes) -> None:
    assert posted(service, body).status in (400, 422)
    refused(posted(service, body), posted(service, body).status)


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "text/html", "application/xml", "multipart/form-data; boundary=x"],
)
def test_what_is_not_said_to_be_json_is_refused(service: Service, kind: str) -> None:
    refused(posted(service, b"{}", content_type=kind), 415)


def test_a_form_from_a_page_is_no_request(service: Service) -> None:
    kind = "application/x-www-form-urlencoded"
    refused(posted(service, b"name=x&scopes=admin", content_type=kind), 415)


# paths, methods and queries


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/keys/%2e%2e/keys",
        "/api/v1/keys/../../../etc/passwd",
        "/api/v1/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/v1/keys/%00",
        "/api/v1/keys%00",
        "/api/v1/keys%2f",
        "/api/v1/keys/",
        "//api/v1/keys",
        "//evil.example/api/v1/keys",
        "/api//v1/keys",
        "/API/V1/KEYS",
        "/api/v1/keys;a=b",
        "/api/v1/keys/%ff%fe",
        "/api/v1/keys/%0d%0aX-Bad:%20yes",
        "/api/v1/keys/\\..\\",
        "/healthz/../api/v1/keys",
        "/api/v1/keys/" + "a" * 3000,
        "/openapi.json",
        "/docs",
        "/.env",
    ],
)
def test_a_path_is_taken_as_it_is(service: Service, path: str) -> None:
    for method in ("GET", "DELETE"):
        got = raw(service, head(service, "Connection: close", method=method, path=path))
        answer = parsed(got)
        assert answer.status in (400, 404, 405, 422), answer.body
        refused(answer, answer.status)
        assert "x-bad" not in answer.headers


def test_other_methods_and_words_of_a_method_change_nothing(service: Service) -> None:
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "HEAD", "PROPFIND"):
        assert service.ask(method, KEYS).status == 405
    assert raw(service, head(service, method="BREW", path="/")).startswith(b"HTTP/1.1 400 ")
    before = service.get(KEYS).json["items"]
    headers = {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
    key_id = before[0]["id"]
    for path in (f"{KEYS}/{key_id}", f"{KEYS}/{key_id}?_method=DELETE"):
        assert service.get(path, headers=headers).status == 405
    assert service.get(KEYS).json["items"] == before


ABSURD = ("-1", "0", "1e999", "NaN", "9" * 30, "%00", "%ff", "a" * 600, "[]", "null", "%ED%A0%80")


def test_absurd_queries_are_answered_and_never_fail(service: Service) -> None:
    """Every parameter of every route, whoever wrote it."""
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, ServiceRoute)
            names = [item.alias for item in route.dependant.query_params]
            values = [(name, value) for name in names for value in ABSURD]
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            for name, value in values:
                answer = status_of(service, min(route.methods or ()), f"{path}?{name}={value}")
                assert answer < 500, (path, name, value)


def test_absurd_names_in_paths_are_answered_and_never_fail(service: Service) -> None:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, ServiceRoute)
            if "{" not in route.path or SCOPE_FIELD not in (route.openapi_extra or {}):
                continue
            for value in (*ABSURD, "%0a", "..%2f..", "%F0%9F%92%A9", "%e2%80%ae"):
                path = re.sub(r"\{[^}]*\}", value, route.path)
                answer = status_of(service, min(route.methods or ()), path)
                assert answer < 500, path


def status_of(service: Service, method: str, path: str) -> int:
    """Return the status alone: a stream of events would never end."""
    lines = ("Connection: close", "Content-Length: 0", "Content-Type: application/json")
    place = urlsplit(service.url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as line:
        line.sendall(head(service, *lines, method=method, path=path))
        return int(line.recv(200).split()[1])


@pytest.mark.parametrize(
    "cursor",
    ["x", "-", "W10", "OTk5" * 7, "LTE", "MS41", "dHJ1ZQ", "%00", "🙂"],
)
def test_a_cursor_of_another_list_is_refused(service: Service, cursor: str) -> None:
    for path in (KEYS, "/api/v1/audit"):
        answer = service.get(f"{path}?cursor={quote(cursor, safe='%')}")
        refused(answer, 400)


# HTTP itself


def test_what_could_be_read_as_two_requests_is_none(service: Service) -> None:
    smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    both = ("Content-Type: application/json", "Content-Length: 5", "Transfer-Encoding: chunked")
    for lines in (
        both,
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: +2",),
        ("Content-Length: -1",),
        ("Content-Length: 0x2",),
        ("Content-Length: 99999999999999999999999",),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding : chunked",),
        ("X: a\nContent-Length: 5",),
        ("X: a\x00b",),
        (" Folded: yes",),
    ):
        got = raw(service, head(service, *lines), b"0\r\n\r\n" + smuggled)
        assert got.count(b"HTTP/1.1 ") == 1, (lines, got)
        refused(parsed(got), 400)
    bad_chunk = head(service, "Content-Type: application/json", "Transfer-Encoding: chunked")
    got = raw(service, bad_chunk, b"zz\r\n{}\r\n0\r\n\r\n")
    refused(parsed(got), 400)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_http_is_answered_and_closed(service: Service, sent: bytes) -> None:
    answer = parsed(raw(service, sent))
    refused(answer, answer.status if answer.status == 401 else 400)


def test_an_upgrade_is_not_taken(service: Service) -> None:
    lines = ("Connection: Upgrade, close", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    got = raw(service, head(service, *lines, method="GET"), wait_s=1)
    assert got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))


def test_floods_of_headers_are_cut_off(service: Service) -> None:
    for lines in (
        ("X: " + "a" * 20_000,),
        tuple(f"X-{number}: a" for number in range(2_000)),
        tuple("A:" for _ in range(2_000)),
    ):
        refused(parsed(raw(service, head(service, *lines))), 431)
    refused(parsed(raw(service, head(service, path="/" + "a" * 20_000))), 431)
    endless = b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 9_000  # its end never comes
    refused(parsed(raw(service, endless)), 431)


def test_a_key_is_sent_once(service: Service) -> None:
    lines = (f"Authorization: Bearer {service.key}", "Connection: close")
    refused(parsed(raw(service, head(service, *lines, method="GET"))), 401)


def test_what_a_proxy_says_is_not_believed(service: Service) -> None:
    headers = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=6.6.6.6",
    }
    service.post(KEYS, {}, headers=headers)
    assert service.get("/api/v1/audit?limit=1").json["items"][0]["address"] == "127.0.0.1"


# texts


INJECTIONS = (
    "{{7*7}}",
    "{{prompt}}",
    "${7*7}",
    "{% raw %}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "@SUM(1)",
    "'; DROP TABLE api_keys; --",
    "../../etc/passwd",
    "%s%n%d",
    "é漢🙂",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_text_stays_a_text(service: Service, text: str) -> None:
    made = service.post(KEYS, {"name": text, "scopes": ["read"]})
    assert made.status == 201
    assert made.json["key"]["name"] == text
    key_id = made.json["key"]["id"]
    assert text in [item["name"] for item in service.get(f"{KEYS}?limit=1000").json["items"]]
    last = service.get("/api/v1/audit?limit=1").json["items"][0]
    assert last["detail"] == {"key": key_id, "name": text, "scopes": ["read"]}
    service.ask("DELETE", f"{KEYS}/{key_id}")


def test_no_path_writes_lines_of_its_own_into_the_log(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr("promptyard.service.routes.health.Health", fail)
    answer = service.get("/healthz?x=%0aERROR%20forged%1b[2J")
    assert answer.status == 500
    assert "inside" not in answer.body.decode()
    (record,) = [item for item in caplog.records if item.name == "promptyard.service"]
    assert record.getMessage() == "GET /healthz failed"
    caplog.clear()


def test_errors_repeat_hostile_texts_harmlessly(service: Service) -> None:
    answer = service.post(KEYS, {"na\x1b[2Jme\n": 1, "\u202e": 2})
    problem = refused(answer, 422)
    assert b"\x1b" not in answer.body
    assert answer.body.isascii()
    assert len(problem["errors"]) == 3


# time and number


def test_who_is_slow_is_not_waited_for(tmp_path: Path) -> None:
    with served(tmp_path, read_timeout_s=0.3) as service:
        service.key = service.new_key("admin")
        service.state.access.forget()
        began_s = time.monotonic()
        assert raw(service) == b""  # says nothing
        refused(parsed(raw(service, b"GET /healthz HTTP/1.1\r\n")), 408)
        length = ("Content-Type: application/json", "Content-Length: 50", "Connection: close")
        refused(parsed(raw(service, head(service, *length), b"{")), 408)
        assert time.monotonic() - began_s < 4
        assert service.get("/healthz").status == 200


def test_idle_connections_make_room_and_busy_ones_do_not(tmp_path: Path) -> None:
    with served(tmp_path, max_connections=3, read_timeout_s=5) as service:
        service.key = service.new_key("admin")
        place = urlsplit(service.url)
        address = (place.hostname or "", place.port or 0)
        with contextlib.ExitStack() as stack:
            for _ in range(6):
                stack.enter_context(socket.create_connection(address))
            assert service.get("/healthz").status == 200  # an idle one was closed for it
        with contextlib.ExitStack() as stack:
            for number in range(3):  # one sender alone gets half of them
                service.key = service.new_key("admin", name=f"n{number}")
                line = stack.enter_context(socket.create_connection(address))
                sent = head(service, "Content-Type: application/json", "Content-Length: 9")
                line.sendall(sent)
            time.sleep(0.2)
            refused(parsed(raw(service, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")), 503)
        time.sleep(0.1)
        assert service.get("/healthz").status == 200


def unread(service: Service, n_answers: int, buffer_bytes: int = 4096) -> socket.socket:
    """Ask for the largest document that is open to all, so often, and read nothing of it."""
    place = urlsplit(service.url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    line.settimeout(10)
    line.connect((place.hostname or "", place.port or 0))
    line.sendall(f"GET {DOCUMENT} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode() * n_answers)
    return line


def n_bytes_of(line: socket.socket, *, pause_s: float = 0.0, most: int = 1 << 30) -> int:
    """Read until the connection ends, or there are so many."""
    n_bytes = 0
    with contextlib.suppress(ConnectionError):
        while n_bytes < most and (part := line.recv(1 << 16)):
            n_bytes += len(part)
            time.sleep(pause_s)
    return n_bytes


def test_who_reads_no_answer_makes_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("promptyard.service.connection.STALLED_S", 0.2)
    with served(tmp_path, max_connections=4) as service, contextlib.ExitStack() as stack:
        key = service.new_key("admin")
        size = len(service.get(DOCUMENT).body)
        lines: list[socket.socket] = []
        for _ in range(10):
            lines.append(stack.enter_context(unread(service, 20)))
            time.sleep(0.05)
        deadline = time.monotonic() + 5
        while service.get(KEYS, key=key).status == 503:
            assert time.monotonic() < deadline, "those who read nothing hold all connections"
            time.sleep(0.05)
        for _ in range(10):
            assert service.get(KEYS, key=key).status == 200
        assert n_bytes_of(lines[0]) < 20 * size  # it was cut off, and not just forgotten
    assert capfd.readouterr().err == ""


def test_an_answer_of_which_nothing_is_taken_is_given_up(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path, read_timeout_s=0.3) as service:
        size = len(service.get(DOCUMENT).body)
        with unread(service, 10) as line:
            time.sleep(0.7)
            assert n_bytes_of(line) < 10 * size
        with unread(service, 3, 1 << 16) as slow:  # takes longer than that, and all of it
            began_s = time.monotonic()
            assert n_bytes_of(slow, pause_s=0.02, most=3 * size) >= 3 * size
            assert time.monotonic() - began_s > 0.6
    assert capfd.readouterr().err == ""


def test_a_key_has_so_many_streams_open(tmp_path: Path) -> None:
    with served(tmp_path, max_streams=2) as service:
        service.key = service.new_key("read")
        place = urlsplit(service.url)
        address = (place.hostname or "", place.port or 0)
        sent = head(service, method="GET", path="/api/v1/manifest/events")
        last = sent.replace(b"Host:", b"Connection: close\r\nHost:")
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                line = stack.enter_context(socket.create_connection(address, timeout=5))
                line.sendall(sent)
                assert b"200 OK" in line.recv(200)
            refused(
                parsed(raw(service, last)),
                429,
            )
        deadline = time.monotonic() + 5
        while True:  # those that are closed no longer count
            with socket.create_connection(address, timeout=5) as line:
                line.sendall(sent)
                if b"200 OK" in line.recv(200):
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)


# without keys


def test_pages_of_other_places_are_not_answered_without_keys(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        own = urlsplit(service.url).netloc
        wanted = {"name": "x", "scopes": ["admin"]}
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://[", ""):
            answer = service.post(KEYS, wanted, headers={"Origin": origin})
            refused(answer, 403)
        for hosts in (("localhost", "evil.example"), ("evil.example", "localhost")):
            lines = [f"Host: {host}" for host in hosts]
            sent = "\r\n".join(("GET /healthz HTTP/1.1", *lines, "Connection: close", "", ""))
            answer = parsed(raw(service, sent.encode()))
            refused(answer, answer.status)
            assert answer.status in (400, 421)
        assert service.get(KEYS).json["items"] == []
        assert service.get(KEYS, headers={"Origin": f"http://{own}"}).status == 200


def test_json_that_is_fine_is_taken(service: Service) -> None:
    body = json.dumps({"name": "fine", "scopes": ["read"], "expires_in_s": 1e3}).encode()
    assert posted(service, body).status == 201
    assert posted(service, gzip.compress(body), content_encoding="gzip").status == 201
    assert posted(service, body, content_type="application/json; charset=utf-8").status == 201


def test_many_names_of_which_one_is_doubled_are_refused_at_once() -> None:
    names = ",".join(f'"n{number}":0' for number in range(50_000))
    body = f'{{{names},"n49999":1}}'.encode()
    began_s = time.process_time()
    with pytest.raises(ValueError, match="'n49999' occurs twice"):
        strict_json(body)
    assert time.process_time() - began_s < 5  # looked for one by one it took minutes


def test_many_short_values_are_refused_before_they_are_read() -> None:
    with pytest.raises(ValueError, match="1,000,000 values"):
        strict_json(b"[" + b"[]," * 500_000 + b"[]]")
    assert len(strict_json(b"[" + b"0," * 999_000 + b"0]")) == 999_001


def test_a_body_that_becomes_very_much_larger_is_refused(tmp_path: Path) -> None:
    with served(tmp_path) as usual:  # with the limits that are set where nobody sets any
        answers = {
            n_bytes: usual.post(
                "/ofrep/v1/evaluate/flags",
                body=gzip.compress(b'{"context":{"x":"' + b" " * n_bytes + b'"}}'),
                headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
            )
            for n_bytes in (900_000, 20_000_000)
        }
    assert answers[900_000].status == 200, "a small body may shrink as much as it likes"
    assert answers[20_000_000].status == 413
    assert "100 times what was sent" in answers[20_000_000].json["detail"]
