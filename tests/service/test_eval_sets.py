"""Eval sets and tasks over HTTP: what is read of them, and how cases come and go."""

from __future__ import annotations

import json
from pathlib import Path

from support.job_service import ended_job, ordered, task_service
from support.task_folder import write_task

TASK = "/api/v1/tasks/tiny"
NAME = "/api/v1/eval-sets/tiny"


def new_row(text: str, **more: object) -> dict[str, object]:
    return {"input": {"text": text}, "expected": "top_up", **more}


def test_cases_that_are_sent_make_a_new_version_and_retired_ones_another(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        assert service.get("/api/v1/eval-sets").json == {"items": [], "next": None}
        rows = [new_row("fill it up", id="n1"), new_row("charge the purse", id="n2")]
        added = service.post(f"{TASK}/cases", {"rows": rows, "split": "dev", "tags": ["sent"]})
        assert added.status == 201, added.body
        assert added.json["files"] == ["cases.jsonl"]
        assert added.json["difference"]["added"] == ["n1", "n2"]
        gone = service.post(f"{TASK}/cases/retire", {"case_ids": ["n1"], "reason": "unclear"})
        assert (gone.status, gone.json["number"]) == (200, 3)
        [row] = service.get("/api/v1/eval-sets").json["items"]
        assert (row["name"], row["n_versions"], row["newest"]["n_cases"]) == ("tiny", 3, 28)
        page = service.get(f"{NAME}/versions?limit=2").json
        assert [item["number"] for item in page["items"]] == [3, 2]
        rest = service.get(f"{NAME}/versions?cursor={page['next']}").json
        assert [item["number"] for item in rest["items"]] == [1]
        dev = service.get(f"{NAME}/versions/@2/cases?split=dev&limit=10").json
        assert len(dev["items"]) == 10
        last = service.get(f"{NAME}/versions/@2/cases?split=dev&cursor={dev['next']}").json
        assert [item["id"] for item in last["items"]] == ["n2"]
        assert last["items"][0]["tags"] == ["sent"]
        difference = service.get(f"{NAME}/diff?old=@1&new=@3")
        assert difference.json["added"] == ["n2"]
        tag = difference.headers["etag"]
        known = service.get(f"{NAME}/diff?old=@1&new=@3", headers={"If-None-Match": tag})
        assert known.status == 304
        for place in ("versions/@9/cases", "versions/abcdef/cases", "diff?old=@1&new=working"):
            assert service.get(f"{NAME}/{place}").status == 404, place
        assert service.get("/api/v1/eval-sets/none/versions").status == 404
        assert service.get("/api/v1/eval-sets/a%2Fb/versions").status == 404


def test_cases_that_are_sent_run_no_code_and_read_no_file(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        cases = tmp_path / "tasks" / "tiny" / "cases.jsonl"
        before = cases.read_bytes()
        code = {"type": "python", "function": "os:system"}
        refusals: tuple[tuple[dict[str, object], str], ...] = (
            ({"rows": [new_row("x", checks=[code])]}, "which may run code"),
            ({"rows": [{"input": {"text": {"image": "key.png"}}}]}, "not a file"),
            ({"rows": [new_row("x")], "into": "../tiny/cases.jsonl"}, "no name of a case file"),
            ({"rows": [new_row("x")], "into": "other.jsonl"}, "no case file"),
            ({"rows": [new_row("x", retired="no")]}, "cannot be retired"),
            ({"rows": [{"input": {"texts": "x"}, "expected": "top_up"}]}, "text"),
            ({"rows": [new_row("put money in (0)")]}, "the same input"),
            ({"rows": []}, "rows"),
            ({"rows": [new_row("x")], "split": "test"}, "split"),
        )
        for body, said in refusals:
            refused = service.post(f"{TASK}/cases", body)
            assert (refused.status, said in refused.json["detail"]) == (422, True), refused.body
        unknown = service.post(f"{TASK}/cases/retire", {"case_ids": ["none"], "reason": "r"})
        assert unknown.status == 422
        assert service.post(f"{TASK}x/cases", {"rows": [new_row("x")]}).status == 404
        assert cases.read_bytes() == before


def test_an_exported_eval_set_is_imported_into_another_task(tmp_path: Path) -> None:
    lines = {"Content-Type": "application/x-ndjson"}
    with task_service(tmp_path) as service:
        other = write_task(tmp_path / "tasks" / "other")
        splits = enumerate(("train", "dev", "holdout"))
        own = [new_row(f"other {n}", id=f"o{n}", split=split) for n, split in splits]
        (other / "cases.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in own))
        exported = service.get(f"{TASK}/export")
        assert (exported.status, exported.body.count(b"\n")) == (200, 27)
        assert service.get(f"{TASK}/export?format=csv").headers["content-type"].startswith("text/")
        assert b"lost_card" in service.get(f"{TASK}/export?format=promptfoo").body
        path = "/api/v1/tasks/other/cases/import"
        taken = service.post(path, body=exported.body, headers=lines)
        assert taken.status == 201, taken.body
        assert len(taken.json["difference"]["added"]) == 27
        about = service.get("/api/v1/tasks/other").json
        assert about["n_by_split"] == {"train": 10, "dev": 10, "holdout": 10}
        for body, said in (
            (exported.body, "is taken"),
            (b'{"input": {"text": "x"}}\n[1]\n', "line 2: expected a case"),
            (b"{\n", "line 1: no JSON"),
            (b"\n", "no case in the file"),
            (b'{"input": {"text": "y"}, "checks": []}', "no checks of its own"),
        ):
            refused = service.post(path, body=body, headers=lines)
            assert (refused.status, said in refused.json["detail"]) == (422, True), refused.body
        assert service.post(path, [1]).status == 415
        assert service.get(f"{TASK}/export?format=xls").status == 422


def test_a_task_says_what_it_measures_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        broken = tmp_path / "tasks" / "broken"
        broken.mkdir()
        (broken / "task.yaml").write_text("promt: x\n")
        (tmp_path / "tasks" / "no-task").mkdir()
        first, second = service.get("/api/v1/tasks").json["items"]
        assert (first["task"], "promt" in first["error"]) == ("broken", True)
        assert second["models"] == {"task": "embedded/lexical"}
        assert second["checks"] == ["exact_match"]
        about = service.get(TASK).json
        assert about["n_by_split"] == {"train": 9, "dev": 9, "holdout": 9}
        findings = service.get(f"{TASK}/check").json["findings"]
        assert all(finding["level"] != "error" for finding in findings)
        assert service.get("/api/v1/tasks/broken/check").status == 422
        for name in ("none", "..", "%2e%2e", "..%2ftasks%2ftiny", "no-task"):
            assert service.get(f"/api/v1/tasks/{name}").status == 404, name


def test_the_history_of_an_eval_set_has_what_jobs_measured(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        assert service.get(f"{NAME}/history").status == 404
        job = ended_job(service, ordered(service))
        rows = service.get(f"{NAME}/history").json["rows"]
        assert [row["value"] for row in rows["dev"]] == [job.result["score"]]
        accuracy = service.get(f"{NAME}/history?metric=accuracy&split=dev")
        assert accuracy.json["metric"] == "accuracy"
        assert service.get(f"{NAME}/history?metric=none").status == 404
