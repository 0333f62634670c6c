"""Runs over HTTP, as an eval and a search have left them in the store."""

from __future__ import annotations

from collections.abc import Generator

import pytest

import promptyard as py
from support.served import Service, served
from support.task_folder import write_task


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """Serve a store with one search and two evals, the second with other words in the prompt."""
    folder = tmp_path_factory.mktemp("runs")
    task = write_task(folder / "task")
    store = str(folder / "service.db")
    py.optimize(py.load_task(task), budget=py.Budget(task_calls=60), store=store)
    py.evaluate(py.load_task(task), store=store)
    prompt = task / "prompt.md"
    prompt.write_text(prompt.read_text().replace("- top_up", "- top_up: put money in, add"))
    py.evaluate(py.load_task(task), store=store)
    with served(folder) as found:
        yield found


def run_ids(service: Service) -> list[str]:
    return [item["id"] for item in service.get("/api/v1/runs").json["items"]]


def test_runs_are_listed_by_pages_newest_first(service: Service) -> None:
    newest, older, search = run_ids(service)
    first = service.get("/api/v1/runs?limit=2&task=tiny").json
    assert [item["id"] for item in first["items"]] == [newest, older]
    rest = service.get(f"/api/v1/runs?limit=2&task=tiny&cursor={first['next']}").json
    assert [item["id"] for item in rest["items"]] == [search]
    assert rest["next"] is None
    assert service.get("/api/v1/runs?task=other").json == {"items": [], "next": None}
    assert service.get("/api/v1/runs?cursor=bm8").status == 400


def test_a_run_says_what_it_was_for_and_what_it_came_to(service: Service) -> None:
    newest, _, search = run_ids(service)
    about = service.get(f"/api/v1/runs/{newest}")
    assert about.json["kind"] == "eval dev"
    [report] = about.json["reports"]
    assert (report["number"], report["n_trials"], report["split"]) == (1, 9, "dev")
    again = service.get(f"/api/v1/runs/{newest}", headers={"If-None-Match": about.headers["etag"]})
    assert again.status == 304
    assert service.get("/api/v1/runs/no-such-run").status == 404
    found = service.get(f"/api/v1/runs/{search}").json
    assert (found["kind"], found["row"]["status"]) == ("optimize", "finished")
    assert found["spent"]["task_calls"] <= 60
    result = service.get(f"/api/v1/runs/{search}/result").json
    assert result["verdict"]["status"] == found["verdict"]
    assert service.get(f"/api/v1/runs/{newest}/result").status == 404


def test_events_trials_and_calls_come_by_pages(service: Service) -> None:
    newest, _, search = run_ids(service)
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        page = service.get(f"/api/v1/runs/{search}/events?limit=3{cursor}").json
        found += [item["seq"] for item in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert len(found) > 3
    assert found == sorted(set(found))
    trials = service.get(f"/api/v1/runs/{newest}/reports/1/trials?limit=5").json
    rest = service.get(f"/api/v1/runs/{newest}/reports/1/trials?cursor={trials['next']}").json
    assert len({item["case_id"] for item in (*trials["items"], *rest["items"])}) == 9
    assert service.get(f"/api/v1/runs/{newest}/reports/2/trials").status == 404
    calls = service.get(f"/api/v1/runs/{newest}/calls?limit=4&role=task").json
    assert [item["role"] for item in calls["items"]] == ["task"] * 4
    assert calls["next"]
    assert "body" not in calls["items"][0]


def test_bodies_of_calls_need_more_than_reading(service: Service) -> None:
    newest = run_ids(service)[0]
    place = f"/api/v1/runs/{newest}/requests?limit=1"
    asked = service.get(place).json["items"][0]
    assert asked["body"]["messages"][0]["content"].startswith("Sort the message")
    assert asked["completion"]["text"]
    reader, writer = service.new_key("read"), service.new_key("write")
    assert service.get(place, key=reader).status == 403
    assert service.get(place, key=writer).status == 200
    service.key = writer


def test_two_evals_are_compared_on_the_cases_of_both(service: Service) -> None:
    newest, older, search = run_ids(service)
    found = service.get(f"/api/v1/runs/{newest}/comparison?baseline={older}").json
    assert (found["run_id"], found["compared_with"], found["n_compared"]) == (newest, older, 9)
    difference = found["candidate"]["score"] - found["baseline"]["score"]
    fixed = [flip["kind"] for flip in found["flips"]].count("fixed")
    broken = [flip["kind"] for flip in found["flips"]].count("broken")
    assert difference == pytest.approx((fixed - broken) / 9)
    assert found["verdict"]["status"] in ("pass", "fail", "inconclusive")
    assert service.get(f"/api/v1/runs/{newest}/comparison?baseline={search}").status == 404
    assert service.get(f"/api/v1/runs/{newest}/comparison").status == 422
