"""What is looked at before the search for personal data and secrets leaves nothing out."""

from __future__ import annotations

import random

import pytest

from promptyard.records.personal_data import FINDERS, find_personal_data
from promptyard.records.secrets import find_secrets, may_hold_secrets

SEEDS = (
    *("378282246310005", "4111 1111 1111 1111", "4111-1111-1111-1111", "536-90-4399"),
    *("GB29NWBK60161331926819", "DE89 3704 0044 0532 0130 00", "+44 20 7946 0958"),
    *("+1.(415)5550123", "0049 30 1234567", "(415) 555-0123", "415.555.0123", "10.2.3.4"),
    *("2001:db8::ff00:42:8329", "abcd::ef:a", "ada@example.com"),
)
NOISE = '0123456789 -./():@+abXYZGBDE\n"'


@pytest.mark.parametrize("kind", FINDERS)
def test_whatever_a_finder_finds_is_found(kind: str) -> None:
    chance = random.Random(kind)
    n_found = 0
    for _ in range(4_000):
        seed = chance.choice(SEEDS)
        text = "".join(chance.choice(NOISE) if chance.random() < 0.05 else sign for sign in seed)
        text = chance.choice(("", " ", "x: ", '"')) + text + chance.choice(("", " ", ".", '"'))
        expected = {key for _, key in FINDERS[kind](text)}
        n_found += len(expected)
        assert {found.key for found in find_personal_data(text, frozenset({kind}))} == expected, (
            text
        )
    assert n_found > 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token: 'aB3dE5gH7jK9mN1pQ'", ["secret value"]),
        ("aB3dE5gH7jK9mN1pQ", []),
        ("the password is\taB3dE5gH7jK9mN1pQ", []),
        ("password=aB3dE5gH7jK9mN1pQ", ["secret value"]),
        ("é sk-abcdefghij0123456789", ["api key"]),
        ("redis://me:secret@host", ["password in a URL"]),
        ("a run of fifteen: aB3dE5gH7jK9mN1", []),
    ],
)
def test_secrets_are_found_in_short_texts_too(text: str, expected: list[str]) -> None:
    assert [found.kind for found in find_secrets(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "redis://me:secret@host",
        "-----BEGIN PRIVATE KEY-----",
        "hooks.slack.com/services/T012345/B012345/abcdefghijklmnop",
        "sk-abcdefghij0123456789",
        "token: aB3dE5gH7jK9mN1pQ",
    ],
)
def test_a_text_with_a_secret_may_hold_one(text: str) -> None:
    assert list(find_secrets(f"so: {text}"))
    assert may_hold_secrets(text)
    assert not may_hold_secrets("The customer asks where the parcel is; order 4711.")
