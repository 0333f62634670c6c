"""Judging round by round: each answer once, within the calls of a round, after a restart, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from line.test_live_scores import (
    CHECKS,
    GOOD,
    JUDGE,
    RUDE,
    answers,
    feedback_of,
    judging,
    make_task,
    rollout,
    store_events,
    url,
)
from promptyard.line.live_judging import JudgingRound, LiveJudging
from promptyard.line.rollouts import By, abort_rollout
from promptyard.protocols import Store
from promptyard.records.rollouts import Rollout
from support.chat_server import ChatServer
from support.stores import on_store

__all__ = ["rollout", "url"]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The task in a folder of tasks, beside one that is broken and one of another prompt."""
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "a-broken").mkdir()
    (tasks / "a-broken" / "task.yaml").write_text("checks: [\n")
    other = make_task(tasks / "b-other")
    other_config = (other / "task.yaml").read_text().replace("name: p\n", "name: other\n")
    (other / "task.yaml").write_text(other_config)
    return make_task(tasks / "task", CHECKS + JUDGE, "{judge_share: 1.0}")


def rounds(url: str, tasks: Path, *, judge_calls: int, n: int = 1) -> list[JudgingRound]:
    async def body(store: Store) -> list[JudgingRound]:
        live = LiveJudging(store, tasks, judge_calls=judge_calls)
        return [await live.round() for _ in range(n)]

    return on_store(url, body)


def test_without_a_budget_no_model_is_asked(url: str, rollout: Rollout, task: Path) -> None:
    store_events(url, answers(rollout, GOOD, RUDE, None))
    first, again = rounds(url, task.parent, judge_calls=0, n=2)
    assert first == JudgingRound(n_rollouts=1, n_checked=2)
    assert again == JudgingRound(n_rollouts=1)
    assert set(feedback_of(url)) == {"o0", "o1"}
    assert on_store(url, lambda store: store.runs()) == []


def test_a_round_costs_no_more_than_its_calls_and_the_next_goes_on(
    url: str, rollout: Rollout, task: Path
) -> None:
    with ChatServer(judging) as server:
        config = task / "task.yaml"
        models = f"models: {{judge: openai_compatible/judge, base_url: {server.base_url}}}\n"
        config.write_text(config.read_text() + models)
        store_events(url, answers(rollout, *[GOOD] * 5))
        first, second = rounds(url, task.parent, judge_calls=3, n=2)
        assert (first.n_checked, first.judge_calls, first.stopped) == (5, 3, 1)
        assert (second.n_checked, second.judge_calls, second.stopped) == (0, 2, 0)
        assert server.n_requests == 5
        (restarted,) = rounds(url, task.parent, judge_calls=3)
        assert (restarted.n_judged, server.n_requests) == (0, 5)
        store_events(url, answers(rollout, *[GOOD] * 6))
        assert rounds(url, task.parent, judge_calls=3)[0].n_judged == 1
    assert len(feedback_of(url, "judge")) == 6


def test_what_cannot_be_graded_is_said(url: str, rollout: Rollout, task: Path) -> None:
    store_events(url, answers(rollout, GOOD))
    (found,) = rounds(url, task.parent, judge_calls=5)
    assert len(found.troubles) == 1
    assert "none is set" in found.troubles[0]
    (found,) = rounds(url, task / "nothing-here", judge_calls=0)
    assert found == JudgingRound(n_rollouts=1, n_without_task=1)
    on_store(url, lambda store: abort_rollout(store, "p", pointer=None, by=By("ann")))
    assert rounds(url, task.parent, judge_calls=0) == [JudgingRound()]
