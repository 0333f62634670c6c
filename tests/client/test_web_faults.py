"""Whatever a server does wrong, a prompt is answered within the deadline, cold and warm."""

from __future__ import annotations

import importlib
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from promptyard.client import Promptyard
from promptyard.errors import ConfigError
from support.cold import cold
from support.faulty_server import PATH, FaultyServer, etag_of, faulty_server
from support.manifests import TEXTS, manifest_of, write_manifest

FALLBACK = {"support": "user:\nBundled. {{question}}\n"}
STATES = {
    "down": "unreachable",
    "hung": "hung",
    "trickle": "hung",
    "trickling_head": "hung",
    "error": "server_error",
    "busy": "server_error",
    "unauthorized": "unauthorized",
    "forbidden": "unauthorized",
    "missing": "missing",
    "limited": "refused",
    "corrupt": "corrupt",
    "page": "corrupt",
    "nothing": "corrupt",
    "truncated": "corrupt",
    "truncated_gzip": "corrupt",
    "no_gzip": "corrupt",
    "brotli": "corrupt",
    "bomb": "too_large",
    "large": "too_large",
    "older": "older",
    "tampered": "tampered",
    "other_format": "other_format",
    "redirected": "redirected",
    "circle": "redirected",
    "no_http": "corrupt",
    "closed": "unreachable",
}
COLD = (
    "down",
    "hung",
    "trickle",
    "error",
    "unauthorized",
    "corrupt",
    "truncated",
    "older",
    "redirected",
)
faults = pytest.mark.parametrize("fault", STATES)


@pytest.fixture
def server() -> Generator[FaultyServer]:
    """A good server of revision 4, production at v2."""
    with faulty_server(manifest_of(revision=4, pointers={"production": 2})) as server:
        importlib.import_module("promptyard.client.web")  # a warm process has done so
        yield server


def break_(server: FaultyServer, fault: str) -> None:
    if fault == "down":
        server.stop()
    else:
        server.mode = fault


@faults
def test_a_warm_process_goes_on_with_its_memory(fault: str, server: FaultyServer) -> None:
    deadline_s = 3.0 if fault in ("bomb", "large", "down") else 0.4
    with Promptyard(server.url, deadline_s=deadline_s, fallback=FALLBACK) as client:
        assert client.prompt("support").reason == "pointer"
        break_(server, fault)
        began_s = time.monotonic()
        assert not client.refresh()
        assert time.monotonic() - began_s < deadline_s + 0.3
        began_s = time.monotonic()
        prompt = client.prompt("support", subject="ann")
        assert time.monotonic() - began_s < 0.1
        assert (prompt.version, prompt.text, prompt.reason) == (2, TEXTS[2], "cached")
        about = client.status()["source"]
        assert about["state"] == STATES[fault]
        assert about["url"] == server.url + PATH
        assert about["url"] in about["message"]
        assert "\n" not in about["message"]
        assert len(about["message"]) < 500


