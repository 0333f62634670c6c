"""Keys of the service: who may do what. The secret itself is nowhere, only its digest."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

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
"""What a scope allows: reading; sending traces and events; registering versions and running jobs;
moving pointers and rollouts; everything, keys among it."""


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

    def refusal(self, now: str) -> str | None:
        """Say why it is of no use `now` (UTC, ISO 8601 as `created_at`), or None."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return None
