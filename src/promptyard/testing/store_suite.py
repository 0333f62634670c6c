"""What the parts of the store contract share: the store under test and records to write."""

from __future__ import annotations

import asyncio
import math
import pkgutil
import unittest
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

from promptyard.protocols import Store
from promptyard.records.atoms import Atom
from promptyard.records.budget import Budget, Spent
from promptyard.records.cases import Case, EvalSet
from promptyard.records.judging import JudgeCertificate, LabelledVerdict, Rate
from promptyard.records.live import Exposure, Feedback, Outcome, pseudonym
from promptyard.records.measurements import Measurement
from promptyard.records.messages import Completion
from promptyard.records.origins import Effect, Origin
from promptyard.records.prompts import Program, Prompt
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan
from promptyard.records.runs import Run, RunHeader
from promptyard.records.scores import (
    HitCounts,
    Interval,
    JudgeStamp,
    Report,
    Score,
    StepVisit,
    Summary,
    Trial,
    Unmeasured,
)
from promptyard.records.verdicts import Comparison, Verdict
from promptyard.records.versions import Move, PromptVersion, Protection

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


def sample_origin(text: str) -> Origin:
    """Build where a sentence comes from, with everything that can be said of it."""
    return Origin(
        atom=Atom(kind="insert_after", region="rules", anchor=text, text=text),
        buckets=(text, "wrong_value"),
        case_ids=("c1", text),
        generator="reflect",
        hypothesis=text,
        run_id="run-1",
        effect=Effect(n_cases=4, n_failing_before=3, n_failing_after=1, fixed=("c1",)),
    )


def sample_move(from_number: int | None, to_number: int, **fields: Any) -> Move:
    """Build a move of the pointer `production` of `support`."""
    values = {"prompt": "support", "pointer": "production", "actor": "ann", "reason": "better"}
    numbers = {"from_number": from_number, "to_number": to_number}
    return Move.model_validate({**values, **numbers, **fields})


def sample_rollout(**fields: Any) -> Rollout:
    """Build a rollout of version 2 of `support` beside 1, started by ann."""
    values = {
        "id": "rollout-1",
        "prompt": "support",
        "pointer": "production",
        "control": 1,
        "treatment": 2,
        "control_digest": "d1",
        "treatment_digest": "d2",
        "plan": RolloutPlan(),
        "started_at": "2026-01-01T00:00:00+00:00",
        "started_by": "ann",
    }
    return Rollout.model_validate({**values, **fields})


def sample_decision(seq: int, **fields: Any) -> Decision:
    """Build a decision on `rollout-1` that leaves it running at the first step."""
    values = {
        "rollout_id": "rollout-1",
        "seq": seq,
        "at": "2026-01-01T00:00:00+00:00",
        "actor": "ann" if seq == 1 else "canary",
        "action": "start" if seq == 1 else "hold",
        "state": "running",
        "step": 0,
        "enrolled": 0.02,
        "step_at": "2026-01-01T00:00:00+00:00",
    }
    return Decision.model_validate({**values, **fields})


def sample_exposure(event_id: str, **fields: Any) -> Exposure:
    """Build an exposure of a subject of `rollout-1` to its treatment."""
    values = {
        "id": event_id,
        "prompt": "support",
        "rollout_id": "rollout-1",
        "subject": pseudonym(event_id),
        "arm": "treatment",
        "version": 2,
        "digest": "d2",
        "reason": "split",
        "at": "2026-01-01T00:00:00+00:00",
    }
    return Exposure.model_validate({**values, **fields})


def sample_outcome(event_id: str, **fields: Any) -> Outcome:
    """Build an outcome of `support`, of no rollout unless one is given."""
    values = {
        "id": event_id,
        "prompt": "support",
        "version": 2,
        "digest": "d2",
        "subject": pseudonym(event_id),
        "at": "2026-01-01T00:00:00+00:00",
        "latency_s": 0.25,
        "scores": {"score": 0.75},
    }
    if fields.get("rollout_id") is not None:
        values["arm"] = "treatment"
    return Outcome.model_validate({**values, **fields})


def sample_feedback(event_id: str, outcome_id: str, **fields: Any) -> Feedback:
    """Build a user's word on an outcome."""
    values = {
        "id": event_id,
        "prompt": "support",
        "outcome_id": outcome_id,
        "at": "2026-01-01T00:00:00+00:00",
        "scores": {"score": 1.0},
    }
    return Feedback.model_validate({**values, **fields})


