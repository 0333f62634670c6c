"""The log of what was done through the service, by whom, from where."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Json, Record


class AuditEntry(Record):
    """One act that was asked for, and how it ended.

    `action` is the route's name (`promote_version`), `target` what it was about
    (`prompts/support`), `status` the HTTP status of the answer. `seq` is given by the store. Never
    holds secrets or content.
    """

    seq: int = 0
    at: str = ""
    actor: str
    key_id: str = ""
    action: str
    target: str
    status: int
    address: str = ""
    request_id: str = ""
    detail: Mapping[str, Json] = Field(default_factory=dict)
