"""Takes secrets and people out of attributes before there is a record of them.

Content loses secrets and personal data, every other text loses secrets, subjects become pseudonyms.
What cannot be masked is dropped.
"""

from __future__ import annotations

import functools
import re
from typing import Literal, TypeAlias

from promptyard.records import attribute_names as names
from promptyard.records.base import Json
from promptyard.records.pseudonym import pseudonym
from promptyard.records.redaction import Redaction, RedactionFailed

Handling: TypeAlias = Literal["plain", "content", "subject", "other"]

_PSEUDONYM = re.compile(r"[0-9a-f]{32}")
_SHORTEST_SECRET = 16
"""Shorter texts are no keys; what else is a secret needs more around it, too."""


class MaskedContent:
    """The rules of `Redaction`, applied to what the table of names says of an attribute.

    Attributes:
        n_dropped: attributes and messages that could not be masked.
    """

    def __init__(self, *, personal_data: bool = True) -> None:
        self.n_dropped = 0
        self._content = Redaction(None, personal_data=personal_data)
        self._other = Redaction(None, personal_data=False)

    def attributes(self, attributes: dict[str, Json]) -> None:
        """Change attributes in place."""
        dropped: list[str] = []
        for name, value in attributes.items():
            handling = handling_of(name)
            if handling == "plain":
                continue
            try:
                if handling == "subject":
                    attributes[name] = subject_of(value)
                elif not isinstance(value, str):
                    if isinstance(value, list | dict):
                        attributes[name] = self._rules(handling).value(value)
                elif handling == "content" or len(value) >= _SHORTEST_SECRET:
                    attributes[name] = self._rules(handling).text(value)
            except RedactionFailed:
                dropped.append(name)
        for name in dropped:
            del attributes[name]
            self.n_dropped += 1

    def _rules(self, handling: Handling) -> Redaction:
        return self._content if handling == "content" else self._other

    def text(self, text: str) -> str:
        """Return a text that may repeat content without secrets and personal data."""
        try:
            return self._content.text(text)
        except RedactionFailed:
            self.n_dropped += 1
            return ""


def subject_of(value: Json) -> str:
    """Return the pseudonym of a subject; what is one already stays."""
    text = str(value)
    return text if _PSEUDONYM.fullmatch(text) else pseudonym(text)


@functools.lru_cache(maxsize=4_096)
def handling_of(name: str) -> Handling:
    """Say how an attribute is handled, by its name."""
    if name in names.SUBJECTS:
        return "subject"
    if names.is_content(name):
        return "content"
    return "plain" if name in _PLAIN else "other"


_PLAIN = frozenset(
    name
    for meaning in (*names.MEANINGS.values(), (names.CONVERSATION_ID,))
    for name in meaning
    if not names.is_content(name) and name not in names.SUBJECTS
)
