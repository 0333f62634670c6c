"""The traffic of the demo: users with a few messages each, graded by the checks of the task."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest

from promptyard.client import Promptyard
from promptyard.errors import ServerError
from promptyard.line.publish import publish_to
from promptyard.line.registering import register_prompt
from promptyard.line.replayed_traffic import USERS_AT_ONCE, Application, Grader, visits
from promptyard.line.ship import promote_version
from promptyard.line.sync import run_sync
from promptyard.line.task import Task, load_task
from promptyard.providers.embedded import EmbeddedLexical
from promptyard.records.base import Json
from promptyard.records.messages import Completion
from support.small_demo import write_small_demo


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return load_task(write_small_demo(tmp_path_factory.mktemp("demo") / "task"))


@pytest.fixture
def grader(task: Task) -> Iterator[Grader]:
    made = Grader(task)
    yield made
    made.close()


def test_users_write_one_to_three_messages_and_come_mixed(task: Task) -> None:
    cases = task.eval_set.split("holdout")
    seen = list(islice(visits(cases, seed=5), 4000))
    counts = Counter(user for user, _ in seen)
    left = {user for user, _ in seen[-20 * USERS_AT_ONCE :]}  # some of these are not done
    whole = [n for user, n in counts.items() if user not in left]
    assert set(whole) == {1, 2, 3}
    assert len({user for user, _ in seen[:USERS_AT_ONCE]}) > USERS_AT_ONCE / 2
    assert {case.split for _, case in seen} == {"holdout"}
    assert len({case.id for _, case in seen}) == len(cases)


def test_traffic_follows_from_its_seed(task: Task) -> None:
    cases = task.eval_set.split("holdout")
    one, again, other = (
        [(user, case.id) for user, case in islice(visits(cases, seed), 300)] for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_without_a_message_there_is_no_traffic() -> None:
    with pytest.raises(ValueError, match="no case"):
        next(visits([], 0))


def test_an_answer_is_graded_by_the_checks_of_the_task(task: Task, grader: Grader) -> None:
    case = task.eval_set.split("holdout")[0]
    other = next(name for name in task.program.prompt.output.labels if name != case.expected)
    assert grader(case.input, str(case.expected)) == {"score": 1.0, "hard_failure": False}
    assert grader(case.input, other) == {"score": 0.0, "hard_failure": False}
    assert grader(case.input, "I cannot say.") == {"score": 0.0, "hard_failure": True}
    assert grader({"text": "nobody ever wrote this"}, other) is None


class Broken(EmbeddedLexical):
    async def send(self, body: Mapping[str, Json], *, timeout_s: float) -> Completion:
        raise ServerError("the model is down")


def served_lines(folder: Path, task: Task, model: EmbeddedLexical, grader: Grader) -> list[str]:
    """Serve one message with the seed prompt in production; return the lines of the spool."""
    url, manifest = str(folder / "store.db"), folder / "manifest.json"
    run_sync(register_prompt(url, task, author="ann"))
    run_sync(
        promote_version(url, task.name, "1", pointer="production", actor="ann", reason="first")
    )
    run_sync(publish_to(url, manifest))
    case = task.eval_set.split("holdout")[0]
    with Promptyard(manifest, record_to=folder / "spool", scorers=[grader]) as client:
        application = Application(client, model, task.name)
        asyncio.run(application.serve("ann", case.input))
    assert application.served.n_users == 1
    assert application.served.by_version == {1: 1}
    (segment,) = (folder / "spool").glob("*.jsonl")
    return segment.read_text("utf-8").splitlines()


def test_what_came_of_a_message_is_recorded_with_score_and_tokens(
    task: Task, grader: Grader, tmp_path: Path
) -> None:
    (line,) = served_lines(tmp_path, task, EmbeddedLexical(), grader)
    outcome = json.loads(line)
    assert outcome["scores"]["score"] in {0.0, 1.0}
    assert outcome["hard_failure"] is False
    assert outcome["input_tokens"] > 50
    assert outcome["latency_s"] > 0.0
    assert "inputs" not in outcome
    assert outcome["subject"] != "ann"


def test_an_error_of_the_model_is_recorded_and_the_application_goes_on(
    task: Task, grader: Grader, tmp_path: Path
) -> None:
    (line,) = served_lines(tmp_path, task, Broken(), grader)
    outcome = json.loads(line)
    assert outcome["error"] == "error"  # its text may repeat content, which is not recorded here
    assert outcome["scores"] == {}
