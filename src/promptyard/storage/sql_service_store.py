"""The store's part for the service: spans, keys, the audit log, jobs, leases, webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from promptyard.storage import access, jobs, leases, webhooks
from promptyard.storage.live import check_event_names, list_numbered_alerts
from promptyard.storage.spans import SpanQuery, insert_batches, list_spans, span_batch
from promptyard.storage.sql_access import SqlAccess
from promptyard.storage.stored_text import check_names


class SqlServiceStore(SqlAccess):
    """`ServiceStore` in SQLite or PostgreSQL."""

    async def add_spans(self, spans: Sequence[Span], events: Sequence[LiveEvent]) -> Ingested:
        """Store spans and the live events made of them in one transaction, each once.

        Callers that wait together share the transaction.
        """
        check_event_names(events)
        at = self._clock()
        for span in spans:
            if span.prompt is not None:
                check_names(prompt=span.prompt)
        batch = span_batch(spans, events, at)
        return await self._thread.write(insert_batches, batch, lock="live events")

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
        check_names(prompt=prompt or "", trace_id=trace_id or "")
        query = SpanQuery(prompt, version, trace_id, only_errors, before, limit)
        return await self._read(lambda connection: list_spans(connection, query))

    async def add_key(self, key: ApiKey) -> None:
        """Store a new key. Raises Conflict when its id is taken."""
        check_names(key=key.id, name=key.name)
        await self._write(lambda connection: access.insert_key(connection, key))

    async def keys(self) -> Sequence[ApiKey]:
        """All keys, oldest first, those that have ended among them."""
        return await self._read(access.list_keys)

    async def key(self, key_id: str) -> ApiKey | None:
        """Return a key by its id, None where there is none."""
        check_names(key=key_id)
        return await self._read(lambda connection: access.read_key(connection, key_id))

    async def end_key(
        self, key_id: str, *, revoked_at: str | None = None, expires_at: str | None = None
    ) -> ApiKey:
        """Revoke a key, or let it expire: an end that is earlier stays. Raises NotFound."""
        check_names(key=key_id)
        return await self._write(
            lambda connection: access.update_key_end(
                connection, key_id, revoked_at=revoked_at, expires_at=expires_at
            ),
            lock=f"key:{key_id}",
        )

    async def replace_key(self, key: ApiKey, *, expires_at: str) -> ApiKey:
        """Store a new key and let the one that it was `rotated_from` expire, in one transaction.

        Returns the old one. Raises NotFound for an unknown one, Conflict when the id is taken or
        the old one is revoked or has a successor that is not.
        """
        old_id = key.rotated_from or ""
        check_names(key=key.id, name=key.name, old_key=old_id)
        at = self._clock()
        return await self._write(
            lambda connection: access.insert_successor(connection, key, expires_at, at),
            lock=f"key:{old_id}",
        )

    async def add_audit(self, entry: AuditEntry) -> AuditEntry:
        """Log an act; returns the entry with its number and time. Nothing changes it later."""
        at = self._clock()
        return await self._write(lambda connection: access.insert_audit(connection, entry, at))

    async def audit(
        self, *, actor: str | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[AuditEntry]:
        """Entries of the log, newest first; `before` is left out."""
        return await self._read(
            lambda connection: access.list_audit(connection, actor, before, limit)
        )

    async def n_audit(self, *, before: str) -> int:
        """How many entries of the log are from before a time."""
        return await self._read(lambda connection: access.count_audit(connection, before))

    async def shorten_audit(self, entry: AuditEntry, *, before: str) -> AuditEntry:
        """Log an entry that says that those from before a time go: nothing else lets them go."""
        at = self._clock()
        return await self._write(
            lambda connection: access.insert_audit(connection, entry, at, prunes_before=before)
        )

    async def prune_audit(self, *, limit: int) -> int:
        """Delete the oldest entries that a stored one lets go, `limit` at most."""
        return await self._write(lambda connection: access.delete_audit(connection, limit))

    async def add_job(self, job: Job) -> Job:
        """Store a new job. Raises Conflict when its id is taken."""
        check_names(job=job.id)
        return await self._write(lambda connection: jobs.insert_job(connection, job))

    async def job(self, job_id: str) -> Job:
        """Return a job. Raises NotFound."""
        check_names(job=job_id)
        return await self._read(lambda connection: jobs.read_job(connection, job_id))

    async def jobs(
        self, *, active: bool = False, before: str | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Jobs, newest first; only those that have not ended if `active`; after the one `before`.

        Raises NotFound for an unknown `before`.
        """
        check_names(job=before or "")
        return await self._read(
            lambda connection: jobs.list_jobs(connection, active=active, before=before, limit=limit)
        )

    async def save_job(self, job: Job) -> Job:
        """Replace a job that still is as it was read (`change`); returns it with its new count.

        Raises Conflict when another change came first, NotFound.
        """
        check_names(job=job.id)
        return await self._write(lambda connection: jobs.replace_job(connection, job))

    async def n_ended_jobs(self, *, before: str) -> int:
        """How many jobs ended before a time."""
        return await self._read(lambda connection: jobs.count_ended(connection, before))

    async def prune_jobs(self, *, before: str, limit: int) -> int:
        """Delete jobs that ended before a time, `limit` at most; returns how many it were."""
        return await self._write(lambda connection: jobs.delete_ended(connection, before, limit))

    async def take_lease(self, name: str, owner: str, *, for_s: float) -> Lease | None:
        """Take a lease that is free or has run out, or renew one's own; None where it is taken.

        Time is the database's.
        """
        check_names(lease=name, owner=owner)
        return await self._write(
            lambda connection: leases.take_lease(connection, name, owner, for_s),
            lock=f"lease:{name}",
        )

    async def release_lease(self, name: str, owner: str) -> None:
        """Give a lease back before its end; does nothing where it is somebody else's."""
        check_names(lease=name, owner=owner)
        await self._write(lambda connection: leases.end_lease(connection, name, owner))

    async def forget_lease(self, name: str, owner: str) -> None:
        """Delete one's own lease of work that is done for ever; does nothing with another's."""
        check_names(lease=name, owner=owner)
        await self._write(lambda connection: leases.delete_lease(connection, name, owner))

    async def note_lease(self, name: str, owner: str, note: Mapping[str, Json]) -> None:
        """Say how the work stands; does nothing where the lease is somebody else's."""
        check_names(lease=name, owner=owner)
        await self._write(lambda connection: leases.write_note(connection, name, owner, note))

    async def leases(self) -> Sequence[Lease]:
        """All leases there ever were, by name."""
        return await self._read(leases.list_leases)

    async def save_webhook(self, webhook: Webhook) -> None:
        """Store a webhook, in the place of the one with the same id."""
        check_names(webhook=webhook.id)
        await self._write(
            lambda connection: webhooks.replace_webhook(connection, webhook),
            lock=f"webhook:{webhook.id}",
        )

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
        check_names(webhook=webhook_id)
        disabled = (self._clock(), disabled_because) if disabled_because else None
        return await self._write(
            lambda connection: webhooks.update_progress(
                connection, webhook_id, kind, progress, n_enabled, disabled
            ),
            lock=f"webhook:{webhook_id}",
        )

    async def enable_webhook(self, webhook_id: str) -> Webhook:
        """Let a webhook be told again, from where it was and at once. Raises NotFound."""
        check_names(webhook=webhook_id)
        return await self._write(
            lambda connection: webhooks.enable_webhook(connection, webhook_id),
            lock=f"webhook:{webhook_id}",
        )

    async def remove_webhook(self, webhook_id: str) -> None:
        """Forget a webhook. Raises NotFound."""
        check_names(webhook=webhook_id)
        await self._write(lambda connection: webhooks.delete_webhook(connection, webhook_id))

    async def webhooks(self) -> Sequence[Webhook]:
        """All webhooks, oldest first."""
        return await self._read(webhooks.list_webhooks)

    async def log_ends(self) -> LogEnds:
        """The numbers of the last move, decision and alert: where a new reader begins."""
        return await self._read(webhooks.read_ends)

    async def moves_after(self, seq: int, limit: int = 100) -> Sequence[tuple[int, Move]]:
        """Moves of all prompts with their numbers, oldest first; `seq` is left out."""
        return await self._read(
            lambda connection: webhooks.list_moves_after(connection, seq, limit)
        )

    async def numbered_alerts(
        self, prompt: str | None = None, *, before: int | None = None, limit: int = 100
    ) -> Sequence[tuple[int, Alert]]:
        """Alerts of one prompt or of all with their numbers, newest first; `before` is left out."""
        check_names(prompt=prompt or "")
        return await self._read(
            lambda connection: list_numbered_alerts(connection, prompt, before, limit)
        )

    async def alerts_after(self, seq: int, limit: int = 100) -> Sequence[tuple[int, Alert]]:
        """Alerts of all prompts with their numbers, oldest first; `seq` is left out.

        Numbers of moves and alerts are given in the order in which they are committed: whoever
        reads on from the last number misses none.
        """
        return await self._read(
            lambda connection: webhooks.list_alerts_after(connection, seq, limit)
        )

    async def decisions_after(
        self, number: int, limit: int = 100
    ) -> Sequence[tuple[int, str, Decision]]:
        """Decisions on all rollouts with number and prompt, oldest first; `number` is left out.

        Numbers are given in the order of the commits, as those of moves and alerts are.
        """
        return await self._read(
            lambda connection: webhooks.list_decisions_after(connection, number, limit)
        )
