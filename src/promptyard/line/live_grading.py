"""Grades live answers: the task's checks on stored content, and its judges on a sample of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast, get_args

from promptyard.errors import BudgetExceeded, MetricError, ModelUnusable, NotFound, Tampered
from promptyard.line.rollouts import utc_now
from promptyard.line.session import Session
from promptyard.line.task import Task
from promptyard.line.wiring import metrics_of
from promptyard.protocols import Metric, Store
from promptyard.records.base import Record, content_hash
from promptyard.records.budget import Spent
from promptyard.records.cases import Case
from promptyard.records.live import Feedback, Outcome
from promptyard.records.messages import Completion, FinishReason, Usage
from promptyard.records.prompts import Program
from promptyard.records.scores import Score, case_score
from promptyard.runner.execute import UNUSABLE_FINISHES, Executor
from promptyard.runner.grading import CircuitBreaker, grade
from promptyard.stats.assignment import unit_hash

SCORE = "score"
_FINISHES = frozenset(get_args(FinishReason))


class Grader:
    """Grades pages of outcomes and stores what it finds.

    Attributes:
        counts: outcomes by what became of them, under the names of `LiveScored`.
        stopped: what ended the judging early; empty while it goes on.
    """

    def __init__(
        self,
        task: Task,
        store: Store,
        judges: Sequence[str],
        share: float,
        session: Session | None,
    ) -> None:
        self.store = store
        self._task = task
        self._judges = judges
        self._share = share
        self._session = session
        self._executor: Executor | None = None if session is None else session.executor(task)
        self._metrics_for = metrics_of(task)
        self._breaker = CircuitBreaker()
        self._programs: dict[tuple[int, str], Program | None] = {}
        self._instrument = content_hash([check.model_dump(mode="json") for check in _checks(task)])
        self.counts: Counter[str] = Counter()
        self.stopped = ""

    @property
    def spent(self) -> Spent:
        """What the judges have cost so far."""
        return Spent() if self._session is None else self._session.ledger.spent

    async def grade(self, outcomes: Sequence[Outcome], known: set[str]) -> list[Feedback]:
        """Grade outcomes that have no feedback of these checks yet; store and return it."""
        graded = [item for outcome in outcomes if (item := await self._check(outcome, known))]
        feedback = [item.feedback for item in graded if item.feedback is not None]
        feedback += await self._judge(graded, known)
        await self.store.add_live_events(feedback)
        return feedback

    async def _check(self, outcome: Outcome, known: set[str]) -> _Graded | None:
        """Run the checks that need no judge; None where there is nothing to grade."""
        if outcome.output is None:
            self.counts["n_without_content"] += 1
            return None
        program = await self._program(outcome)
        if program is None:
            self.counts["n_foreign"] += 1
            return None
        key = _feedback_id("check", outcome, self._instrument)
        if key in known:
            self.counts["n_before"] += 1
            if not self._judges_left(outcome, known):
                return None
        case = Case(id=content_hash(outcome.id)[:32], input=outcome.inputs or {}, split="train")
        answer = _completion(outcome)
        metrics = [m for m in self._metrics_for(program, case) if not _asks_judge(m)]
        if answer.finish_reason in UNUSABLE_FINISHES:
            grades = [m for m in metrics if answer.finish_reason in _graded_finishes(m)]
            found = await grade(grades, case, answer, self._breaker)
            is_hard: bool | None = True
        else:
            found = await grade(metrics, case, answer, self._breaker)
            is_hard = _has_failed_hard(found.scores) if found.scores else None
        item = _Graded(outcome, program, case, answer, is_hard is True, bool(found.scores))
        if key not in known and is_hard is None:
            self.counts["n_unmeasured"] += 1
        elif key not in known and is_hard is not None:
            self.counts["n_checked"] += 1
            scores = _by_metric(found.scores)
            overall = case_score(found.scores)
            if overall is not None and SCORE not in outcome.scores:
                scores[SCORE] = overall
            item.feedback = Feedback(
                id=key,
                prompt=outcome.prompt,
                outcome_id=outcome.id,
                at=utc_now(),
                source="check",
                scores=scores,
                hard_failure=is_hard or outcome.hard_failure is True or bool(outcome.error),
            )
        return item

    async def _judge(self, graded: Sequence[_Graded], known: set[str]) -> list[Feedback]:
        """Ask the judges about the sample, as many at once as calls may be under way."""
        executor = self._executor
        if executor is None:
            return []
        queue = iter(
            (item, name) for item in graded for name in self._judges_left(item.outcome, known)
        )
        found: list[Feedback] = []

        async def work() -> None:
            for item, name in queue:
                if self.stopped:
                    return
                try:
                    said = await self._ask(executor, item, name)
                except (BudgetExceeded, ModelUnusable) as error:
                    self.stopped = str(error)
                    return
                if said is not None:
                    found.append(said)

        n_workers = 2 * executor.caller.limits.concurrency
        await asyncio.gather(*(work() for _ in range(n_workers)))
        return sorted(found, key=lambda item: item.id)

    async def _ask(self, executor: Executor, item: _Graded, name: str) -> Feedback | None:
        metric = executor.metric(item.program, item.case, name)
        if metric is None:
            return None
        if item.has_failed_hard and getattr(metric, "after", "none") == "hard":
            value = 0.0  # as offline: what is unusable is not shown to a judge, and is no good
        else:
            try:
                value = case_score(tuple(await metric.score(item.case, item.answer)))
            except MetricError:
                value = None
        if value is None:
            self.counts["n_unmeasured"] += 1
            return None
        self.counts["n_judged"] += 1
        scores = {name: value}
        if not item.has_score and SCORE not in item.outcome.scores:
            scores[SCORE] = value  # no other check grades this task's answers
        return Feedback(
            id=_feedback_id("judge", item.outcome, self._judge_key(name)),
            prompt=item.outcome.prompt,
            outcome_id=item.outcome.id,
            at=utc_now(),
            source="judge",
            scores=scores,
        )

    def _judges_left(self, outcome: Outcome, known: set[str]) -> list[str]:
        """Return the judges that are still to be asked about an outcome."""
        if self._executor is None or self.stopped or not is_sampled(outcome, self._share):
            return []
        return [
            name
            for name in self._judges
            if _feedback_id("judge", outcome, self._judge_key(name)) not in known
        ]

    def _judge_key(self, name: str) -> str:
        model = "" if self._session is None else self._session.models["judge"].name
        return content_hash([self._instrument, name, model])

    async def _program(self, outcome: Outcome) -> Program | None:
        """Return the program that answered, None where the registry has no such version."""
        key = (outcome.version, outcome.digest)
        if key not in self._programs:
            program: Program | None = None
            with contextlib.suppress(NotFound, Tampered):
                version = await self.store.version(outcome.prompt, outcome.version)
                program = version.program if version.digest == outcome.digest else None
            self._programs[key] = program
        return self._programs[key]


@dataclass
class _Graded:
    """An outcome with what is needed to ask a judge about it, and what the checks found."""

    outcome: Outcome
    program: Program
    case: Case
    answer: Completion
    has_failed_hard: bool
    has_score: bool
    feedback: Feedback | None = None


def is_sampled(outcome: Outcome, share: float) -> bool:
    """Say whether an outcome is in the sample for judges: by its id, or that of its pair."""
    return unit_hash("judge", outcome.pair or outcome.id, outcome.rollout_id or "") < share


def _checks(task: Task) -> Sequence[Record]:
    return [item for item in task.metrics if isinstance(item, Record)]


def judge_names(task: Task) -> tuple[str, ...]:
    """Return the task's checks that ask a judge, those of single cases left out."""
    case = Case(id="live", input={}, split="train")
    return tuple(m.name for m in metrics_of(task)(task.program, case) if _asks_judge(m))


