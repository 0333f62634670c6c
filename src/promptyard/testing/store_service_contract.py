"""What a store does for the service: a part of the store contract."""

from __future__ import annotations

import asyncio

from promptyard.errors import Conflict, NotFound
from promptyard.protocols import Store
from promptyard.records.api_keys import ApiKey
from promptyard.records.attribute_names import OPERATION_NAME, OUTCOME_ID, RESPONSE_ID
from promptyard.records.audit import AuditEntry
from promptyard.records.jobs import Job
from promptyard.records.live import Feedback, LiveEvent
from promptyard.records.runs import Progress
from promptyard.records.spans import (
    Ingested,
    Span,
    SpanEvent,
    response_outcome_id,
    span_outcome_id,
)
from promptyard.testing.store_suite import (
    N_CONCURRENT,
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    sample_outcome,
)

_AT = "2026-11-27T10:00:00.000000+00:00"


def sample_span(number: int = 1, **changes: object) -> Span:
    """Return a span; `number` makes its id."""
    span = Span(
        trace_id=f"{number // 10 + 1:032x}",
        span_id=f"{number + 1:016x}",
        name="chat gpt",
        kind="client",
        start_ns=1_000_000_000,
        end_ns=3_500_000_000,
        attributes={OPERATION_NAME: "chat", "n": 1, "list": ["a", None, 0.5]},
        events=(SpanEvent(name="e", at_ns=2_000_000_000, attributes={"k": True}),),
    )
    return Span.model_validate({**span.model_dump(), **changes})


def _key(key_id: str = "k1", **changes: object) -> ApiKey:
    values = {"id": key_id, "name": "ada", "scopes": ("read",), "digest": "0" * 64}
    return ApiKey.model_validate({**values, "created_at": _AT, "created_by": "me", **changes})


def _feedback(feedback_id: str, outcome_id: str) -> Feedback:
    scores = {"score": 1.0}
    return Feedback(id=feedback_id, prompt="", outcome_id=outcome_id, at=_AT, scores=scores)


def _is_of(event: LiveEvent, outcome_id: str) -> bool:
    return isinstance(event, Feedback) and event.outcome_id == outcome_id


def sample_job(job_id: str = "j1") -> Job:
    """Return a job that waits."""
    return Job(id=job_id, kind="eval", task="t", requested_by="ada", created_at=_AT)