async def add_three_versions(store: Store) -> None:
    """Register three versions of `support` and point production at the first."""
    for text in ("one", "two", "three"):
        await store.add_version(sample_version(text))
    await store.move_pointer(sample_move(None, 1))


async def rollout_of_two(store: Store, **fields: Any) -> Rollout:
    """Build a rollout of version 2 beside 1, which production is at; ann starts it."""
    if not await store.versions("support"):
        await add_three_versions(store)
    digests = {
        "control_digest": (await store.version("support", 1)).digest,
        "treatment_digest": (await store.version("support", 2)).digest,
    }
    return sample_rollout(**{**digests, **fields})


def sample_protection(*, is_protected: bool, **fields: Any) -> Protection:
    """Build a protection of the pointer `production` of `support`, or its end, by ann."""
    values = {"prompt": "support", "pointer": "production", "actor": "ann"}
    return Protection.model_validate({**values, "is_protected": is_protected, **fields})


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


def sample_trial(number: int, **fields: Any) -> Trial:
    """Build a trial that uses every part a trial can have; its output is unusual."""
    answer = Completion(text=UNUSUAL_TEXTS[number % len(UNUSUAL_TEXTS)], latency_s=0.1)
    stamp = JudgeStamp(model="openai/j1", prompt_hash="h1", verdict="pass", repeated="fail")
    score = Score(
        metric="rubric",
        value=0.5,
        tags=("off_topic",),
        span=(0, 2),
        counts=HitCounts(n_hits=1, n_given=2, n_expected=3),
        judge=stamp,
    )
    values = {
        "program_id": "p1",
        "case_id": f"c{number}",
        "split": "dev",
        "status": "scored",
        "score": 0.5,
        "output": answer.text,
        "visits": (StepVisit(step="main", completion=answer),),
        "scores": (score,),
        "unmeasured": (Unmeasured(metric="late", status="skip", kind="gate", reason="hard"),),
    }
    return Trial.model_validate({**values, **fields})


def sample_report(n_trials: int = 1, **fields: Any) -> Report:
    """Build a report of so many trials."""
    trials = tuple(sample_trial(number) for number in range(n_trials))
    values = {
        "program_id": "p1",
        "eval_set_version": "v1",
        "split": "dev",
        "trials": trials,
        "n_scored": n_trials,
        "n_errors": 0,
        "n_unscored": 0,
        "coverage": 1.0,
        "score": 0.5,
        "summaries": (
            Summary(
                name="score",
                mean=0.5,
                interval=Interval(low=-math.inf, high=1.0, method="t"),
                n_cases=n_trials,
            ),
        ),
        "suite": {"texts": list(UNUSUAL_TEXTS)},
    }
    return Report.model_validate({**values, **fields})


def sample_measurement(**fields: Any) -> Measurement:
    """Build a measurement of one report."""
    values = {
        "task": "support",
        "program_id": "p1",
        "eval_set_version": "v1",
        "split": "dev",
        "run_id": "run-1",
        "purpose": "eval",
        "model": "openai/m1",
        "n_cases": 4,
        "coverage": 1.0,
        "score": 0.5,
        "buckets": {"wrong_value": 2},
    }
    return Measurement.model_validate({**values, **fields})


def sample_certificate(**fields: Any) -> JudgeCertificate:
    """Build a certificate of a judge."""
    rate = Rate(value=0.75, interval=Interval(low=0.5, high=0.9, method="wilson"), n=40)
    label = LabelledVerdict(case_id="c1", person=True, judge=False)
    values = {
        "id": "certificate-1",
        "task": "support",
        "metric": "rubric",
        "model": "openai/j1",
        "prompt_hash": "h1",
        "kappa": rate,
        "tpr": rate,
        "tnr": Rate(value=None),
        "agreement": rate,
        "labels": (label,),
    }
    return JudgeCertificate.model_validate({**values, **fields})


def sample_eval_set(version: str, n_cases: int = 2, name: str = "support") -> EvalSet:
    """Build a version of an eval set, its cases in dev and holdout by turns."""
    cases = tuple(
        Case(
            id=f"c{number}",
            input={"text": UNUSUAL_TEXTS[number % len(UNUSUAL_TEXTS)]},
            split="holdout" if number % 2 else "dev",
        )
        for number in range(n_cases)
    )
    return EvalSet(name=name, cases=cases, version=version)
