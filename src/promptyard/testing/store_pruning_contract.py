"""What a store does that lets jobs and the audit log go: a part of the store contract."""

from __future__ import annotations

from promptyard.protocols import Store
from promptyard.records.audit import AuditEntry
from promptyard.testing.store_service_contract import sample_job
from promptyard.testing.store_suite import StoreSuite

_NEVER = "9999-01-01T00:00:00.000000+00:00"


class PruningContract(StoreSuite):
    """Jobs that have ended, entries of the log; see `promptyard.testing.StoreContract`."""

    def test_the_audit_log_gets_shorter_where_it_says_so(self) -> None:
        """Entries from before a time, oldest first; what says so stays until another one does."""
        act = AuditEntry(actor="ada", action="promote", target="prompts/p", status=200)
        says = act.model_copy(update={"action": "prune_audit"})

        async def body(store: Store) -> None:
            old = [await store.add_audit(act) for _ in range(5)]
            assert await store.n_audit(before=old[0].at) == 0
            assert await store.n_audit(before=old[3].at) == 3
            assert await store.prune_audit(limit=10) == 0
            noted = await store.shorten_audit(says, before=old[3].at)
            assert (noted.action, noted.seq) == ("prune_audit", 6)
            assert [await store.prune_audit(limit=2) for _ in range(3)] == [2, 1, 0]
            left = await store.audit()
            assert [item.seq for item in left] == [6, 5, 4]
            assert left[0] == noted
            await store.shorten_audit(says, before=old[1].at)
            assert await store.prune_audit(limit=10) == 0
            last = await store.shorten_audit(says, before=_NEVER)
            await store.add_audit(act)
            assert await store.prune_audit(limit=10) == 4
            assert [item.seq for item in await store.audit()] == [last.seq + 1, last.seq]

        self.with_store(body)

    def test_only_jobs_that_ended_before_a_time_go(self) -> None:
        """The first that ended first; whatever waits or runs stays, however old it is."""
        ends = {"j1": "2026-01-03", "j2": "2026-01-01", "j3": "2026-01-02", "j4": "2026-02-01"}

        async def body(store: Store) -> None:
            for job_id in (*ends, "waiting", "running"):
                await store.add_job(sample_job(job_id))
            for job_id, ended_at in ends.items():
                ended = {"state": "done", "ended_at": ended_at, "result": {"a": 1}}
                await store.save_job((await store.job(job_id)).model_copy(update=ended))
            running = {"state": "cancelling", "started_at": "2026-01-01", "ended_at": "2026-01-01"}
            await store.save_job((await store.job("running")).model_copy(update=running))
            assert await store.n_ended_jobs(before="2026-01-31") == 3
            assert await store.prune_jobs(before="2026-01-31", limit=2) == 2
            assert [job.id for job in await store.jobs()] == ["running", "waiting", "j4", "j1"]
            assert await store.prune_jobs(before="2026-01-31", limit=2) == 1
            assert await store.prune_jobs(before="2026-01-31", limit=2) == 0
            assert [job.id for job in await store.jobs(active=True)] == ["running", "waiting"]

        self.with_store(body)
