"""Live quality: checks on all stored answers, judges on a sample by hash, everything once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from promptyard.errors import ConfigError, NotFound
from promptyard.line.live_grading import is_sampled
from promptyard.line.live_scores import LivePlan, LiveScored, score_live
from promptyard.line.rollout_watch import tick
from promptyard.line.rollouts import By, start_rollout
from promptyard.line.task import Models, load_task
from promptyard.protocols import Store
from promptyard.records.live import Feedback, Outcome
from promptyard.records.prompts import Program, Prompt
from promptyard.records.rollouts import Rollout, RolloutPlan
from promptyard.records.versions import Move, PromptVersion
from support.chat_server import ChatServer
from support.released import run
from support.stores import on_store

CHECKS = """\
  - {type: regex, id: greets, pattern: "^Dear", severity: hard}
  - {type: word_count, id: short, max: 8, severity: soft}
"""
JUDGE = """\
  - {type: llm_rubric, id: kind, rubric: "It is kind.", repeat_share: 0}
"""
GOOD, LONG, RUDE = "Dear you, all is well.", "Dear you, " + "very " * 20 + "well.", "Go away."


def make_task(folder: Path, checks: str = CHECKS, release: str = "{judge_share: 0.5}") -> Path:
    folder.mkdir()
    (folder / "prompt.md").write_text("system:\nAnswer kindly.\n\nuser:\n{{text}}\n")
    (folder / "cases.jsonl").write_text('{"input": {"text": "a"}}\n' * 1)
    (folder / "task.yaml").write_text(
        f"name: p\nprompt: prompt.md\ncases: cases.jsonl\nchecks:\n{checks}release: {release}\n"
        "splits: {train: 1, dev: 0, holdout: 0}\n"
    )
    return folder


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return make_task(tmp_path / "task")


@pytest.fixture
def url(tmp_path: Path, task: Path) -> str:
    """A store with the task's prompt as version 1, which is in production, and another as 2."""
    address = str(tmp_path / "store.db")

    async def fill(store: Store) -> None:
        for text in ((task / "prompt.md").read_text(), "system:\nAnswer.\n\nuser:\n{{text}}\n"):
            program = Program.single(Prompt.from_text(text))
            version = PromptVersion(
                name="p", number=0, digest=program.id, program=program, author="ann"
            )
            await store.add_version(version)
        await store.move_pointer(
            Move(
                prompt="p",
                pointer="production",
                from_number=None,
                to_number=1,
                actor="ann",
                reason="",
            )
        )

    on_store(address, fill)
    return address


@pytest.fixture
def rollout(url: str) -> Rollout:
    plan = RolloutPlan(min_step_s=0.0)
    by = By("ann")
    return run(start_rollout(url, "p", "v2", pointer="production", plan=plan, by=by)).rollout


def answers(rollout: Rollout, *outputs: str | None, **changes: Any) -> list[Outcome]:
    """Outcomes of the treatment, one an output."""
    return [
        Outcome.model_validate(
            {
                "id": f"o{number}",
                "prompt": "p",
                "version": 2,
                "digest": rollout.treatment_digest,
                "subject": f"s{number}",
                "rollout_id": rollout.id,
                "arm": "treatment",
                "at": "2026-01-01T00:00:00+00:00",
                "inputs": {"text": f"ticket {number}"},
                "output": output,
                **changes,
            }
        )
        for number, output in enumerate(outputs)
    ]


def store_events(url: str, outcomes: Sequence[Outcome]) -> None:
    on_store(url, lambda store: store.add_live_events(outcomes))


def feedback_of(url: str, source: str = "check") -> dict[str, Feedback]:
    events = on_store(url, lambda store: store.live_events("p", limit=100_000))
    found = [item.event for item in events if isinstance(item.event, Feedback)]
    return {item.outcome_id: item for item in found if item.source == source}


def scored(task: Path, url: str, plan: LivePlan | None = None, **more: Any) -> LiveScored:
    return run(score_live(task, plan or LivePlan(), store=url, **more))


def judging(body: Mapping[str, Any]) -> str:
    """A judge that finds kind what says `well`."""
    found = re.search(r"<answer-\w+>\n(.*)\n", str(body["messages"][-1]["content"]))
    assert found is not None
    word = "pass" if "well" in found[1] else "fail"
    return json.dumps({"reasons": "so it is", "evidence_quote": "", "verdict": word})


def judge_at(server: ChatServer) -> Models:
    return Models(judge="openai_compatible/judge", base_url=server.base_url)


