"""Rollouts over HTTP: started with a plan, decided on by hand, explained, decided again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.served import Service
from support.served_prompts import pages, served_prompts

API = "/api/v1"
PROMPT = f"{API}/prompts/p"


def start(service: Service, **body: Any) -> Any:
    answer = service.post(f"{PROMPT}/rollouts", {"version": "2", **body})
    assert answer.status == 201, answer.body
    return answer.json["rollout"]


def test_a_rollout_starts_with_the_plan_that_it_is_given(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        guards = [{"dimension": "score"}, {"dimension": "cost", "margin": 0.2}]
        plan = {"steps": [10, 100], "guards": guards, "min_subjects": 20}
        rollout = start(service, plan=plan, reason="shorter")
        assert (rollout["control"], rollout["treatment"], rollout["pointer"]) == (
            1,
            2,
            "production",
        )
        assert rollout["plan"]["steps"] == [10, 100]
        assert rollout["plan"]["guards"] == [
            {"dimension": "score", "margin": 0.03},
            {"dimension": "cost", "margin": 0.2},
        ]
        shown = service.get(f"{API}/rollouts/{rollout['id']}")
        assert shown.json["rollout"] == rollout
        assert (shown.json["last"]["state"], shown.json["last"]["enrolled"]) == ("running", 0.1)
        tag = {"If-None-Match": shown.headers["etag"]}
        assert service.get(f"{API}/rollouts/p", headers=tag).status == 304
        twice = service.post(f"{PROMPT}/rollouts", {"version": "3"})
        assert twice.status == 409


def test_a_plan_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    plans: tuple[tuple[Any, str], ...] = (
        ({"steps": [50, 10]}, "ascend"),
        ({"guards": [{"dimension": "score"}, {"dimension": "score"}]}, "each dimension once"),
        ({"guards": [{"dimension": "latenzy"}]}, "did you mean 'latency'"),
        ({"guards": [{"dimension": "score", "margin": 3}]}, "part of 1"),
        ({"max_age_s": 1e12}, "max_age_s"),
        ({"speed": 1}, "/plan/speed: unknown key"),
    )
    with served_prompts(tmp_path) as service:
        for plan, said in plans:
            for path in ("rollouts", "rollout-plans"):
                answer = service.post(f"{PROMPT}/{path}", {"version": "2", "plan": plan})
                assert (answer.status, said in answer.json["detail"]) == (422, True), answer.body
        assert pages(service, f"{API}/rollouts", 5) == []


def test_people_decide_on_a_rollout_and_its_decisions_are_listed(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        rollout = start(service)
        path = f"{API}/rollouts/{rollout['id']}"
        assert service.post(f"{path}/resume", {}).status == 409
        for verb in ("pause", "resume", "pause", "rollback"):
            done = service.post(f"{path}/{verb}", {"reason": verb})
            assert (done.status, done.json["decision"]["actor"]) == (200, "local")
        assert service.post(f"{path}/abort", {}).status == 409
        log = pages(service, f"{path}/decisions", 2)
        assert [item["seq"] for item in log] == [5, 4, 3, 2, 1]
        assert [item["action"] for item in log][:2] == ["roll_back", "pause"]
        second = start(service)
        service.post(f"{API}/rollouts/p/abort", {})  # by the name of its prompt
        assert service.get(f"{API}/rollouts/{second['id']}").json["last"]["state"] == "aborted"
        newest = pages(service, f"{API}/rollouts?prompt=p", 1)
        assert [item["rollout"]["id"] for item in newest] == [second["id"], rollout["id"]]
        assert pages(service, f"{API}/rollouts?active=true", 1) == []
        assert pages(service, f"{API}/rollouts?prompt=other", 1) == []
        assert service.get(f"{API}/rollouts/unknown").status == 404


def test_a_rollout_behind_a_protected_pointer_waits_for_another_key(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        ann, bob = (service.new_key("release", name=name) for name in ("ann", "bob"))
        service.post(f"{PROMPT}/pointers/production/protect", {}, key=ann)
        waiting = service.post(f"{PROMPT}/rollouts", {"version": "2"}, key=ann)
        assert waiting.json["decision"]["state"] == "awaiting_approval"
        path = f"{API}/rollouts/{waiting.json['rollout']['id']}"
        own = service.post(f"{path}/approve", {}, key=ann)
        assert (own.status, own.json["type"][-15:]) == (403, "approval-needed")
        assert service.post(f"{path}/approve", {}, key=bob).json["decision"]["state"] == "running"


def test_nobody_is_taken_for_the_engine(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        start(service)
        engine = {"X-Promptyard-Actor": "canary"}
        assert service.post(f"{API}/rollouts/p/pause", {}, headers=engine).status == 400
        as_engine = service.new_key("release", name="Canary")  # made before that was refused
        assert service.post(f"{API}/rollouts/p/pause", {}, key=as_engine).status == 422


def test_a_rollout_is_explained_and_decided_again(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        rollout = start(service)
        path = f"{API}/rollouts/{rollout['id']}"
        service.post(f"{path}/pause", {})
        found = service.get(f"{path}/status").json
        assert found["rollout"] == rollout
        assert found["sentence"].startswith(f"Rollout {rollout['id']} of p puts v2 beside v1")
        assert "2 decisions are on record" in found["sentence"]
        assert found["curve"] == []
        curve = service.get(f"{path}/status?curve=true").json["curve"]
        assert [(point["seq"], point["action"]) for point in curve] == [(1, "start"), (2, "pause")]
        replayed = service.get(f"{path}/replay").json
        assert replayed == {
            "rollout_id": rollout["id"],
            "equal": True,
            "n_decisions": 2,
            "n_by_hand": 2,
            "different": [],
        }


def test_what_a_rollout_takes_is_said_before_it_is_started(tmp_path: Path) -> None:
    with served_prompts(tmp_path) as service:
        body = {
            "version": "2",
            "subjects_per_day": 5000,
            "plan": {"guards": [{"dimension": "score"}]},
        }
        found = service.post(f"{PROMPT}/rollout-plans", body).json
        score = found["guards"][0]
        assert score["dimension"] == "score"
        assert score["split"] > score["shadow"] > 100
        assert found["subjects"] >= score["split"]
        assert found["days"] > 0
        assert pages(service, f"{API}/rollouts", 5) == []
        assert service.post(f"{PROMPT}/rollout-plans", {"version": "9"}).status == 404
