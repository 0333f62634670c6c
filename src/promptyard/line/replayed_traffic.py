"""An application under replayed traffic: a process of its own, with the client and a model.

`python -m promptyard.line.replayed_traffic` reads its settings as one line of JSON and serves until
its standard input ends. Of the store it knows nothing: prompts come out of the manifest, what came
of them goes into the spool. Every 0.2 s it prints what it has served so far, one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from promptyard.client import Promptyard
from promptyard.client.live_lines import HARD_FAILURE
from promptyard.errors import ModelError, PromptyardError
from promptyard.line.task import Task, load_task
from promptyard.line.wiring import metrics_of
from promptyard.protocols import Model
from promptyard.providers.embedded import EmbeddedLexical
from promptyard.records.base import Json, Record
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import case_score
from promptyard.runner.grading import CircuitBreaker, grade

MOST_MESSAGES = 3
"""A user writes one to three messages."""
USERS_AT_ONCE = 40
"""Users whose messages come mixed."""
POLL_S = 0.1
REPORT_S = 0.2
TIMEOUT_S = 30.0
FLUSH_EVERY = 200
"""Messages after which the spool is waited for, so that nothing is ever dropped."""


class TrafficPlan(Record):
    """What the application is given: paths of its task, its manifest and its spool."""

    task: str
    manifest: str
    spool: str
    seed: int = 0


class Served(Record):
    """What the application has served so far; `by_version` counts messages."""

    n_users: int = 0
    n_messages: int = 0
    by_version: Mapping[int, int] = Field(default_factory=dict[int, int])


def visits(cases: Sequence[Case], seed: int) -> Iterator[tuple[str, Case]]:
    """Yield (user, case) without end; the same seed gives the same traffic.

    Users are new ones, each writes one to three messages, and those of 40 users come mixed. Cases
    are drawn with replacement. Raises ValueError where there is none.
    """
    if not cases:
        raise ValueError("there is no case to be replayed")
    chance = random.Random(seed)
    present: list[tuple[str, int]] = []
    n_users = 0
    while True:
        while len(present) < USERS_AT_ONCE:
            n_users += 1
            present.append((f"user-{n_users:06}", chance.randint(1, MOST_MESSAGES)))
        place = chance.randrange(len(present))
        user, left = present[place]
        if left == 1:
            present[place] = present[-1]
            present.pop()
        else:
            present[place] = (user, left - 1)
        yield user, chance.choice(cases)


class Grader:
    """Grades an answer by the task's own checks; a scorer for the client.

    It stands for the people who say, later on, whether a message went to the right place: it knows
    the expected label of every message that is replayed. For the one thread of a client.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._metrics_for = metrics_of(task)
        self._cases = {_key(case.input): case for case in task.eval_set.cases}
        self._breaker = CircuitBreaker()
        self._loop = asyncio.new_event_loop()

    def __call__(self, inputs: Mapping[str, Any], output: str) -> dict[str, Any] | None:
        """Return the score, and whether the answer was unusable: a hard check of its form failed.

        None for inputs that are no case, and where a check breaks.
        """
        case = self._cases.get(_key(inputs))
        if case is None:
            return None
        metrics = self._metrics_for(self._task.program, case)
        found = self._loop.run_until_complete(
            grade(metrics, case, Completion(text=output), self._breaker)
        )
        score = case_score(found.scores)
        if score is None or found.failure is not None:
            return None
        unusable = any(
            item.dimension == "validity" and item.severity == "hard" and item.value < 1.0
            for item in found.scores
        )
        return {"score": score, HARD_FAILURE: unusable}

    def close(self) -> None:
        """Close the loop in which checks run."""
        self._loop.close()


class Application:
    """Answers messages with whatever prompt the client resolves for their user."""

    def __init__(self, client: Promptyard, model: Model, name: str) -> None:
        self._client = client
        self._model = model
        self._name = name
        self._users: set[str] = set()
        self._by_version: Counter[int] = Counter()

    @property
    def served(self) -> Served:
        """What has been served so far."""
        return Served(
            n_users=len(self._users),
            n_messages=self._by_version.total(),
            by_version=dict(sorted(self._by_version.items())),
        )

    async def serve(self, user: str, inputs: Mapping[str, Json]) -> str:
        """Answer one message and record what came of it; an error of the model is recorded, too."""
        resolved = self._client.prompt(self._name, subject=user)
        self._users.add(user)
        self._by_version[resolved.version] += 1
        body = self._model.body(resolved.program.prompt.request(inputs))
        try:
            answer = await self._model.send(body, timeout_s=TIMEOUT_S)
        except ModelError as error:
            self._client.record(resolved, inputs=inputs, error=str(error), model=self._model.name)
            return ""
        self._client.record(
            resolved,
            inputs=inputs,
            output=answer.text,
            latency_s=answer.latency_s,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
            cost_usd=answer.cost_usd,
            model=answer.model,
            finish_reason=answer.finish_reason,
        )
        if self._by_version.total() % FLUSH_EVERY == 0:
            await asyncio.to_thread(self._client.flush, timeout_s=TIMEOUT_S)
        return answer.text


async def replay_traffic(plan: TrafficPlan, stop: threading.Event) -> Served:
    """Serve the holdout of a task as live traffic until `stop` is set. Raises PromptyardError."""
    task = load_task(Path(plan.task))
    with (
        contextlib.closing(Grader(task)) as grader,
        Promptyard(plan.manifest, record_to=plan.spool, poll_s=POLL_S, scorers=[grader]) as client,
    ):
        application = Application(client, EmbeddedLexical(), task.name)
        due_s = time.monotonic()
        for user, case in visits(task.eval_set.split("holdout"), plan.seed):
            if stop.is_set():
                break
            await application.serve(user, case.input)
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + REPORT_S
                _say(application.served)
        _say(application.served)
        return application.served


def _key(inputs: Mapping[str, Any]) -> str:
    return json.dumps(inputs, sort_keys=True)


def _say(served: Served) -> None:
    sys.stdout.write(served.model_dump_json() + "\n")
    sys.stdout.flush()


def main() -> int:
    """Serve as standard input says, until it ends."""
    plan = TrafficPlan.model_validate_json(sys.stdin.readline())
    stop = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    try:
        asyncio.run(replay_traffic(plan, stop))
    except (PromptyardError, BrokenPipeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
