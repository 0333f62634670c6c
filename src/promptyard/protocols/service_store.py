"""What the service writes and reads: spans, keys, the audit log, jobs, leases, webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from promptyard.records.alerts import Alert
from promptyard.records.api_keys import ApiKey
from promptyard.records.audit import AuditEntry
from promptyard.records.base import Json
from promptyard.records.jobs import Job
from promptyard.records.leases import Lease
from promptyard.records.live import LiveEvent
from promptyard.records.rollouts import Decision
from promptyard.records.spans import Ingested, Span, StoredSpan
from promptyard.records.versions import Move
from promptyard.records.webhooks import KindProgress, LogEnds, Webhook, WebhookEvent


class ServiceStore(Protocol):
    """The part of the store that the service needs."""

    # traces
    async def add_spans(self, spans: Sequence[Span], events: Sequence[LiveEvent]) -> Ingested:
        """Store spans and the live events made of them in one transaction, each once.

        Feedback without a prompt is of the span whose `span_outcome_id` or `response_outcome_id` it
        has as its outcome; it waits until that span is stored under a prompt, and then belongs to
        the outcome of that span.
        """
        ...

    async def spans(
        self,
        *,
        prompt: str | None = None,
        version: int | None = None,
        trace_id: str | None = None,
        only_errors: bool = False,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[StoredSpan]:
        """Spans by number, newest first; `before` is left out."""
        ...

    # keys and audit
    async def add_key(self, key: ApiKey) -> None:
        """Store a new key. Raises Conflict when its id is taken."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """All keys, oldest first, those that have ended among them."""
        ...

    async def key(self, key_id: str) -> ApiKey | None:
        """Return a key by its id, None where there is none."""
        ...

    async def end_key(
        self, key_id: str, *, revoked_at: str | None = None, expires_at: str | None = None
    ) -> ApiKey:
        """Revoke a key, or let it expire: an end that is earlier stays. Raises NotFound."""
        ...

    async def replace_key(self, key: ApiKey, *, expires_at: str) -> ApiKey:
        """Store a new key and let the one that it was `rotated_from` expire, in one transaction.

        Returns the old one. Raises NotFound for an unknown one, Conflict when the id is taken or
        the old one is revoked or has a successor that is not.
        """
        ...

    async def add_audit(self, entry: AuditEntry) -> AuditEntry:
        """Log an act; returns the entry with its number and time. Nothing changes it later."""
        ...

    async def audit(
        self, *, actor: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[AuditEntry]:
        """Entries of the log, newest first; `before` is left out."""
        ...

    async def n_audit(self, *, before: str) -> int:
        """How many entries of the log are from before a time."""
        ...

    async def shorten_audit(self, entry: AuditEntry, *, before: str) -> AuditEntry:
        """Log an entry that says that those from before a time go: nothing else lets them go.

        Returns it with its number and time.
        """
        ...

    async def prune_audit(self, *, limit: int) -> int:
        """Delete the oldest entries that a stored one lets go, `limit` at most.

        Returns how many it were.
        """
        ...

    # jobs
    async def add_job(self, job: Job) -> Job:
        """Store a new job. Raises Conflict when its id is taken."""
        ...

    async def job(self, job_id: str) -> Job:
        """Return a job. Raises NotFound."""
        ...

    async def jobs(
        self, *, active: bool = False, before: str | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Jobs, newest first; only those that have not ended if `active`; after the one `before`.

        Raises NotFound for an unknown `before`.
        """
        ...

    async def save_job(self, job: Job) -> Job:
        """Replace a job that still is as it was read (`change`); returns it with its new count.

        Raises Conflict when another change came first, NotFound.
        """
        ...

    async def n_ended_jobs(self, *, before: str) -> int:
        """How many jobs ended before a time."""
        ...

    async def prune_jobs(self, *, before: str, limit: int) -> int:
        """Delete jobs that ended before a time, `limit` at most; returns how many it were."""
        ...

    # leases
    async def take_lease(self, name: str, owner: str, *, for_s: float) -> Lease | None:
        """Take a lease that is free or has run out, or renew one's own; None where it is taken.

        Time is the database's.
        """
        ...

    async def release_lease(self, name: str, owner: str) -> None:
        """Give a lease back before its end; does nothing where it is somebody else's."""
        ...

    async def forget_lease(self, name: str, owner: str) -> None:
        """Delete one's own lease of work that is done for ever; does nothing with another's."""
        ...

    async def note_lease(self, name: str, owner: str, note: Mapping[str, Json]) -> None:
        """Say how the work stands; does nothing where the lease is somebody else's."""
        ...

    async def leases(self) -> Sequence[Lease]:
        """All leases there ever were, by name."""
        ...

    # webhooks
    async def save_webhook(self, webhook: Webhook) -> None:
        """Store a webhook, in the place of the one with the same id."""
        ...

    async def note_webhook(
        self,
        webhook_id: str,
        kind: WebhookEvent,
        progress: KindProgress,
        *,
        n_enabled: int,
        disabled_because: str = "",
    ) -> Webhook | None:
        """Store how it goes with one kind of event of a webhook; None where the webhook is gone.

        What somebody else has noted as told stays told. With `disabled_because` it is told nothing
        any more. `n_enabled` is that of the webhook as it was told: where it has been enabled
        since, what was told counts, and no failure of that time. Returns the webhook as it is now.
        """
        ...

    async def enable_webhook(self, webhook_id: str) -> Webhook:
        """Let a webhook be told again, from where it was and at once. Raises NotFound."""
        ...

    async def remove_webhook(self, webhook_id: str) -> None:
        """Forget a webhook. Raises NotFound."""
        ...

    async def webhooks(self) -> Sequence[Webhook]:
        """All webhooks, oldest first."""
        ...

    async def log_ends(self) -> LogEnds:
        """The numbers of the last move, decision and alert: where a new reader begins."""
        ...

    async def moves_after(self, seq: int, limit: int = 100) -> Sequence[tuple[int, Move]]:
        """Moves of all prompts with their numbers, oldest first; `seq` is left out."""
        ...

    async def numbered_alerts(
        self, prompt: str | None = None, *, before: int | None = None, limit: int = 100
    ) -> Sequence[tuple[int, Alert]]:
        """Alerts of one prompt or of all with their numbers, newest first; `before` is left out."""
        ...

    async def alerts_after(self, seq: int, limit: int = 100) -> Sequence[tuple[int, Alert]]:
        """Alerts of all prompts with their numbers, oldest first; `seq` is left out.

        Numbers of moves and alerts are given in the order in which they are committed: whoever
        reads on from the last number misses none.
        """
        ...

    async def decisions_after(
        self, number: int, limit: int = 100
    ) -> Sequence[tuple[int, str, Decision]]:
        """Decisions on all rollouts with number and prompt, oldest first; `number` is left out.

        Numbers are given in the order of the commits, as those of moves and alerts are.
        """
        ...
