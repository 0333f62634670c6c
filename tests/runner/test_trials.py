"""Trials that are stopped, and whose calls go first: what is cancelled, counted and kept."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from promptyard.errors import BudgetExceeded, ModelUnusable
from promptyard.protocols import Model, Store
from promptyard.providers.openai_compatible import OpenAICompatible
from promptyard.records.base import Json
from promptyard.records.budget import Budget
from promptyard.records.cases import Case
from promptyard.records.messages import CallRole, Completion
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import Score, Trial
from promptyard.runner.caller import Caller
from promptyard.runner.execute import Executor
from promptyard.runner.ledger import Ledger
from promptyard.runner.retry import CallLimits
from promptyard.storage import open_store
from promptyard.testing.scripted_model import ScriptedModel
from promptyard.workflows.single import Single
from runner.test_caller import ask, header
from support.chat_server import ChatServer, Fault

Result = TypeVar("Result")

PROGRAM = Program.single(Prompt.from_text("system:\nSay it again.\n\nuser:\n{{text}}\n"))
CASES = [Case(id=f"c{n}", input={"text": f"text {n}"}, split="train") for n in range(40)]


class Passes:
    """Passes everything; asks a judge first where it has one."""

    name = "passes"

    def __init__(self, caller: Caller | None = None) -> None:
        self.asks_judge = caller is not None
        self._caller = caller

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        if self._caller is not None:
            await self._caller.complete("judge", ask(f"judge {case.id}"))
        return (Score(metric=self.name, value=1.0),)


def executor_of(caller: Caller, *, judged: bool = False) -> Executor:
    return Executor(
        caller=caller,
        workflow_for=lambda program: Single(program.workflow.options),
        metrics_for=lambda program, case: [Passes(caller if judged else None)],
        suite_metrics=lambda graded: {},
        eval_set_version="v",
    )


def with_executor(
    models: Mapping[CallRole, Model],
    work: Callable[[Executor, Store], Awaitable[Result]],
    *,
    concurrency: int = 8,
    budget: Budget | None = None,
    judged: bool = False,
) -> Result:
    async def run() -> Result:
        store = open_store(None)
        await store.open()
        try:
            await store.start_run(header("r1"))
            limits = CallLimits(concurrency=concurrency, timeout_s=60, retries=1)
            caller = Caller(
                run_id="r1",
                models=models,
                store=store,
                ledger=Ledger(budget or Budget()),
                limits=limits,
            )
            return await work(executor_of(caller, judged=judged), store)
        finally:
            for model in models.values():
                await model.close()
            await store.close()

    return asyncio.run(asyncio.wait_for(run(), 30))


def number_of(body: Mapping[str, Json]) -> int:
    return int(str(body["messages"][-1]["content"]).split()[-1])


def after(n: int) -> Callable[[Trial], bool]:
    """Say of the n-th trial asked about that it is enough."""
    asked: list[str] = []

    def until(trial: Trial) -> bool:
        asked.append(trial.case_id)
        return len(asked) == n

    return until


def others() -> set[asyncio.Task[Any]]:
    """Return the tasks that run beside this one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


class Slow(ScriptedModel):
    """Answers some texts at once and holds the others until it is cancelled."""

    def __init__(self, held: Callable[[int], bool]) -> None:
        super().__init__(lambda body: str(number_of(body)))
        self.dropped: list[int] = []
        self._held = held

    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        answer = await super().send(body, timeout_s=timeout_s)
        if self._held(number_of(body)):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.dropped.append(number_of(body))
                raise
        return answer


def test_when_enough_is_known_calls_in_flight_are_cancelled_and_every_sent_one_counts() -> None:
    model = Slow(lambda number: number >= 5)

    async def work(executor: Executor, store: Store) -> tuple[list[Trial], Any, Any]:
        trials = await executor.trials(PROGRAM, CASES, "train", until=after(5))
        return trials, executor.caller.ledger.spent, await store.attempts("r1")

    trials, spent, attempts = with_executor({"task": model}, work)
    assert [trial.case_id for trial in trials] == [f"c{n}" for n in range(5)]
    assert all(trial.status == "scored" for trial in trials)
    assert len(model.dropped) == len(set(model.dropped)) == model.n_requests - 5
    assert min(model.dropped) >= 5
    assert spent.task_calls == model.n_requests < len(CASES)
    assert spent.failures == {"cancelled": len(model.dropped)}
    outcomes = Counter(row["outcome"] for row in attempts if row["outcome"] != "unsent")
    assert outcomes == {"ok": 5, "cancelled": len(model.dropped)}