def _asks_judge(metric: Metric) -> bool:
    return bool(getattr(metric, "asks_judge", False))


def _graded_finishes(metric: Metric) -> Sequence[str]:
    return tuple(getattr(metric, "grades_finishes", ()))


def _feedback_id(source: str, outcome: Outcome, instrument: str) -> str:
    return f"{source}-{content_hash([outcome.id, instrument])[:32]}"


def _completion(outcome: Outcome) -> Completion:
    """Return a live answer as checks see answers; an unknown finish is `other`."""
    finish = outcome.finish_reason or "stop"
    usage = Usage(input_tokens=outcome.input_tokens or 0, output_tokens=outcome.output_tokens or 0)
    return Completion(
        text=outcome.output or "",
        finish_reason=cast("FinishReason", finish if finish in _FINISHES else "other"),
        usage=usage,
        latency_s=outcome.latency_s or 0.0,
        cost_usd=outcome.cost_usd,
        model=outcome.model,
    )


def _by_metric(scores: Sequence[Score]) -> dict[str, float]:
    """Fold the findings of each check into one score in [0, 1]."""
    names = dict.fromkeys(score.metric for score in scores)
    folded = {name: case_score([s for s in scores if s.metric == name]) for name in names}
    return {name: value for name, value in folded.items() if value is not None}


def _has_failed_hard(scores: Sequence[Score]) -> bool:
    return any(score.severity == "hard" and score.value < 1.0 for score in scores)