def test_checks_grade_every_stored_answer_without_any_model(
    task: Path, url: str, rollout: Rollout
) -> None:
    store_events(url, answers(rollout, GOOD, LONG, RUDE, None))
    found = scored(task, url)
    assert found == LiveScored(rollout_id=rollout.id, n_checked=3, n_without_content=1)
    said = feedback_of(url)
    assert [said[name].scores["score"] for name in ("o0", "o1", "o2")] == [1.0, 0.0, 0.0]
    assert said["o1"].scores == {"greets": 1.0, "short": 0.0, "score": 0.0}
    assert [said[name].hard_failure for name in ("o0", "o1", "o2")] == [False, False, True]


def test_grading_again_changes_nothing(task: Path, url: str, rollout: Rollout) -> None:
    store_events(url, answers(rollout, GOOD, RUDE))
    scored(task, url)
    before = feedback_of(url)
    again = scored(task, url)
    assert (again.n_checked, again.n_before) == (0, 2)
    assert feedback_of(url) == before
    store_events(url, answers(rollout, GOOD, RUDE, GOOD))
    assert scored(task, url).n_checked == 1


def test_two_who_grade_at_once_grade_once(task: Path, url: str, rollout: Rollout) -> None:
    store_events(url, answers(rollout, *[GOOD] * 50))

    async def twice() -> None:
        await asyncio.gather(*(score_live(task, LivePlan(), store=url) for _ in range(2)))

    asyncio.run(twice())
    events = on_store(url, lambda store: store.live_events("p", rollout_id=rollout.id))
    assert sum(isinstance(item.event, Feedback) for item in events) == 50


def test_what_the_application_said_is_not_overruled(task: Path, url: str, rollout: Rollout) -> None:
    own = answers(rollout, GOOD, GOOD, scores={"score": 0.25}, hard_failure=True)
    store_events(url, own)
    scored(task, url)
    said = feedback_of(url)["o0"]
    assert "score" not in said.scores
    assert said.hard_failure is True


def test_an_answer_that_was_cut_is_a_hard_failure_and_has_no_score(
    task: Path, url: str, rollout: Rollout
) -> None:
    store_events(url, answers(rollout, GOOD, finish_reason="length"))
    scored(task, url)
    said = feedback_of(url)["o0"]
    assert (dict(said.scores), said.hard_failure) == ({}, True)


def test_what_cannot_be_graded_gets_no_score_instead_of_a_bad_one(
    tmp_path: Path, url: str, rollout: Rollout
) -> None:
    """No live answer comes with what was expected, so such a check says nothing of it."""
    other = make_task(tmp_path / "other", "  - exact_match\n")
    store_events(url, answers(rollout, GOOD))
    found = scored(other, url)
    assert (found.n_checked, found.n_unmeasured) == (0, 1)
    assert feedback_of(url) == {}


def test_answers_of_unknown_versions_are_counted_and_left_alone(
    task: Path, url: str, rollout: Rollout
) -> None:
    store_events(url, answers(rollout, GOOD, digest="f" * 64))
    assert scored(task, url).n_foreign == 1


def test_judges_are_asked_about_a_sample_by_hash_and_paid_once(
    tmp_path: Path, url: str, rollout: Rollout
) -> None:
    judged = make_task(tmp_path / "judged", CHECKS + JUDGE)
    outcomes = answers(rollout, *[GOOD] * 40)
    store_events(url, outcomes)
    with ChatServer(judging) as server:
        found = scored(judged, url, models=judge_at(server))
        sample = {item.id for item in outcomes if is_sampled(item, 0.5)}
        assert 8 < len(sample) < 32
        assert set(feedback_of(url, "judge")) == sample
        assert (found.n_checked, found.n_judged) == (40, len(sample))
        assert found.judge_calls == server.n_requests == len(sample)
        again = scored(judged, url, models=judge_at(server))
        assert (again.n_judged, server.n_requests) == (0, len(sample))
        wider = scored(judged, url, LivePlan(judge_share=1.0), models=judge_at(server))
        assert (wider.n_judged, server.n_requests) == (40 - len(sample), 40)
    said = feedback_of(url, "judge")
    assert {dict(item.scores)["kind"] for item in said.values()} == {1.0}
    assert "score" not in said["o0"].scores, "the checks have said that already"


def test_the_sample_has_the_same_share_in_both_arms(rollout: Rollout) -> None:
    outcomes = answers(rollout, *[GOOD] * 4_000)
    share = sum(is_sampled(item, 0.1) for item in outcomes) / len(outcomes)
    assert 0.08 < share < 0.12
    one = outcomes[0].model_copy(update={"arm": "control", "pair": "p7"})
    other = outcomes[1].model_copy(update={"arm": "treatment", "pair": "p7"})
    assert all(is_sampled(one, s) == is_sampled(other, s) for s in (0.1, 0.3, 0.5, 0.9))


