"""The caller: nothing is paid twice, nothing is sent beyond the budget, failures have names."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from promptyard.errors import (
    AuthFailed,
    BadResponse,
    BudgetExceeded,
    Conflict,
    InvalidRequest,
    ModelError,
    ModelUnusable,
    RateLimited,
    ServerError,
    Unreachable,
)
from promptyard.protocols import Store
from promptyard.records.base import Json
from promptyard.records.budget import Budget
from promptyard.records.messages import Completion, Message, Request
from promptyard.records.runs import RunHeader
from promptyard.runner.caller import Caller, completion_key
from promptyard.runner.ledger import Ledger
from promptyard.runner.retry import CallLimits
from promptyard.storage import open_store
from promptyard.testing.scripted_model import ScriptedModel

Result = TypeVar("Result")
FAST = CallLimits(concurrency=8, timeout_s=5, retries=3)


def header(run_id: str) -> RunHeader:
    return RunHeader(
        id=run_id,
        task="t",
        seed=0,
        strategy="auto",
        eval_set_version="v",
        baseline_id="b",
        task_model="m",
        optimizer_model="m",
        budget=Budget(),
        started_at="2026-01-01T00:00:00+00:00",
    )


def with_caller(
    model: ScriptedModel,
    work: Callable[[Caller, Store], Awaitable[Result]],
    *,
    budget: Budget | None = None,
    url: str | None = None,
    run_id: str = "r1",
    limits: CallLimits = FAST,
) -> Result:
    async def run() -> Result:
        store = open_store(url)
        await store.open()
        try:
            with contextlib.suppress(Conflict):
                await store.start_run(header(run_id))
            ledger = Ledger(budget or Budget(), past=await store.attempts(run_id))
            caller = Caller(
                run_id=run_id,
                models={"task": model},
                store=store,
                ledger=ledger,
                limits=limits,
            )
            return await work(caller, store)
        finally:
            await store.close()

    return asyncio.run(run())


def ask(text: str) -> Request:
    return Request(messages=(Message.of("user", text),))


def echo(body: Mapping[str, Json]) -> str:
    return "echo " + str(body["messages"][-1]["content"])


def test_identical_calls_are_one_flight() -> None:
    model = ScriptedModel(echo, latency_s=0.02)

    async def work(caller: Caller, store: Store) -> list[Completion]:
        return list(await asyncio.gather(*(caller.complete("task", ask("a")) for _ in range(20))))

    answers = with_caller(model, work)
    assert {answer.text for answer in answers} == {"echo a"}
    assert model.n_requests == 1


def test_replicates_are_calls_of_their_own() -> None:
    model = ScriptedModel(echo)

    async def work(caller: Caller, store: Store) -> None:
        for replicate in (0, 1, 1, 2):
            await caller.complete("task", ask("a"), replicate)

    with_caller(model, work)
    assert model.n_requests == 3


def test_a_stored_completion_is_never_asked_for_again(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    model = ScriptedModel(echo)

    async def work(caller: Caller, store: Store) -> Completion:
        return await caller.complete("task", ask("a"))

    first = with_caller(model, work, url=url)
    again = with_caller(model, work, url=url, run_id="r2")
    assert model.n_requests == 1
    assert (first.cached, again.cached) == (False, True)
    assert again.latency_s == first.latency_s


def test_unclean_answers_are_replayed_within_their_run_only(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    model = ScriptedModel(lambda body: Completion(text="cut", finish_reason="length"))

    async def work(caller: Caller, store: Store) -> Completion:
        return await caller.complete("task", ask("a"))

    with_caller(model, work, url=url, run_id="r1")
    with_caller(model, work, url=url, run_id="r1")
    assert model.n_requests == 1
    with_caller(model, work, url=url, run_id="r2")
    assert model.n_requests == 2


def test_transient_errors_are_retried_and_every_attempt_counts() -> None:
    replies: list[str | Exception] = [
        RateLimited("slow down", retry_after_s=0.0),
        ServerError("oops"),
        BadResponse("half a json"),
        "fine",
    ]
    model = ScriptedModel(lambda body: replies.pop(0))

    async def work(caller: Caller, store: Store) -> tuple[Completion, Caller]:
        return await caller.complete("task", ask("a")), caller

    answer, caller = with_caller(model, work)
    assert answer.text == "fine"
    spent = caller.ledger.spent
    assert spent.task_calls == 4
    assert spent.failures == {"bad_response": 1, "rate_limited": 1, "server_error": 1}


def test_retries_end_and_the_last_error_is_raised() -> None:
    model = ScriptedModel(lambda body: ServerError("down"))

    async def work(caller: Caller, store: Store) -> None:
        with pytest.raises(ServerError, match="down"):
            await caller.complete("task", ask("a"))

    with_caller(model, work, limits=CallLimits(retries=1))
    assert model.n_requests == 2


def test_a_wait_beyond_the_deadline_gives_up_at_once() -> None:
    model = ScriptedModel(lambda body: RateLimited("later", retry_after_s=60))

    async def work(caller: Caller, store: Store) -> None:
        with pytest.raises(RateLimited):
            await caller.complete("task", ask("a"))

    with_caller(model, work, limits=CallLimits(timeout_s=2))
    assert model.n_requests == 1


def test_a_wait_that_no_call_can_sit_out_pauses_nobody() -> None:
    def reply(body: Mapping[str, Json]) -> str | Exception:
        text = echo(body)
        return RateLimited("tomorrow", retry_after_s=86_400) if text.endswith("0") else text

    async def work(caller: Caller, store: Store) -> list[object]:
        await caller.complete("task", ask("first"))
        calls = (caller.complete("task", ask(str(n))) for n in range(4))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    started_s = time.monotonic()
    results = with_caller(ScriptedModel(reply), work)
    assert isinstance(results[0], RateLimited)
    assert all(isinstance(result, Completion) for result in results[1:])
    assert time.monotonic() - started_s < 5


def test_a_token_budget_waits_for_what_others_reserved_and_gives_it_out_again() -> None:
    model = ScriptedModel(echo, latency_s=0.01)

    async def work(caller: Caller, store: Store) -> int:
        calls = (caller.complete("task", ask(str(n))) for n in range(30))
        return len(await asyncio.gather(*calls))

    assert with_caller(model, work, budget=Budget(tokens=3000)) == 30


def test_a_model_object_that_crashes_is_one_typed_failure() -> None:
    model = ScriptedModel(lambda body: ValueError("my own bug"))

    async def work(caller: Caller, store: Store) -> Caller:
        with pytest.raises(ModelError, match="ValueError: my own bug"):
            await caller.complete("task", ask("a"))
        return caller

    assert with_caller(model, work).ledger.spent.failures == {"model_error": 1}


@pytest.mark.parametrize(
    "error",
    [AuthFailed("bad key"), Unreachable("nobody"), InvalidRequest("no such model", status=404)],
)
def test_a_model_that_cannot_work_costs_one_call_and_not_a_burst(error: ModelError) -> None:
    model = ScriptedModel(lambda body: error)

    async def work(caller: Caller, store: Store) -> list[object]:
        calls = (caller.complete("task", ask(str(n))) for n in range(10))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    results = with_caller(model, work)
    assert all(isinstance(result, ModelUnusable) for result in results)
    assert model.n_requests == 1


def test_a_refused_case_is_no_reason_to_give_the_model_up() -> None:
    def reply(body: Mapping[str, Json]) -> str | Exception:
        text = echo(body)
        return InvalidRequest("too long", status=400) if text.endswith("0") else text

    async def work(caller: Caller, store: Store) -> list[object]:
        calls = (caller.complete("task", ask(str(n))) for n in range(4))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    results = with_caller(ScriptedModel(reply), work)
    assert isinstance(results[0], InvalidRequest)
    assert all(isinstance(result, Completion) for result in results[1:])


def test_a_budget_of_n_calls_sends_n_requests_however_many_want_to() -> None:
    model = ScriptedModel(echo, latency_s=0.002)

    async def work(caller: Caller, store: Store) -> list[object]:
        calls = (caller.complete("task", ask(str(n))) for n in range(100))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    results = with_caller(
        model, work, budget=Budget(task_calls=17), limits=CallLimits(concurrency=64)
    )
    assert model.n_requests == 17
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 83


def test_the_key_of_a_call_is_its_exact_body_address_and_replicate() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "café"}]}
    other = {"model": "m", "messages": [{"role": "user", "content": "cafe\u0301"}]}
    keys = {
        completion_key(body, "http://a", 0),
        completion_key(body, "http://a", 1),
        completion_key(body, "http://b", 0),
        completion_key(other, "http://a", 0),
    }
    assert len(keys) == 4
    assert completion_key(dict(body), "http://a", 0) in keys


def test_a_request_that_was_looked_up_is_the_same_call_for_another_replicate_or_not(
    tmp_path: Path,
) -> None:
    model = ScriptedModel(echo)
    requests = [ask("a"), ask("b"), ask("a")]

    async def work(caller: Caller, store: Store) -> list[str]:
        await caller.prefetch("task", requests, 0)
        answers = [await caller.complete("task", request) for request in requests]
        answers.append(await caller.complete("task", requests[0], 1))
        return [answer.text for answer in answers]

    assert with_caller(model, work, url=str(tmp_path / "s.db")) == [
        "echo a",
        "echo b",
        "echo a",
        "echo a",
    ]
    assert model.n_requests == 3
    assert with_caller(model, work, url=str(tmp_path / "s.db"), run_id="r2")[0] == "echo a"
    assert model.n_requests == 3


def test_the_next_call_starts_while_an_answer_is_stored_and_nobody_uses_it_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ScriptedModel(echo)
    happened: list[str] = []

    async def work(caller: Caller, store: Store) -> None:
        await caller.complete("task", ask("the first call to a model goes alone"))
        finish = store.finish_attempt

        async def slowly(attempt_id: int, *, completion: Completion, **given: Any) -> None:
            while completion.text == "echo a" and model.n_requests < 3:
                await asyncio.sleep(0.001)  # until the next call is under way
            await finish(attempt_id, completion=completion, **given)
            happened.append(f"stored {completion.text}")

        async def use(text: str) -> None:
            answer = await caller.complete("task", ask(text))
            happened.append(f"used {answer.text}")

        monkeypatch.setattr(store, "finish_attempt", slowly)
        await asyncio.wait_for(asyncio.gather(use("a"), use("b")), timeout=5)

    with_caller(model, work, limits=CallLimits(concurrency=1, timeout_s=5))
    for text in "ab":
        assert happened.index(f"stored echo {text}") < happened.index(f"used echo {text}")


def test_looking_up_for_one_replicate_says_nothing_of_another() -> None:
    model = ScriptedModel(echo)
    request = ask("a")

    async def work(caller: Caller, store: Store) -> None:
        await caller.prefetch("task", [request], 1)
        await caller.complete("task", request, 0)
        await caller.complete("task", request, 1)

    with_caller(model, work)
    assert model.n_requests == 2


def test_a_role_without_a_model_says_which_key_to_set() -> None:
    async def work(caller: Caller, store: Store) -> None:
        with pytest.raises(ModelUnusable, match=r"models\.judge"):
            await caller.complete("judge", ask("a"))

    with_caller(ScriptedModel(echo), work)
