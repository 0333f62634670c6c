"""What the store keeps of one attempt to reach a model: the request, and what came of it."""

from __future__ import annotations

from promptyard.records.base import Json, Record
from promptyard.records.messages import Completion


class StoredCall(Record):
    """One attempt of a run with the exact body that was sent and the answer to it.

    `outcome` is `ok`, the kind of failure, or None where nothing came back. Bodies are stored with
    answers: `body` is None where no attempt of the same call was answered in this run. `completion`
    is None where this attempt brought none. `tokens` and `cost_usd` are None while unknown.
    """

    attempt: int
    role: str
    outcome: str | None
    started_at: str
    finished_at: str | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    base_url: str = ""
    body: Json | None = None
    completion: Completion | None = None