def test_an_unusable_answer_is_no_good_without_asking_a_judge(
    tmp_path: Path, url: str, rollout: Rollout
) -> None:
    """Left out, the version that fails more often would look better among the rest."""
    judged = make_task(tmp_path / "judged", CHECKS + JUDGE)
    store_events(url, answers(rollout, RUDE))
    with ChatServer(judging) as server:
        scored(judged, url, LivePlan(judge_share=1.0), models=judge_at(server))
        assert server.n_requests == 0
    assert feedback_of(url, "judge")["o0"].scores == {"kind": 0.0}


def test_a_judge_alone_gives_the_score(tmp_path: Path, url: str, rollout: Rollout) -> None:
    judged = make_task(tmp_path / "judged", JUDGE)
    store_events(url, answers(rollout, GOOD, RUDE))
    with ChatServer(judging) as server:
        scored(judged, url, LivePlan(judge_share=1.0), models=judge_at(server))
    said = feedback_of(url, "judge")
    assert said["o0"].scores == {"kind": 1.0, "score": 1.0}
    assert said["o1"].scores == {"kind": 0.0, "score": 0.0}


def test_judging_stops_at_its_budget_and_goes_on_later(
    tmp_path: Path, url: str, rollout: Rollout
) -> None:
    judged = make_task(tmp_path / "judged", CHECKS + JUDGE)
    store_events(url, answers(rollout, *[GOOD] * 20))
    with ChatServer(judging) as server:
        plan = LivePlan(judge_share=1.0, judge_calls=7)
        found = scored(judged, url, plan, models=judge_at(server))
        assert (found.n_judged, found.judge_calls, server.n_requests) == (7, 7, 7)
        assert "judge" in found.stopped
        assert found.n_checked == 20
        rest = scored(judged, url, LivePlan(judge_share=1.0), models=judge_at(server))
        assert (rest.n_judged, server.n_requests) == (13, 20)


def test_a_judge_that_nobody_reaches_keeps_no_check_from_grading(
    tmp_path: Path, url: str, rollout: Rollout
) -> None:
    judged = make_task(tmp_path / "judged", CHECKS + JUDGE)
    store_events(url, answers(rollout, GOOD, RUDE))
    dead = Models(judge="openai_compatible/judge", base_url="http://127.0.0.1:9/v1")
    found = scored(judged, url, LivePlan(judge_share=1.0), models=dead)
    assert found.n_checked == 2
    assert found.stopped
    assert feedback_of(url, "judge").keys() <= {"o1"}


def test_a_share_of_nothing_needs_no_judge(tmp_path: Path, url: str, rollout: Rollout) -> None:
    judged = make_task(tmp_path / "judged", CHECKS + JUDGE)
    store_events(url, answers(rollout, GOOD))
    assert scored(judged, url, LivePlan(judge_share=0.0)).n_checked == 1
    with pytest.raises(ConfigError, match="judge"):
        scored(judged, url, LivePlan(judge_share=1.0))


def test_outcomes_outside_of_rollouts_are_graded_on_request(
    task: Path, url: str, rollout: Rollout
) -> None:
    store_events(url, answers(rollout, GOOD, rollout_id=None, arm=None))
    assert scored(task, url).n_checked == 0
    assert scored(task, url, LivePlan(everything=True)).n_checked == 1
    with pytest.raises(NotFound):
        scored(task, url, LivePlan(rollout="nothing"))


def test_a_task_whose_prompt_is_not_registered_is_an_error(task: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no prompt 'p' is registered"):
        scored(task, str(tmp_path / "empty.db"))


def test_what_checks_find_reaches_the_decision(task: Path, url: str, rollout: Rollout) -> None:
    """An engine reads the scores of the checks as if the application had given them."""
    assert load_task(task).name == "p"
    control = {"version": 1, "digest": rollout.control_digest, "arm": "control"}
    shown = [
        *answers(rollout, *[RUDE] * 150),
        *(
            item.model_copy(update={**control, "id": f"c{item.id}", "subject": f"c{item.subject}"})
            for item in answers(rollout, *[GOOD] * 150)
        ),
    ]
    exposures = [
        {
            "kind": "exposure",
            "id": f"e{item.id}",
            "prompt": "p",
            "rollout_id": rollout.id,
            "subject": item.subject,
            "arm": item.arm,
            "version": item.version,
            "digest": item.digest,
            "reason": "split",
            "at": item.at,
        }
        for item in shown
    ]
    from promptyard.records.live import Exposure

    on_store(
        url,
        lambda store: store.add_live_events(
            [*(Exposure.model_validate(item) for item in exposures), *shown]
        ),
    )
    (before,) = run(tick(url, "p")).looks
    assert before.record.is_active
    scored(task, url)
    (after,) = run(tick(url, "p")).looks
    assert after.record.last.state == "rolled_back"
    harmed = {item.dimension for item in after.record.last.guards if item.status == "harmed"}
    assert {"score", "hard_failures"} <= harmed