@pytest.mark.parametrize("fault", COLD)
def test_a_cold_process_serves_the_snapshot(
    fault: str, server: FaultyServer, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.json"
    write_manifest(snapshot, manifest_of(revision=4, pointers={"production": 2}))
    break_(server, fault)
    version, reason, age_s, state = cold(server.url, snapshot=snapshot, fallback=FALLBACK)
    assert (version, reason) == (2, "snapshot")
    assert 0.0 <= age_s < 600.0
    assert state == STATES[fault]


def test_a_cold_process_without_snapshot_serves_what_is_bundled(server: FaultyServer) -> None:
    for fault in ("error", "down"):
        break_(server, fault)
        assert cold(server.url, fallback=FALLBACK)[:3] == [0, "fallback", None]


def test_without_anything_the_error_names_the_server_in_time(server: FaultyServer) -> None:
    server.mode = "hung"
    kind, text = cold(server.url)
    assert kind == "NotFound"
    assert f"{server.url}{PATH} does not answer" in text
    assert "`promptyard serve` answers there" in text


@pytest.mark.parametrize("clock_s", [-3e9, 3e9, 1e12])
def test_a_wrong_clock_changes_no_answer(clock_s: float, server: FaultyServer) -> None:
    assert cold(server.url, clock_s=clock_s)[:2] == [2, "pointer"]


@pytest.mark.parametrize("fault", ["hung", "trickle", "error", "truncated", "closed", "older"])
def test_a_mended_server_is_served_again(fault: str, server: FaultyServer) -> None:
    with Promptyard(server.url, deadline_s=0.1, poll_s=0.05) as client:
        client.prompt("support")
        server.mode = fault
        client.refresh()
        server.value = manifest_of(revision=6, pointers={"production": 3})
        server.mode = "ok"
        wait_for(lambda: client.prompt("support").version == 3)
        wait_for(lambda: client.prompt("support").reason == "pointer")
        wait_for(lambda: client.status()["source"]["state"] == "ok")


def test_reads_of_a_hung_server_end_by_themselves(server: FaultyServer) -> None:
    before = set(threading.enumerate())  # other tests leave threads that hang at files
    with Promptyard(server.url, deadline_s=0.05, poll_s=1000) as client:
        client.prompt("support")
        for fault in ("hung", "trickle", "trickling_head"):
            server.mode = fault
            for _ in range(3):
                client.refresh()
        wait_for(
            lambda: "promptyard-source" not in {t.name for t in set(threading.enumerate()) - before}
        )


def test_what_is_unchanged_is_not_sent_again_but_confirmed(server: FaultyServer) -> None:
    with Promptyard(server.url) as client:
        client.prompt("support")
        time.sleep(0.05)
        for _ in range(3):
            assert client.refresh()
        age_s = client.prompt("support").age_s
        assert age_s is not None
        assert age_s < 0.05
    headers = [headers for path, headers in server.asked if path == PATH]
    assert len(headers) == 4
    etag = etag_of(server.value)
    assert [one.get("if-none-match") for one in headers] == [None, etag, etag, etag]


def test_a_server_that_says_unchanged_to_who_has_nothing_is_at_fault(server: FaultyServer) -> None:
    server.mode = "unasked_304"
    with Promptyard(server.url, fallback=FALLBACK) as client:
        assert client.prompt("support").reason == "fallback"
        assert "answers 304 to who has nothing" in client.status()["source"]["message"]


def test_compressed_answers_and_redirects_within_the_server_are_read(server: FaultyServer) -> None:
    for mode in ("gzip", "moved"):
        server.mode = mode
        with Promptyard(server.url) as client:
            assert client.prompt("support").version == 2
            assert client.status()["source"]["state"] == "ok"


def test_the_key_is_sent_to_the_server_and_to_nobody_else(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTYARD_KEY", "py_env_secret\n")
    with faulty_server(server.value) as other:
        for key, sent in ((None, "py_env_secret"), ("py_own_secret", "py_own_secret")):
            server.mode = "moved"
            with Promptyard(server.url, key=key) as client:
                assert client.prompt("support").version == 2
                assert {h["authorization"] for _, h in server.asked} == {f"Bearer {sent}"}
                server.mode, server.elsewhere = "redirected", other.url + PATH
                assert not client.refresh()
                message = client.status()["source"]["message"]
                assert f"sends us to {other.url}{PATH} (302), where the key is not sent" in message
                assert sent not in str(client.status())
            server.asked.clear()
        assert not other.asked


def test_proxies_of_the_environment_are_used(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Promptyard("http://prompts.example:8700", fallback=FALLBACK) as client:
        client.prompt("support")
        assert server.asked[0][0] == f"http://prompts.example:8700{PATH}"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Promptyard(server.url) as client:
        assert client.prompt("support").version == 2


def test_a_file_on_a_web_server_is_read_like_any_other(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTYARD_KEY", "py_env_secret")
    # The server answers at no other path, so this says that nothing is added to the URL.
    with Promptyard(f"{server.url}/static/manifest.json", fallback=FALLBACK) as client:
        assert client.prompt("support").reason == "fallback"
        assert server.asked[0][0] == "/static/manifest.json"
        assert client.status()["source"]["state"] == "missing"
        assert "authorization" not in server.asked[0][1]  # the key of the service is not its own


@pytest.mark.parametrize("end", ["", "/", PATH, f"{PATH}/"])
def test_a_service_is_named_by_its_address_or_that_of_its_manifest(
    end: str, server: FaultyServer
) -> None:
    with Promptyard(server.url.replace("http", "HTTP") + end) as client:
        assert client.prompt("support").version == 2


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("http://", None, "is no URL"),
        ("http://host:port", None, "is no URL"),
        ("http://host:99999", None, "is no URL"),
        ("http://ho st", None, "is no URL"),
        ("http://ann:secret@host", None, "a URL holds no secret"),
        ("http://host?key=secret", None, "a query or a fragment"),
        ("http://host", "py_a\r\nX-Evil: 1", "signs in it that no key has"),
        ("manifest.json", "py_a_b", "a key is for a service"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_at_once(
    url: str, key: str | None, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Promptyard(url, key=key)
    assert "secret@" not in str(caught.value)


def test_a_certificate_is_believed_only_where_somebody_vouches_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=me"
    told = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *made.split(), *told], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with faulty_server(manifest_of(revision=4, pointers={"production": 2}), tls) as server:
        with Promptyard(server.url, fallback=FALLBACK) as client:
            assert client.prompt("support").reason == "fallback"
            about = client.status()["source"]
            assert about["state"] == "unreachable"
            assert "its certificate is not trusted: self" in about["message"]
            assert not server.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert cold(server.url)[:2] == [2, "pointer"]


def wait_for(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.01)
