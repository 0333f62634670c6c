"""Quotes data inside a request to a model so that it stays data: one JSON line, a fresh nonce.

A tag around quoted data ends in a nonce that the data does not contain, and no quoted value has
an angle bracket: a text can neither close its tag nor open another one. Pure.
"""

from __future__ import annotations

import hashlib
import json
import re

from promptyard.records.base import Json

# Controls, format characters (zero-width, direction, tags), line separators, private use, lone
# surrogates and variation selectors: what a person would not see and a model reads all the same.
_HIDDEN_CLASS = (
    "\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
HIDDEN = re.compile(f"[{_HIDDEN_CLASS}]")
"""A character that a person would not see; line ends and tabs are among them."""
_ESCAPED = re.compile(f"[{_HIDDEN_CLASS}<>]")


def quoted(value: Json) -> str:
    """Write a JSON value on one line, with angle brackets and hidden characters as escapes.

    Reading it as JSON gives the value back. Raises ValueError for NaN and infinities.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _ESCAPED.sub(_escape, text)


def fresh_nonce(payload: str, seed: int = 0) -> str:
    """Return 8 hex digits that do not occur in `payload`; the same for the same arguments.

    They are taken from a hash of the whole: a text cannot know the hash of what it is part of.
    """
    counter = 0
    while True:
        digest = hashlib.sha256(f"{seed}:{counter}:{payload}".encode("utf-8", "surrogatepass"))
        nonce = digest.hexdigest()[:8]
        if nonce not in payload:
            return nonce
        counter += 1


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
