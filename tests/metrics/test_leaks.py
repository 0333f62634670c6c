"""Laws of the checks of secrets and personal data: checksums, masks, what is allowed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.metrics.leaks import MAX_FINDINGS, masked, texts_within
from promptyard.records.personal_data import (
    FINDERS,
    IBAN_LENGTHS,
    find_personal_data,
    passes_luhn,
    passes_mod_97,
)
from promptyard.records.secrets import entropy, find_secrets

from .grading import grade

ALL = frozenset(FINDERS)
DIGITS = st.text("0123456789", min_size=12, max_size=18)


@given(DIGITS)
def test_exactly_one_check_digit_passes_luhn(digits: str) -> None:
    assert sum(passes_luhn(digits + check) for check in "0123456789") == 1


@given(DIGITS, st.data())
def test_luhn_notices_every_single_wrong_digit(digits: str, data: st.DataObject) -> None:
    whole = next(digits + check for check in "0123456789" if passes_luhn(digits + check))
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != whole[at]]))
    assert not passes_luhn(whole[:at] + other + whole[at + 1 :])


def _iban(country: str, account: str) -> str:
    return next(
        iban
        for check in range(2, 99)
        if passes_mod_97(iban := f"{country}{check:02}{account[: IBAN_LENGTHS[country] - 4]}")
    )


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.text("0123456789ABCXYZ", min_size=29, max_size=29))
def test_an_iban_of_every_country_is_found_with_and_without_blanks(
    country: str, account: str
) -> None:
    iban = _iban(country, account)
    grouped = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    for written in (iban, grouped):
        (found,) = find_personal_data(f"Pay to {written}, please.", frozenset({"iban"}))
        assert found.key == iban
    assert not list(find_personal_data(f"Pay to {iban}7", frozenset({"iban"})))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "a@b.co"),
        ("email", "müller@straße.example"),
        ("credit_card", "378282246310005"),
        ("credit_card", "5555-5555-5555-4444"),
        ("credit_card", "6011 1111 1111 1117"),
        ("credit_card", "3530111333300000"),
        ("credit_card", "4111 1111 1111 1111 9999 123"),
        ("iban", "GB29NWBK60161331926819"),
        ("iban", "FR14 2004 1010 0505 0001 3M02 606 and"),
        ("us_ssn", "078-05-1120"),
        ("phone", "+44 20 7946 0958"),
        ("phone", "0044 20 7946 0958"),
        ("phone", "1-800-555-0199"),
        ("phone", "tel:212.555.0123"),
        ("phone", "tel:+33.1.23.45.67.89"),
        ("ip", "192.0.2.44:8080"),
        ("ip", "[2001:db8::8a2e:370:7334]"),
    ],
)
def test_each_kind_is_found_alone(kind: str, text: str) -> None:
    kinds = {found.kind.replace(" ", "_") for found in find_personal_data(f"({text})", ALL)}
    assert kinds == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4.5, section 10.11.12",
        "2024-02-29T12:30:45Z",
        "0012345678901234567890",
        "0000 0000 0000 0000",
        "ISBN 978-3-16-148410-0",
        "a@b, @mention, user@localhost",
        "DE12 is a room",
        "12:34:56:78, fe::",
        "Call 911 or 110.",
        "1234567890",
    ],
)
def test_what_only_looks_like_personal_data_is_not_found(text: str) -> None:
    assert not list(find_personal_data(text, ALL))


@pytest.mark.parametrize(
    "text",
    [
        "github_pat_11ABCDEFG0abcdefghijkl_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijk",
        "xoxb-123456789012-abcdefABCDEF",
        "https://hooks.slack.com/services/T00000000/B00000000/abcdefABCDEF123456789012",
        "sk-ant-api03-abcdefghijklmnopqrstuvwx",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        "glpat-abcdefghij0123456789",
        "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMIK7MDENGbPxRfiCYzz0123456789",
        "Authorization: Bearer 7f3a9c0b5d2e8f41a6c7b9d0e2f4a6c8",
        '{"api_key": "q8Zt3Lw0Xr5Ke2Vb7Nm4"}',
    ],
)
def test_each_form_of_a_secret_is_found_and_never_shown(text: str) -> None:
    (score,) = grade("secret_leak", f"Here: {text}\n")
    assert score.tags == ("secret_leak",)
    assert score.span is not None
    secret = f"Here: {text}\n"[slice(*score.span)]
    assert secret not in score.reason
    assert secret[: len(secret) // 2] not in score.reason


@pytest.mark.parametrize(
    "text",
    [
        "The secret is to stay calm and carry on.",
        "max_tokens: 4096, token count 123456789012345678",
        "password: ****************",
        "api_key = os.environ['OPENAI_API_KEY']",
        "token=${GITHUB_TOKEN}",
        "sk-learn-is-not-a-key",
        "the key word was antidisestablishmentarianism1",
        "https://example.org:8080/path@version",
    ],
)
def test_what_only_looks_like_a_secret_is_not_found(text: str) -> None:
    assert not list(find_secrets(text))


@given(st.text(min_size=1))
def test_a_mask_shows_at_most_a_quarter(text: str) -> None:
    shown = masked(text).partition("…")[0]
    assert len(text) < 4 or shown.startswith("\\u") or len(shown) <= max(1, len(text) / 4)


@given(st.text(max_size=200))
def test_entropy_is_that_of_the_characters(text: str) -> None:
    assert 0 <= entropy(text) <= math.log2(max(1, len(set(text)))) + 1e-9


@given(st.text())
def test_what_the_user_said_may_be_said(text: str) -> None:
    given_input = {"ticket": f"{text} jane@example.com 4111111111111111"}
    for check in ("pii_leak", "secret_leak"):
        options = {"allow_from": "ticket"}
        (score,) = grade(check, given_input["ticket"], given=given_input, options=options)
        assert score.value == 1.0


def test_invisible_characters_and_wide_letters_hide_no_secret() -> None:
    key = "sk-" + "a1B2c3D4e5" * 4
    for text in (key[:9] + "\u200b" + key[9:], "\uff53\uff4b" + key[2:]):
        (found,) = grade("secret_leak", f"It is {text}.")
        assert found.tags == ("secret_leak",)
        allowed = {"allow_from": "mail"}
        (given,) = grade("secret_leak", f"It is {text}.", given={"mail": text}, options=allowed)
        assert given.value == 1.0


def test_many_finds_are_fifty_findings_that_share_one_weight() -> None:
    scores = grade("pii_leak", " ".join(f"user{n}@example.com" for n in range(1000)))
    assert len(scores) == MAX_FINDINGS
    assert sum(score.weight for score in scores) == pytest.approx(1.0)
    assert {(score.severity, score.dimension) for score in scores} == {("hard", "safety")}


def test_the_same_data_is_one_finding() -> None:
    scores = grade("pii_leak", "jane@example.com, JANE@example.com " * 3)
    assert len(scores) == 1


def test_texts_are_walked_in_their_order() -> None:
    assert list(texts_within({"a": ["b", 1, {"c": None}], "d": "e"})) == list("abcde")


@pytest.mark.parametrize("check", ["pii_leak", "secret_leak", "forbidden_content"])
@pytest.mark.parametrize(
    "piece",
    [
        "eyJ",
        "-eyJ",
        "a@",
        "a.",
        "4111 ",
        "+1 ",
        "token=",
        "DE89 ",
        "1.",
        ":",
        "://a:",
        "sk-",
        "\\u",
    ],
)
def test_an_answer_made_to_hold_up_the_patterns_is_graded(check: str, piece: str) -> None:
    options = {"values": ["word"]} if check == "forbidden_content" else {}
    assert grade(check, piece * (500_000 // len(piece)), options=options)
