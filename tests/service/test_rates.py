"""Who counts as one sender."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from promptyard.service.app import is_loopback
from promptyard.service.rates import WRONG_BURST, block_of
from support.served import served


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_a_sender_is_an_ipv4_address_or_a_block_of_ipv6(address: str, block: str) -> None:
    assert block_of(address) == block


def test_loopback_is_loopback_however_it_is_written() -> None:
    names = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost")
    assert all(map(is_loopback, names))
    assert not any(map(is_loopback, ("::", "0.0.0.0", "::ffff:192.0.2.7", "127.0.0.1.example")))


def test_ipv4_senders_of_an_ipv6_listener_are_told_apart_and_named(tmp_path: Path) -> None:
    """The system hands their addresses over as `::ffff:127.0.0.1`."""
    with served(tmp_path, host="::") as service:
        key = service.new_key("admin")
        port = urlsplit(service.url).port

        def status(sender: str, sent_key: str) -> int:
            line = http.client.HTTPConnection(
                "127.0.0.1", port, timeout=10, source_address=(sender, 0)
            )
            line.request("GET", "/api/v1/keys", headers={"Authorization": f"Bearer {sent_key}"})
            answer = line.getresponse()
            answer.read()
            line.close()
            return answer.status

        for _ in range(WRONG_BURST):
            assert status("127.0.0.2", "wrong") == 401
        assert status("127.0.0.2", "wrong") == 429
        assert status("127.0.0.3", "wrong") == 401
        assert (
            service.post("/api/v1/keys", {"name": "b", "scopes": ["read"]}, key=key).status == 201
        )
        (entry, *_) = service.get("/api/v1/audit", key=key).json["items"]
        assert entry["address"] == "127.0.0.1"
