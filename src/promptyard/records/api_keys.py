"""Keys of the service: who may do what. The secret itself is nowhere, only its digest."""

from __future__ import annotations

import hashlib
import re
from typing import Literal, TypeAlias, get_args

from pydantic import Field

from promptyard.records.base import Record

Scope: TypeAlias = Literal["read", "report", "write", "release", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

INCLUDES: dict[Scope, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "report": frozenset({"report"}),
    "write": frozenset({"write", "read"}),
    "release": frozenset({"release", "read"}),
    "admin": frozenset(SCOPES),
}
"""What a scope allows: reading; sending traces and events; registering versions, running jobs and
reading content; moving pointers and rollouts; everything, keys among it."""

KeyState: TypeAlias = Literal["active", "expired", "revoked"]

KEY_PREFIX = "py_"
_KEY_TEXT = re.compile(r"py_([0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)


class ApiKey(Record):
    """One key. `name` is who acts with it and stands in every log; times are UTC, ISO 8601.

    `digest` is the SHA-256 of the secret, in hex.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: str
    created_by: str
    expires_at: str | None = None
    revoked_at: str | None = None
    rotated_from: str | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether one of its scopes includes this one."""
        return any(scope in INCLUDES[own] for own in self.scopes)

    def refusal(self, now: str) -> Literal["revoked", "expired"] | None:
        """Say why it is of no use `now` (UTC, ISO 8601 as `created_at`), or None.

        A revoked key ends when that is read: `revoked_at` may be by a clock that is ahead.
        """
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return None

    def state(self, now: str) -> KeyState:
        """Say what it is good for `now` (UTC, ISO 8601 as `created_at`)."""
        refusal = self.refusal(now)
        return "active" if refusal is None else refusal


class KeyInfo(Record):
    """What may be told of a key: all but its digest. `state` is that of the time it was asked."""

    id: str
    name: str = Field(description="Who acts with it: the name in every log.")
    scopes: tuple[Scope, ...]
    state: KeyState
    created_at: str
    created_by: str
    expires_at: str | None = None
    revoked_at: str | None = None
    rotated_from: str | None = Field(default=None, description="The key that it took the place of.")

    @classmethod
    def of(cls, key: ApiKey, now: str) -> KeyInfo:
        """Tell what may be told of a key."""
        return cls(**key.model_dump(exclude={"digest"}), state=key.state(now))


class MadeKey(Record):
    """A key that was just made. `secret` is its whole text: shown here, and never again."""

    secret: str = Field(description="Send it as `Authorization: Bearer ...`; it is stored nowhere.")
    key: KeyInfo
    warnings: tuple[str, ...] = ()


def key_text(key_id: str, secret: str) -> str:
    """Return the text of a key: `key_id` 12 hex digits, `secret` 43 characters of base64url."""
    return f"{KEY_PREFIX}{key_id}_{secret}"


def id_in(text: str) -> str | None:
    """Return the id in the text of a key, None where the text is no key's."""
    found = _KEY_TEXT.fullmatch(text)
    return found[1] if found else None


def digest_of(text: str) -> str:
    """Return what is stored of a key's text: its SHA-256, in hex.

    256 random bits need no slow hash.
    """
    return hashlib.sha256(text.encode()).hexdigest()
