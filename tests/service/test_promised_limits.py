"""SECURITY.md promises the limits that the settings have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promptyard.config.service_shape import ServiceConfig
from promptyard.service.bodies import SMALL_BYTES
from promptyard.service.pages import MAX_PAGE
from promptyard.service.rates import WRONG_BURST, WRONG_PER_S
from promptyard.service.webhook_sender import MAX_ANSWER_BYTES

SETTINGS = ServiceConfig()


@pytest.mark.parametrize(
    "promise",
    [
        f"{SETTINGS.max_header_bytes >> 10} KiB (`max_header_bytes`",
        f"{SETTINGS.max_body_bytes >> 20} MiB (`max_body_bytes`",
        f"{SETTINGS.max_decompressed_bytes >> 20} MiB decompressed (`max_decompressed_bytes`",
        f"{SETTINGS.max_bodies_bytes >> 20} MiB of bodies together (`max_bodies_bytes`",
        f"bodies up to {SMALL_BYTES >> 10} KiB need no room",
        f"{SETTINGS.read_timeout_s:g} s each (`read_timeout_s`",
        f"{SETTINGS.max_connections:,} connections of which idle ones make room",
        f"{SETTINGS.requests_per_s:g} requests a second and key with bursts of {SETTINGS.burst}",
        f"{SETTINGS.max_streams} open streams a key (`max_streams`",
        f"{WRONG_BURST} wrong keys an address and {WRONG_PER_S * 60:g} a minute more",
        f"A page has up to {MAX_PAGE:,} items",
        f"{MAX_ANSWER_BYTES >> 10} KiB of an answer",
    ],
)
def test_a_promised_limit_is_the_one_that_holds(promise: str) -> None:
    page = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
    assert promise in re.sub(r"\s+", " ", page)
