"""What a store does with completions and attempts: a part of the store contract."""

from __future__ import annotations

import asyncio

from promptyard.errors import Conflict, NotFound, StorageError
from promptyard.protocols import Store
from promptyard.records.messages import Completion, ToolCallPart, Usage
from promptyard.testing.store_suite import (
    N_CONCURRENT,
    UNUSUAL_TEXTS,
    StoreSuite,
    raises,
    record_answer,
    sample_move,
    sample_version,
)


class CallContract(StoreSuite):
    """Completions and attempts; see `promptyard.testing.StoreContract`."""

    def test_an_attempt_counts_before_its_outcome_is_known(self) -> None:
        """Budgets count what was sent, also what never came back."""

        async def body(store: Store) -> None:
            await store.start_attempt("run-1", "judge", "key-1")
            (attempt,) = await store.attempts("run-1")
            assert attempt["role"] == "judge"
            assert [attempt[name] for name in ("outcome", "tokens", "cost_usd")] == [None] * 3
            assert await store.attempts("run-2") == []

        self.with_store(body)

    def test_a_finished_attempt_shows_outcome_and_cost(self) -> None:
        """Attempts come in the order in which they were started, each with its price."""

        async def body(store: Store) -> None:
            first = await store.start_attempt("run-1", "task", "key-1")
            second = await store.start_attempt("run-1", "optimizer", "key-2")
            assert first < second
            answer = Completion(
                text="yes", cost_usd=0.25, usage=Usage(input_tokens=7, output_tokens=5)
            )
            await store.finish_attempt(second, outcome="ok", body={}, completion=answer)
            await store.finish_attempt(first, outcome="rate_limited")
            rows = await store.attempts("run-1")
            names = ("role", "outcome", "tokens", "cost_usd")
            assert [tuple(row[name] for name in names) for row in rows] == [
                ("task", "rate_limited", None, None),
                ("optimizer", "ok", 12, 0.25),
            ]
            assert set(await store.completions(["key-1", "key-2"], "run-1")) == {"key-2"}

        self.with_store(body)

    def test_an_attempt_ends_once(self) -> None:
        """A second end is a Conflict and an unknown attempt NotFound; neither changes anything."""

        async def body(store: Store) -> None:
            attempt = await store.start_attempt("run-1", "task", "key-1")
            await store.finish_attempt(attempt, outcome="timeout")
            with raises(Conflict):
                await store.finish_attempt(
                    attempt, outcome="ok", completion=Completion(text="late")
                )
            with raises(NotFound):
                await store.finish_attempt(attempt + 1000, outcome="ok")
            (row,) = await store.attempts("run-1")
            assert row["outcome"] == "timeout"
            assert await store.completions(["key-1"], "run-1") == {}

        self.with_store(body)

    def test_calls_show_what_was_sent_and_what_came_back(self) -> None:
        """By role and page, in order; a retry has its request, only an answer has a completion."""
        request = {"model": "m2", "messages": [{"role": "user", "content": UNUSUAL_TEXTS[4]}]}
        answer = Completion(text=UNUSUAL_TEXTS[3], usage=Usage(output_tokens=2), cost_usd=0.5)

        async def body(store: Store) -> None:
            assert await store.calls("run-1") == []
            await record_answer(store, "run-1", "key-0", Completion(text="task"))
            failed = await store.start_attempt("run-1", "optimizer", "key-1")
            await store.finish_attempt(failed, outcome="rate_limited")
            again = await store.start_attempt("run-1", "optimizer", "key-1")
            await store.finish_attempt(
                again, outcome="ok", body=request, completion=answer, base_url="http://o/v1"
            )
            await store.start_attempt("run-1", "judge", "key-2")
            await record_answer(store, "run-2", "key-2", Completion(text="of another run"))
            first, second = await store.calls("run-1", "optimizer")
            assert (first.outcome, first.body, first.completion) == ("rate_limited", request, None)
            assert (second.outcome, second.body, second.completion) == ("ok", request, answer)
            assert (second.tokens, second.cost_usd, second.base_url) == (2, 0.5, "http://o/v1")
            (judge,) = await store.calls("run-1", "judge")
            assert (judge.outcome, judge.body, judge.completion) == (None, None, None)
            everything = await store.calls("run-1")
            assert [call.role for call in everything] == ["task", "optimizer", "optimizer", "judge"]
            assert await store.calls("run-1", limit=2, offset=1) == everything[1:3]

        self.with_store(body)

    def test_of_several_ends_at_once_one_counts(self) -> None:
        """Also two ends that wait for the same commit are a first and a second one."""

        async def body(store: Store) -> None:
            attempt = await store.start_attempt("run-1", "task", "key-1")
            results = await asyncio.gather(
                *(store.finish_attempt(attempt, outcome=f"kind-{i}") for i in range(8)),
                return_exceptions=True,
            )
            (row,) = await store.attempts("run-1")
            assert [type(result) for result in results].count(Conflict) == 7
            assert results[int(row["outcome"].removeprefix("kind-"))] is None

        self.with_store(body)

    def test_an_attempt_that_failed_stores_no_answer(self) -> None:
        """What came with a failure was paid for and counts, but nobody may use it."""

        async def body(store: Store) -> None:
            attempt = await store.start_attempt("run-1", "task", "key-1")
            broken = Completion(text="brok", usage=Usage(output_tokens=3))
            await store.finish_attempt(attempt, outcome="bad_response", completion=broken)
            assert await store.completions(["key-1"], "run-1") == {}
            (row,) = await store.attempts("run-1")
            assert (row["outcome"], row["tokens"]) == ("bad_response", 3)

        self.with_store(body)

    def test_unusual_texts_come_back_as_they_went_in(self) -> None:
        """Nothing that a model writes is refused or changed: NUL, emoji, lone surrogates, 1 MB."""
        answers = {
            f"key-{index}": Completion(
                text=text,
                tool_calls=(ToolCallPart(id="call-1", name="look", arguments=text),),
                model=text,
                request_id=text,
                latency_s=0.1,
            )
            for index, text in enumerate((*UNUSUAL_TEXTS, "word 🧪" * 150_000))
        }

        async def body(store: Store) -> None:
            for key, answer in answers.items():
                request = {"messages": [{"role": "user", "content": answer.text}]}
                await record_answer(store, "run-1", key, answer, request)
            found = await store.completions(list(answers), "run-2")
            assert all(answer.cached for answer in found.values())
            assert {
                key: answer.model_copy(update={"cached": False}) for key, answer in found.items()
            } == answers

        self.with_store(body)

    def test_only_clean_answers_of_other_runs_are_reused(self) -> None:
        """A run repeats its own answers whatever their finish, and others' that are whole."""
        finishes = ("stop", "tool_calls", "length", "content_filter", "other")

        async def body(store: Store) -> None:
            for finish in finishes:
                await record_answer(
                    store, "run-1", finish, Completion(text="text", finish_reason=finish)
                )
            assert set(await store.completions(finishes, "run-1")) == set(finishes)
            assert set(await store.completions(finishes, "run-2")) == {"stop", "tool_calls"}

        self.with_store(body)

    def test_a_run_prefers_its_own_answer(self) -> None:
        """A resumed run sees what it saw before, whatever others have stored meanwhile."""

        async def body(store: Store) -> None:
            await record_answer(
                store, "run-1", "key", Completion(text="cut", finish_reason="length")
            )
            await record_answer(store, "run-2", "key", Completion(text="whole"))
            await record_answer(store, "run-3", "key", Completion(text="other"))
            answers = [await store.completions(["key"], f"run-{i}") for i in (1, 2, 3, 4, 5)]
            texts = [answer["key"].text for answer in answers]
            assert texts == ["cut", "whole", "other", "whole", "whole"]

        self.with_store(body)

    def test_the_first_answer_of_a_run_stands(self) -> None:
        """An answer that may have been used is not replaced; the attempt for it still counts."""

        async def body(store: Store) -> None:
            await record_answer(store, "run-1", "key", Completion(text="first"))
            await record_answer(store, "run-1", "key", Completion(text="second"))
            assert (await store.completions(["key"], "run-1"))["key"].text == "first"
            assert [row["outcome"] for row in await store.attempts("run-1")] == ["ok", "ok"]

        self.with_store(body)

    def test_many_keys_are_looked_up_at_once(self) -> None:
        """The number of keys has no limit; unknown ones and repetitions are left out."""

        async def body(store: Store) -> None:
            await record_answer(store, "run-1", "key-39999", Completion(text="far"))
            keys = [f"key-{index}" for index in range(40_000)]
            assert set(await store.completions([*keys, *keys], "run-1")) == {"key-39999"}
            assert await store.completions([], "run-1") == {}

        self.with_store(body)

    def test_concurrent_attempts_do_not_disturb_each_other(self) -> None:
        """Many calls in flight: each gets an id of its own, each answer lands under its key."""

        async def body(store: Store) -> None:
            async def call(number: int) -> int:
                attempt = await store.start_attempt("run-1", "task", f"key-{number}")
                answer = Completion(text=f"answer {number}")
                await store.finish_attempt(attempt, outcome="ok", body={}, completion=answer)
                key = f"key-{number}"
                assert (await store.completions([key], "run-1"))[key].text == answer.text
                return attempt

            ids = await asyncio.gather(*(call(number) for number in range(N_CONCURRENT)))
            assert len(set(ids)) == N_CONCURRENT
            rows = await store.attempts("run-1")
            assert {row["id"] for row in rows} == set(ids)
            assert {row["outcome"] for row in rows} == {"ok"}

        self.with_store(body)

    def test_a_call_that_fails_fails_alone(self) -> None:
        """Calls that are made at the same time have nothing to do with each other."""

        async def body(store: Store) -> None:
            ids = [await store.start_attempt("run-1", "task", f"key-{i}") for i in range(8)]
            await store.finish_attempt(ids[0], outcome="timeout")
            results = await asyncio.gather(
                *(
                    store.finish_attempt(i, outcome="ok", completion=Completion(text="a"))
                    for i in ids
                ),
                store.finish_attempt(ids[-1] + 1000, outcome="ok"),
                store.move_pointer(sample_move(None, 1)),
                store.append_journal("run-1", "note", {"a": 1}),
                return_exceptions=True,
            )
            kinds = [type(result) for result in results]
            assert kinds == [Conflict, *[type(None)] * 7, NotFound, NotFound, type(None)]
            assert len(await store.completions([f"key-{i}" for i in range(8)], "run-1")) == 7
            assert len(await store.journal("run-1")) == 1

        self.with_store(body)

    def test_names_that_cannot_be_stored_are_refused(self) -> None:
        """NUL, lone surrogates and endless names are an error of the caller, on every database."""

        async def body(store: Store) -> None:
            for name in ("a\x00b", "\ud800", "a" * 10_000):
                with raises(StorageError):
                    await store.start_attempt(name, "task", "key")
                with raises(StorageError):
                    await store.completions([name], "run-1")
                with raises(StorageError):
                    await store.add_version(sample_version("text", name=name))
            await store.add_version(sample_version("text", name="日本語 🧪"))
            assert await store.prompt_names() == ["日本語 🧪"]

        self.with_store(body)
