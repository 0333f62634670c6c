"""Finds secrets in a text: by their form, and by the word before them. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from promptyard.records.sightings import Found

_TOKEN = r"[A-Za-z0-9_-]"  # noqa: S105 - a character class

_FORMATS: tuple[tuple[str, str], ...] = (
    ("aws_access_key", r"(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA)[A-Z2-7]{16}"),
    ("github_token", r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_\w{22,255}"),
    ("gitlab_token", rf"glpat-{_TOKEN}{{20,64}}"),
    ("slack_token", r"(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}"),
    ("api_key", rf"sk-{_TOKEN}{{20,255}}"),
    ("stripe_key", r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,255}"),
    ("google_key", rf"AIza{_TOKEN}{{35}}|GOCSPX-{_TOKEN}{{28}}|ya29\.{_TOKEN}{{20,255}}"),
    ("hugging_face_token", r"hf_[A-Za-z0-9]{34,64}"),
    ("npm_token", r"npm_[A-Za-z0-9]{36}"),
    ("pypi_token", rf"pypi-{_TOKEN}{{50,255}}"),
    ("sendgrid_key", rf"SG\.{_TOKEN}{{16,64}}\.{_TOKEN}{{16,64}}"),
    ("digitalocean_token", r"do[opr]_v1_[a-f0-9]{64}"),
    ("jwt", rf"eyJ{_TOKEN}{{10,4000}}\.eyJ{_TOKEN}{{10,4000}}\.{_TOKEN}{{10,4000}}"),
)
"""The prefixes that the makers document for their keys, with the lengths in use."""

# Whole runs, without looking behind: what begins inside of a run is shorter than the run.
_RUN = re.compile(r"[A-Za-z0-9+/_.~-]{16,}+={0,2}")
_ALIKE = b"a" * 16
_TO_ALIKE = bytes(
    97 if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "+/_.~-") else 32
    for code in range(256)
)
"""Makes all characters of runs alike, and all others blank."""
_KEYS = re.compile(
    rf"(?<!{_TOKEN})(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _FORMATS)
    + rf")(?!{_TOKEN})"
)
_TELLING = re.compile(
    r"(?i:(?:api|access|auth|account|client|private|secret|signing|encryption)[_ -]?"
    r"(?:key|token|secret)|secret_?key|password|passwd|pwd|secret|token|bearer)"
    r"[\"'`\]]{0,3}[^\S\n]{0,4}(?::=|=>|=|:|[^\S\n])[^\S\n]{0,4}[\"'`]?$"
)
_TELLING_CHARS = 60
_MAX_VALUE_CHARS = 4000

_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_SLACK_HOOK = re.compile(r"hooks\.slack\.com/services/T\w{6,20}/B\w{6,20}/(\w{16,40})")
_URL_PASSWORD = re.compile(r"://[^\s:/@\"']{0,100}:([^\s:/@\"']{3,200})@[\w.-]")

MIN_ENTROPY = 3.5
"""Bits a character, from which an assigned text is no word and no placeholder: "changeme" has 2.8,
a random hexadecimal text of 32 characters about 3.7."""

_EXAMPLE = "EXAMPLE"
_MIXED = re.compile(r"(?=.*[A-Za-z])(?=.*\d)")


def may_hold_secrets(text: str) -> bool:
    """Whether a search can find anything: false for nearly all prose, and far cheaper."""
    # Written out: this is asked of every text of telemetry. A test holds it against _PHRASES.
    return "://" in text or "PRIVATE KEY" in text or "hooks.slack" in text or _has_run(text)


def find_secrets(text: str) -> Iterator[Found]:
    """Find secrets in a text, each once, in time linear in the text."""
    told: set[str] = set()
    for kind, start, end in _candidates(text):
        secret = text[start:end]
        if _EXAMPLE not in secret and secret not in told:
            told.add(secret)
            yield Found(kind, secret, start, end)


def _candidates(text: str) -> Iterator[tuple[str, int, int]]:
    for part, pattern, kind in _PHRASES:
        if part in text:  # ten times faster than the expression finds that it is not
            for match in pattern.finditer(text):
                yield kind, *match.span(match.lastindex or 0)
    if not _has_run(text):
        return
    for run in _RUN.finditer(text):  # keys of every form stand in long runs of few characters
        has_key = False
        for match in _KEYS.finditer(text, run.start(), run.end()):
            has_key = True
            yield (match.lastgroup or "").replace("_", " "), *match.span()
        if has_key or run.start() == 0:  # no word stands before it that could tell
            continue
        value = run.group()[:_MAX_VALUE_CHARS]
        if not _MIXED.match(value) or entropy(value) < MIN_ENTROPY:
            continue
        before = text[max(0, run.start() - _TELLING_CHARS) : run.start()]
        if _TELLING.search(before):
            yield "secret value", run.start(), run.start() + len(value)


def _has_run(text: str) -> bool:
    """Whether there is a run at all; five times faster than the expression finds that none is."""
    return _ALIKE in text.encode("utf-8", "surrogatepass").translate(_TO_ALIKE)


_PHRASES = (
    ("PRIVATE KEY", _PRIVATE_KEY, "private key"),
    ("hooks.slack.com", _SLACK_HOOK, "Slack webhook"),
    ("://", _URL_PASSWORD, "password in a URL"),
)


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters of a text, in bits a character."""
    if not text:
        return 0.0
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
