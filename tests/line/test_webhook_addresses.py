"""Where webhooks may go: to what is public or allowed, and to what was checked."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence

import pytest

from promptyard.errors import ConfigError
from promptyard.line.name_resolution import resolve_by_system
from promptyard.line.webhook_addresses import (
    ALLOW_VARIABLE,
    Allowed,
    Place,
    addresses_of,
    is_public,
    read_allowed,
    read_url,
)

NOT_PUBLIC = (
    *("0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1"),
    *("192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::808:808", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::"),
    *("2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1"),
    "ff02::1",
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "223.255.255.255", "2606:4700::1")


def found(*addresses: str) -> list[str]:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    place = read_url("https://hooks.example/x")
    return list(asyncio.run(addresses_of(place, Allowed(), resolve)))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(ConfigError, match=f"not public.*{ALLOW_VARIABLE}"):
        found(address)
    with pytest.raises(ConfigError, match="not public"):
        found("8.8.8.8", address)  # all of them count, not the first


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert found(address) == [address]


@pytest.mark.parametrize(
    "host",
    [
        *(
            "localhost",
            "LOCALHOST",
            "localhost.",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
        ),
        *("0", "[::1]", "[::ffff:7f00:1]", "[::ffff:127.0.0.1]", "0x7f.1"),
    ],
)
def test_no_way_of_writing_this_machine_is_taken(host: str) -> None:
    place = read_url(f"http://{host}:8080/")
    with pytest.raises(ConfigError, match=r"not public|no address"):
        asyncio.run(addresses_of(place, Allowed(), resolve_by_system))


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://hooks.example/", "file:///etc/passwd", "gopher://hooks.example/"),
        *("//hooks.example/", "https://", "https:///x", "http://user:secret@hooks.example/"),
        *("http://user@hooks.example/", "http://@hooks.example/", "http://hooks.example:0/"),
        *("http://hooks.example:99999/", "http://hooks.example:x/", "http://hooks.example/#a"),
        *(
            "http://hooks.example/a b",
            "http://hooks.example/\n",
            "http://hooks.example\\@10.0.0.1/",
        ),
        *("http://hooks.example/\r\nX: y", "http://höst.example/", "http://[::1/", "http://a,b/"),
        *("javascript:alert(1)", "http://ho%73t.example/", "http://[fe80::1%25eth0]/"),
        "http://hooks.example/" + "a" * 2000,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_url(url)
    assert "secret" not in str(caught.value)
    assert str(caught.value).isascii()


def test_a_url_is_taken_apart() -> None:
    assert read_url("https://Hooks.Example/a?b=c%20d") == Place(
        "https", "hooks.example", 443, "/a?b=c%20d"
    )
    assert read_url("http://hooks.example:8080").netloc == "hooks.example:8080"
    assert read_url("http://[2606:4700::1]:80/").netloc == "[2606:4700::1]"


def test_hosts_and_blocks_can_be_allowed() -> None:
    allowed = read_allowed({ALLOW_VARIABLE: "hooks.internal, 10.1.0.0/16 ::1"})
    ten, other = ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("10.2.2.3")
    assert allowed.has("x", ten)
    assert allowed.has("x", ipaddress.ip_address("::1"))
    assert allowed.has("hooks.internal", other)
    assert not allowed.has("x.hooks.internal", other)
    assert read_allowed({}) == Allowed()
    for wrong in ("10.0.0.0/99", "10.0.0.1/8", "http://x/", "a b/8", "x\x1b"):
        with pytest.raises(ConfigError, match=ALLOW_VARIABLE):
            read_allowed({ALLOW_VARIABLE: wrong})


def test_a_host_without_an_address_is_named() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(ConfigError, match=r"hooks\.example has no address"):
        asyncio.run(addresses_of(read_url("https://hooks.example"), Allowed(), resolve))