def test_a_run_stops_at_the_same_trial_whatever_the_speed_of_the_answers() -> None:
    async def work(executor: Executor, store: Store) -> list[str]:
        trials = await executor.trials(PROGRAM, CASES, "train", until=after(7))
        return [trial.case_id for trial in trials]

    class Uneven(ScriptedModel):
        async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
            await asyncio.sleep(0.002 * (number_of(body) * 7 % 5))
            return await super().send(body, timeout_s=timeout_s)

    for concurrency in (1, 3, 16):
        model = Uneven(lambda body: "yes")
        assert with_executor({"task": model}, work, concurrency=concurrency) == [
            f"c{n}" for n in range(7)
        ]


def test_places_of_cancelled_calls_are_free_again() -> None:
    held = True
    model = Slow(lambda number: held and number >= 3)

    async def work(executor: Executor, store: Store) -> list[Trial]:
        nonlocal held
        await executor.trials(PROGRAM, CASES, "train", until=after(3))
        held = False
        return await executor.trials(PROGRAM, CASES, "train")

    trials = with_executor({"task": model}, work, concurrency=4)
    assert [trial.case_id for trial in trials] == [case.id for case in CASES]
    sent = Counter(number_of(body) for body in model.requests)
    assert {number for number, n in sent.items() if n > 1} == set(model.dropped)


def test_a_call_that_two_wait_for_is_made_by_the_other_when_one_is_cancelled() -> None:
    held = True
    model = Slow(lambda number: held and number == 4)

    async def work(executor: Executor, store: Store) -> list[Trial]:
        nonlocal held
        first = asyncio.create_task(executor.trials(PROGRAM, CASES[:6], "train"))
        while 4 not in map(number_of, model.requests):
            await asyncio.sleep(0.001)
        second = asyncio.create_task(executor.trials(PROGRAM, CASES[4:5], "train"))
        await asyncio.sleep(0.01)  # it waits for the call of the first one
        held = False
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        return await second

    (trial,) = with_executor({"task": model}, work)
    assert (trial.case_id, trial.output, trial.status) == ("c4", "4", "scored")
    assert list(map(number_of, model.requests)).count(4) == 2


def test_cancelling_a_run_from_outside_settles_and_frees_all_it_held() -> None:
    model = Slow(lambda number: number >= 1)

    async def work(executor: Executor, store: Store) -> tuple[Any, Any, Any]:
        before = others()
        run = asyncio.create_task(executor.run(PROGRAM, CASES, "train"))
        while model.n_requests < 8:
            await asyncio.sleep(0.001)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        # Nothing of it works on.
        left = others() - before
        return executor.caller.ledger.spent, await store.attempts("r1"), left

    spent, attempts, left = with_executor({"task": model}, work)
    assert spent.task_calls == model.n_requests
    assert spent.failures == {"cancelled": len(model.dropped)}
    assert all(row["outcome"] is not None for row in attempts)
    assert not left


def test_an_answer_that_is_being_stored_when_its_caller_is_cancelled_is_never_paid_again() -> None:
    model = ScriptedModel(lambda body: str(number_of(body)))

    async def work(executor: Executor, store: Store) -> Completion:
        caller = executor.caller
        await executor.trials(PROGRAM, CASES[:1], "train")
        request = PROGRAM.prompt.request(CASES[1])
        await caller.prefetch("task", [request], 0)
        call = asyncio.create_task(caller.complete("task", request))
        storing = asyncio.Event()
        finish = store.finish_attempt

        async def slowly(attempt_id: int, **given: Any) -> None:
            storing.set()
            await finish(attempt_id, **given)

        store.finish_attempt = slowly  # type: ignore[method-assign]
        await storing.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert call.cancelled()
        return await caller.complete("task", PROGRAM.prompt.request(CASES[1]))

    answer = with_executor({"task": model}, work)
    assert (answer.text, answer.cached) == ("1", True)
    assert model.n_requests == 2


def test_an_attempt_that_is_cancelled_before_it_is_sent_gives_its_budget_back() -> None:
    model = ScriptedModel("yes")

    async def work(executor: Executor, store: Store) -> tuple[Any, Any]:
        caller = executor.caller
        started = asyncio.Event()
        start = store.start_attempt

        async def slowly(run_id: str, role: str, key: str) -> int:
            started.set()
            await asyncio.sleep(0.01)
            return await start(run_id, role, key)

        store.start_attempt = slowly  # type: ignore[method-assign]
        call = asyncio.create_task(caller.complete("task", ask("a")))
        await started.wait()
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return caller.ledger, await store.attempts("r1")

    ledger, attempts = with_executor(
        {"task": model}, work, budget=Budget(task_calls=1, tokens=2000)
    )
    assert model.n_requests == 0
    assert [row["outcome"] for row in attempts] == ["unsent"]
    assert ledger.spent.task_calls == 0
    assert Ledger(Budget(), past=attempts).spent.task_calls == 0
    ledger.reserve("task", tokens=2000)


