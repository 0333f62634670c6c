"""What the parts of the store contract share: the store under test and records to write."""

from __future__ import annotations

import asyncio
import math
import pkgutil
import unittest
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

from promptyard.protocols import Store
from promptyard.records.budget import Budget, Spent
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program, Prompt
from promptyard.records.runs import Run, RunHeader
from promptyard.records.scores import Interval, Report, Trial
from promptyard.records.verdicts import Comparison, Verdict
from promptyard.records.versions import Move, PromptVersion

Result = TypeVar("Result")

N_CONCURRENT = 64

UNUSUAL_TEXTS = (
    "",
    "naïve café, nai\u0308ve",
    "日本語 🧪👩‍👩‍👧 \u200b\u202e\ufeff",
    "line\r\nbreak\ttab\x00null\x1f",
    "an unpaired surrogate: \ud800",
    "quotes ' \" ; -- %s :name {0} \\u0000",
)


class StoreSuite:
    """Where the stores of a suite are, and how a test opens one."""

    factory: ClassVar[str] = "promptyard.storage:open_store"
    """Where the function stands that makes a store of a URL, as `module:name`."""

    def url(self) -> str | None:
        """Return the URL of a store that is empty and new to this test."""
        raise NotImplementedError("a StoreContract suite says where a new store is")

    def store(self, url: str | None) -> Store:
        """Make a store with the factory; it is not open yet."""
        return pkgutil.resolve_name(self.factory)(url)

    def with_store(
        self, body: Callable[[Store], Awaitable[Result]], url: str | None = None
    ) -> Result:
        """Run a test's body with an open store, at a new URL unless one is given."""

        async def opened() -> Result:
            store = self.store(self.url() if url is None else url)
            await store.open()
            try:
                return await body(store)
            finally:
                await store.close()

        return asyncio.run(opened())


def raises(error: type[Exception], pattern: str = "") -> Any:
    """Return a context that expects an error whose message matches."""
    return unittest.TestCase().assertRaisesRegex(error, pattern)  # noqa: PT027 (pytest is no dependency)


async def record_answer(
    store: Store, run_id: str, key: str, answer: Completion, body: Mapping[str, Any] | None = None
) -> None:
    """Make one attempt that ends well."""
    attempt = await store.start_attempt(run_id, "task", key)
    await store.finish_attempt(attempt, outcome="ok", body=body or {}, completion=answer)


def sample_version(text: str, **fields: Any) -> PromptVersion:
    """Build a version, not yet numbered, of a prompt that says `text`."""
    program = Program.single(Prompt(text=f"system:\n{text}\n"))
    values = {"name": "support", "number": 0, "author": "ann", "program": program}
    return PromptVersion.model_validate({**values, "digest": program.id, **fields})


def sample_move(from_number: int | None, to_number: int, **fields: Any) -> Move:
    """Build a move of the pointer `production` of `support`."""
    values = {"prompt": "support", "pointer": "production", "actor": "ann", "reason": "better"}
    numbers = {"from_number": from_number, "to_number": to_number}
    return Move.model_validate({**values, **numbers, **fields})


def sample_header(run_id: str, **fields: Any) -> RunHeader:
    """Build the header of a run."""
    values = {
        "id": run_id,
        "task": "support",
        "seed": 7,
        "strategy": "auto",
        "eval_set_version": "v1",
        "baseline_id": "b1",
        "task_model": "openai/m1",
        "optimizer_model": "openai/m2",
        "budget": Budget(task_calls=100, usd=2.5),
        "started_at": "2026-01-01T00:00:00+00:00",
    }
    return RunHeader.model_validate({**values, **fields})


def sample_run(header: RunHeader) -> Run:
    """Build a result that proves nothing; its interval has an infinite end."""
    program = Program.single(Prompt(text="system:\nAnswer.\n"))
    interval = Interval(low=-math.inf, high=0.25, method="t")
    comparison = Comparison(
        dimension="score", rule="superiority", status="inconclusive", n_cases=1, interval=interval
    )
    verdict = Verdict(
        status="inconclusive", comparisons=(comparison,), sentence="Too few cases to tell. 🧪"
    )
    return Run(
        header=header,
        status="finished",
        baseline=program,
        best=program,
        verdict=verdict,
        spent=Spent(task_calls=3, usd=0.1, failures={"timeout": 1}),
    )


def sample_report() -> Report:
    """Build a report of one trial."""
    output = "\n".join(text for text in UNUSUAL_TEXTS)
    trial = Trial(
        program_id="p1", case_id="c1", split="dev", status="scored", score=0.5, output=output
    )
    return Report(
        program_id="p1",
        eval_set_version="v1",
        split="dev",
        trials=(trial,),
        n_scored=1,
        n_errors=0,
        n_unscored=0,
        coverage=1.0,
        score=0.5,
    )
