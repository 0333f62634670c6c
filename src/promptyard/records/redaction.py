"""Takes secrets and personal data out of content before it is written anywhere.

The rules are those of the checks `secret_leak` and `pii_leak`. What cannot be redacted is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from promptyard.records.sightings import Found

Redact: TypeAlias = Callable[[str], str]
MAX_ROUNDS = 100


class RedactionFailed(Exception):
    """A text could not be redacted; it must not be kept."""


class Redaction:
    """First the built-in rules, then the application's own `redact`, on every text of a value."""

    def __init__(self, redact: Redact | None, *, personal_data: bool) -> None:
        self._redact = redact
        self._personal_data = personal_data
        self._rules: tuple[Any, Any] | None = None

    def text(self, text: str) -> str:
        """Return a text without what has to be hidden. Raises RedactionFailed."""
        try:
            hidden = self._by_rules(text)
            redacted: Any = hidden if self._redact is None else self._redact(hidden)
        except RedactionFailed:
            raise
        except Exception as error:  # noqa: BLE001 - an application's function
            raise RedactionFailed(type(error).__name__) from None  # its text may be the content
        if not isinstance(redacted, str):
            raise RedactionFailed("redact returned no text")
        return redacted

    def value(self, value: Any) -> Any:
        """Redact every text in a JSON value, keys included. Raises RedactionFailed."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            entries = cast("Mapping[Any, Any]", value).items()
            return {self.text(str(key)): self.value(item) for key, item in entries}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in cast("list[Any]", value)]
        return value

    def _by_rules(self, text: str) -> str:
        if not self._may_find(text):
            return text
        # A finder tells each thing once, however often and in whatever spelling it stands there.
        for _ in range(MAX_ROUNDS):
            found = {text[item.start : item.end]: item.kind for item in self._find(text)}
            if not found:
                return text
            for written in sorted(found, key=len, reverse=True):
                text = text.replace(written, f"[{found[written]}]")
        raise RedactionFailed(f"more than {MAX_ROUNDS} rounds of secrets in a text")

    def _may_find(self, text: str) -> bool:
        if self._rules is None:
            # Imported when first needed: most applications keep no content, and start faster so.
            from promptyard.records import personal_data, secrets

            self._rules = secrets, personal_data
        secrets, personal_data = self._rules
        return secrets.may_hold_secrets(text) or (
            self._personal_data and personal_data.may_hold_personal_data(text)
        )

    def _find(self, text: str) -> Iterator[Found]:
        assert self._rules is not None
        secrets, personal_data = self._rules
        yield from secrets.find_secrets(text)
        if self._personal_data:
            yield from personal_data.find_personal_data(text, frozenset(personal_data.FINDERS))