class ServiceContract(StoreSuite):
    """Spans, keys, audit, jobs, leases; see `promptyard.testing.StoreContract`."""

    def test_spans_come_back_as_they_went_in(self) -> None:
        """Whatever their texts hold; newest first, page by page, by prompt, trace and error."""
        sent = [sample_span(n, name=text) for n, text in enumerate(UNUSUAL_TEXTS)]
        sent += [sample_span(50, prompt="p", version=2, status="error")]

        async def body(store: Store) -> None:
            assert await store.add_spans(sent, []) == Ingested(n_new_spans=7, n_new_events=0)
            stored = await store.spans()
            assert [item.span for item in reversed(stored)] == sent
            assert all(item.stored_at for item in stored)
            first = await store.spans(limit=3)
            rest = await store.spans(before=first[-1].seq)
            assert [*first, *rest] == list(stored)
            assert [item.span for item in await store.spans(prompt="p", version=2)] == sent[-1:]
            assert not await store.spans(prompt="p", version=1)
            assert [item.span for item in await store.spans(only_errors=True)] == sent[-1:]
            found = await store.spans(trace_id=sent[0].trace_id)
            assert len(found) == len(UNUSUAL_TEXTS)

        self.with_store(body)

    def test_a_span_and_its_outcome_count_once(self) -> None:
        """However often they are sent, and by how many at once."""
        span = sample_span(prompt="support", version=1)
        outcome = sample_outcome(span_outcome_id(span.trace_id, span.span_id))

        async def body(store: Store) -> None:
            done = await asyncio.gather(
                *(store.add_spans([span, span], [outcome]) for _ in range(N_CONCURRENT))
            )
            assert sum(item.n_new_spans for item in done) == 1
            assert sum(item.n_new_events for item in done) == 1
            assert len(await store.spans()) == 1
            assert [item.event for item in await store.live_events("support")] == [outcome]

        self.with_store(body)

    def test_feedback_finds_the_outcome_of_its_span(self) -> None:
        """Whichever comes first; by the span or by the answer, and once however often it is sent.

        An outcome that the sender recorded itself gets it under its own id. One whose span was
        deleted still gets it.
        """

        async def body(store: Store) -> None:
            for number, is_own in ((11, False), (21, True)):
                attributes = {RESPONSE_ID: f"r{number}"} | ({OUTCOME_ID: "o-7"} if is_own else {})
                span = sample_span(number, prompt="support", version=1, attributes=attributes)
                of_span = span_outcome_id(span.trace_id, span.span_id)
                of_answer = response_outcome_id(f"r{number}")
                outcomes = [] if is_own else [sample_outcome(of_span)]
                before = [_feedback(f"a{number}", of_span), _feedback(f"b{number}", of_answer)]
                after = [_feedback(f"c{number}", of_span), _feedback(f"d{number}", of_answer)]
                assert (await store.add_spans([], before)).n_new_events == 2
                assert (await store.add_spans([span], outcomes)).n_new_events == len(outcomes)
                assert (await store.add_spans([], after)).n_new_events == 2
                again = await store.add_spans([span], [*outcomes, *before, *after])
                assert again == Ingested(n_new_spans=0, n_new_events=0)
                wanted = "o-7" if is_own else of_span
                stored = [item.event for item in await store.live_events("support")]
                found = [event.id for event in stored if _is_of(event, wanted)]
                assert sorted(found) == [event.id for event in (*before, *after)]
            stranger = _feedback("e", span_outcome_id("9" * 32, "9" * 16))
            await store.add_spans([sample_span(77)], [stranger])
            gone = sample_outcome(span_outcome_id("8" * 32, "8" * 16))
            await store.add_spans([], [gone])
            await store.add_spans([], [_feedback("late", gone.id)])
            stored = [item.event for item in await store.live_events("support")]
            assert [event.id for event in stored if _is_of(event, gone.id)] == ["late"]
            assert "e" not in [event.id for event in stored]

        self.with_store(body)

    def test_keys_end_once_and_early(self) -> None:
        """An end that was set is not put off again; unknown keys and taken ids are refused."""

        async def body(store: Store) -> None:
            await store.add_key(_key())
            await store.add_key(_key("k2", expires_at="2027-01-01"))
            with raises(Conflict):
                await store.add_key(_key())
            assert await store.key("k3") is None
            assert (await store.end_key("k1", revoked_at="2026-12-01")).revoked_at == "2026-12-01"
            again = await store.end_key("k1", revoked_at="2026-12-05", expires_at="2026-12-02")
            assert (again.revoked_at, again.expires_at) == ("2026-12-01", "2026-12-02")
            assert await store.end_key("k2", expires_at="2026-12-31") != _key("k2")
            assert [key.id for key in await store.keys()] == ["k1", "k2"]
            assert await store.key("k1") == again
            with raises(NotFound):
                await store.end_key("k3", revoked_at=_AT)

        self.with_store(body)

    def test_a_key_has_one_successor(self) -> None:
        """The old one ends as said; a second successor has to wait until the first is revoked."""
        past, never = "2000-01-01", "9999-01-01"

        async def body(store: Store) -> None:
            await store.add_key(_key())
            old = await store.replace_key(_key("k2", rotated_from="k1"), expires_at=never)
            assert (old.id, old.expires_at) == ("k1", never)
            with raises(Conflict, "rotated already, to 'k2'"):
                await store.replace_key(_key("k3", rotated_from="k1"), expires_at=past)
            assert await store.key("k3") is None
            assert await store.key("k1") == old
            await store.end_key("k2", revoked_at=past)
            await store.replace_key(_key("k4", rotated_from="k1"), expires_at=past)
            with raises(Conflict, "revoked; make a new one"):
                await store.replace_key(_key("k5", rotated_from="k2"), expires_at=never)
            with raises(Conflict, "expired; make a new one"):
                await store.replace_key(_key("k5", rotated_from="k1"), expires_at=never)
            with raises(Conflict, "another id"):
                await store.replace_key(_key("k1", rotated_from="k4"), expires_at=never)
            with raises(NotFound):
                await store.replace_key(_key("k5", rotated_from="k9"), expires_at=never)
            assert [key.id for key in await store.keys()] == ["k1", "k2", "k4"]

        self.with_store(body)

    def test_the_audit_log_counts_up(self) -> None:
        """Entries come back newest first, with the store's time, by actor and page."""

        async def body(store: Store) -> None:
            for number in range(5):
                entry = AuditEntry(
                    actor="ada" if number % 2 else "bob\x00",
                    action="promote",
                    target=f"prompts/p{number}",
                    status=200,
                    detail={"n": number},
                )
                stored = await store.add_audit(entry)
                assert stored.at
                assert stored.seq == number + 1
            log = await store.audit()
            assert [item.detail["n"] for item in log] == [4, 3, 2, 1, 0]
            assert [item.seq for item in await store.audit(actor="ada")] == [4, 2]
            assert [item.actor for item in await store.audit(actor="bob\x00", limit=1)] == [
                "bob\x00"
            ]
            assert [item.seq for item in await store.audit(before=3, limit=1)] == [2]

        self.with_store(body)

    def test_a_job_is_changed_by_who_has_read_it_last(self) -> None:
        """The second of two changes is refused; what has ended is not among the active ones."""

        async def body(store: Store) -> None:
            for job_id in ("j1", "j2", "j3"):
                await store.add_job(sample_job(job_id))
            with raises(Conflict):
                await store.add_job(sample_job("j1"))
            read = await store.job("j1")
            progress = Progress(phase="eval", done=1, total=2)
            running = read.model_copy(update={"state": "running", "progress": progress})
            saved = await store.save_job(running)
            assert saved.change == 1
            assert await store.job("j1") == saved
            with raises(Conflict):
                await store.save_job(running)
            await store.save_job(saved.model_copy(update={"state": "done", "result": {"a": [1]}}))
            assert [job.id for job in await store.jobs()] == ["j3", "j2", "j1"]
            assert [job.id for job in await store.jobs(active=True)] == ["j3", "j2"]
            assert [job.id for job in await store.jobs(before="j3", limit=1)] == ["j2"]
            with raises(NotFound):
                await store.jobs(before="j9")
            with raises(NotFound):
                await store.job("j9")
            with raises(NotFound):
                await store.save_job(sample_job("j9"))

        self.with_store(body)

    def test_a_lease_has_one_owner(self) -> None:
        """Of many who want it one gets it; it can be renewed, given back, and runs out."""

        async def body(store: Store) -> None:
            owners = [f"o{number}" for number in range(N_CONCURRENT)]
            taken = await asyncio.gather(
                *(store.take_lease("w", owner, for_s=60) for owner in owners)
            )
            held = [lease for lease in taken if lease is not None]
            assert len(held) == 1
            assert held[0].fence == 1
            owner = held[0].owner
            other = next(name for name in owners if name != owner)
            await store.note_lease("w", owner, {"done": 3})
            await store.note_lease("w", other, {"done": 9})
            renewed = await store.take_lease("w", owner, for_s=0.01)
            assert renewed is not None
            assert (renewed.fence, renewed.note) == (1, {"done": 3})
            await asyncio.sleep(0.02)
            after = await store.take_lease("w", other, for_s=60)
            assert after is not None
            assert after.fence == 2
            await store.release_lease("w", owner)
            assert await store.take_lease("w", owner, for_s=60) is None
            await store.release_lease("w", other)
            (ended,) = await store.leases()
            assert ended.ends_in_s <= 0
            again = await store.take_lease("w", owner, for_s=60)
            assert again is not None
            assert again.fence == 3
            await store.forget_lease("w", other)
            assert len(await store.leases()) == 1
            await store.forget_lease("w", owner)
            assert await store.leases() == []

        self.with_store(body)