def test_free_places_go_to_the_run_with_the_highest_priority() -> None:
    model = ScriptedModel(lambda body: "yes", latency_s=0.001)

    async def work(executor: Executor, store: Store) -> None:
        await executor.trials(PROGRAM, CASES[:1], "train")
        low = asyncio.create_task(executor.trials(PROGRAM, CASES[1:21], "train", priority=1.0))
        while model.n_requests < 3:
            await asyncio.sleep(0)
        high = asyncio.create_task(executor.trials(PROGRAM, CASES[21:31], "train", priority=2.0))
        await asyncio.gather(low, high)

    with_executor({"task": model}, work, concurrency=2)
    order = [number_of(body) for body in model.requests]
    # Whoever had a place when it came keeps it.
    assert max(order.index(number) for number in range(21, 31)) <= 3 + 2 + 10
    assert [n for n in order if n > 20] == list(range(21, 31))


def test_judges_share_a_model_with_the_answers_that_they_judge() -> None:
    model = ScriptedModel(lambda body: "yes", latency_s=0.001)

    async def work(executor: Executor, store: Store) -> None:
        await executor.trials(PROGRAM, CASES[:20], "train", priority=3.0)

    with_executor({"task": model, "judge": model}, work, concurrency=2, judged=True)
    asked = [str(body["messages"][-1]["content"]).split()[0] for body in model.requests]
    # The judge of a case waits behind the calls that were there before it, and before later ones.
    for n in range(8, 36, 4):
        assert "judge" in asked[n : n + 8]
        assert "text" in asked[n : n + 8] or asked[n:].count("text") == 0


def test_the_end_of_the_budget_is_told_after_the_calls_in_flight_have_ended() -> None:
    model = ScriptedModel(lambda body: "yes", latency_s=0.002)
    seen: list[str] = []

    async def work(executor: Executor, store: Store) -> int:
        with pytest.raises(BudgetExceeded):
            await executor.trials(
                PROGRAM, CASES, "train", on_trial=lambda trial: seen.append(trial.case_id)
            )
        return len(
            await store.completions([row["key"] for row in await store.attempts("r1")], "r1")
        )

    assert with_executor({"task": model}, work, budget=Budget(task_calls=11)) == 11
    assert len(set(seen)) == len(seen) == 11


def test_what_breaks_a_run_ends_all_of_its_workers() -> None:
    model = Slow(lambda number: number > 0)

    async def work(executor: Executor, store: Store) -> set[Any]:
        before = others()

        def broken(trial: Trial) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await executor.trials(PROGRAM, CASES, "train", on_trial=broken)
        return others() - before

    assert not with_executor({"task": model}, work)


def test_over_http_a_hanging_request_is_dropped_and_the_server_sees_it_go() -> None:
    def faults(index: int, body: Any) -> Fault | None:
        return Fault.hang(60) if number_of(body) >= 6 else None

    with ChatServer(lambda body: str(number_of(body)), faults) as server:
        model = OpenAICompatible("test/m1", "m1", server.base_url, "key")

        async def work(executor: Executor, store: Store) -> tuple[list[Trial], Any, Any]:
            trials = await executor.trials(PROGRAM, CASES, "train", until=after(6))
            deadline_s = time.monotonic() + 5
            while server.n_in_flight and time.monotonic() < deadline_s:
                await asyncio.sleep(0.005)
            assert server.n_in_flight == 0
            return trials, executor.caller.ledger.spent, await store.attempts("r1")

        trials, spent, attempts = with_executor({"task": model}, work)
        n_sent = server.n_requests
    assert [trial.output for trial in trials] == [str(n) for n in range(6)]
    n_cancelled = spent.failures["cancelled"]
    assert n_cancelled >= 1
    # What was booked and never reached the server counts too: it may have been on its way.
    assert n_sent <= spent.task_calls == 6 + n_cancelled
    assert all(row["outcome"] in ("ok", "cancelled", "unsent") for row in attempts)


def test_a_model_that_cannot_work_ends_a_run_that_others_wait_in() -> None:
    with ChatServer(lambda body: "ok", lambda index, body: Fault.status(401)) as server:
        model = OpenAICompatible("test/m1", "m1", server.base_url, "key")

        async def work(executor: Executor, store: Store) -> None:
            with pytest.raises(ModelUnusable):
                await executor.trials(PROGRAM, CASES, "train", until=lambda trial: False)

        with_executor({"task": model}, work)
        assert server.n_requests == 1
