"""Jobs: real work in real processes, ordered, followed, called off and survived."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promptyard.errors import StorageError
from promptyard.line.jobs import change_job, ended
from promptyard.protocols import Store
from promptyard.records.jobs import JOB_ORDERS, Job
from promptyard.service import jobs as jobs_module
from promptyard.service.job_child import JobChild
from promptyard.service.job_messages import JobSpec
from promptyard.service.routes import jobs as routes_module
from support.job_service import (
    ended_job,
    job_when,
    ordered,
    remote_service,
    stream_events,
    task_service,
    write_slow_task,
)
from support.served import Service, served


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for the next look; how often there is one changes nothing else."""
    monkeypatch.setattr(jobs_module, "POLL_S", 0.05)
    monkeypatch.setattr(jobs_module, "FOLLOW_S", 0.05)
    monkeypatch.setattr(routes_module, "FOLLOW_S", 0.05)


def test_an_eval_runs_beside_the_service_and_leaves_its_run_in_the_store(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        answer = service.post("/api/v1/jobs", {"kind": "eval", "task": "tiny"})
        assert answer.status == 202
        job_id = answer.json["id"]
        assert answer.headers["location"] == f"/api/v1/jobs/{job_id}"
        events = stream_events(service.get(f"/api/v1/jobs/{job_id}/events").body)
        assert events[-1][0] == "end"
        assert events[-1][2]["state"] == "done"
        assert [int(item[1]) for item in events] == sorted({int(item[1]) for item in events})
        job = ended_job(service, job_id)
        assert job.result["task"] == "tiny"
        assert job.result["n_cases"] == 9
        assert "the split `all` runs all 27" in job.result["not_run"]
        assert job.progress is not None
        assert job.progress.done == job.progress.total == 9
        reports = service.in_store(lambda store: store.reports(str(job.run_id)))
        assert [report.score for report in reports] == [job.result["score"]]
        listed = service.get("/api/v1/jobs").json["items"]
        assert [(item["id"], item["result"]) for item in listed] == [(job_id, None)]
        later = service.get(
            f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": events[-1][1]}
        )
        assert [item[0] for item in stream_events(later.body)] == ["end"]
        tag = service.get(f"/api/v1/jobs/{job_id}").headers["etag"]
        known = service.get(f"/api/v1/jobs/{job_id}", headers={"If-None-Match": tag})
        assert known.status == 304
    leases = service.in_store(lambda store: store.leases())
    assert [lease for lease in leases if lease.name.startswith("job:")] == []


def test_a_search_and_the_gate_of_what_it_registered_are_jobs(tmp_path: Path) -> None:
    with task_service(tmp_path) as service:
        searched = ended_job(service, ordered(service, "optimize", budget={"task_calls": 120}))
        assert searched.state == "done", searched.error
        assert searched.run_id == searched.result["run_id"]
        run = service.in_store(lambda store: store.run_result(str(searched.run_id)))
        assert run is not None
        assert run.header.budget.task_calls == 120
        service.in_store(register_another)
        gated = ended_job(service, ordered(service, "gate", candidate="latest", baseline="1"))
        assert gated.state == "done", gated.error
        assert gated.result["baseline"] == "v1"


async def register_another(store: Store) -> None:
    """Register the newest version of `tiny` with one line more."""
    newest = await store.version("tiny", (await store.versions("tiny"))[-1].number)
    step = newest.program.steps[0]
    prompt = step.prompt.model_copy(update={"text": f"{step.prompt.text}\n"})
    program = newest.program.model_copy(
        update={"steps": (step.model_copy(update={"prompt": prompt}),)}
    )
    made = {"number": 0, "program": program, "digest": program.id, "parent": newest.number}
    await store.add_version(newest.model_copy(update=made))


def test_orders_that_cannot_be_done_are_refused_before_anything_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    costly = "models: {task: openai/gpt-5-mini}"
    with task_service(tmp_path, jobs=0) as service:
        tiny = tmp_path / "tasks" / "tiny"
        paid = tmp_path / "tasks" / "paid"
        paid.mkdir()
        for file in tiny.iterdir():
            text = file.read_text().replace("models: {task: embedded/lexical}", costly)
            (paid / file.name).write_text(text)

        def refused(order: object) -> tuple[int, str]:
            answer = service.post("/api/v1/jobs", order)
            return answer.status, answer.json["detail"]

        status, said = refused({"kind": "eval", "task": "tinny"})
        assert (status, "did you mean 'tiny'?" in said) == (404, True)
        for name in ("../tiny", "/etc", ".", "tiny/../tiny", "tiny\x00"):
            assert refused({"kind": "eval", "task": name})[0] == 404, name
        for order in (
            {"kind": "evil", "task": "tiny"},
            {"kind": "eval", "task": "tiny", "options": {"split": "test"}},
            {"kind": "eval", "task": "tiny", "options": {"n_repeats": 0}},
            {"kind": "eval", "task": "tiny", "options": {"itself": True, "compare": "last"}},
            {"kind": "eval", "task": "tiny", "options": {"base_url": "http://evil.example"}},
            {"kind": "gate", "task": "tiny", "options": {"split": "dev"}},
            {"kind": "optimize", "task": "tiny", "options": {"budget": {"task_calls": -1}}},
            {"kind": "optimize", "task": "tiny", "options": {"strategy": "atuo"}},
        ):
            assert refused(order)[0] == 422, order
        status, said = refused({"kind": "eval", "task": "paid"})
        assert (status, "has no budget" in said) == (422, True)
        limited = {"kind": "optimize", "task": "paid", "options": {"budget": {"judge_calls": 5}}}
        assert refused(limited)[0] == 422
        missing = {"kind": "optimize", "task": "tiny", "options": {"resume": "no-such-run"}}
        assert refused(missing)[0] == 404
        for kind, options in (
            ("gate", {}),
            ("gate", {"candidate": "7"}),
            ("eval", {"only_failing_of": "no-such-run"}),
            ("eval", {"compare": "no-such-run"}),
            ("eval", {"against_production": True}),
        ):
            absent = refused({"kind": kind, "task": "tiny", "options": options})
            assert absent[0] == 404, (kind, options, absent)
        assert service.in_store(lambda store: store.jobs()) == []
        limited["options"] = {"budget": {"task_calls": 5}}
        assert service.post("/api/v1/jobs", limited).status == 202
    with served(str(tmp_path / "empty.db")) as service:
        answer = service.post("/api/v1/jobs", {"kind": "eval", "task": "tiny"})
        assert answer.status == 422
        assert "service.tasks in promptyard.yaml" in answer.json["detail"]


def test_a_running_job_is_called_off_and_one_that_waits_never_starts(tmp_path: Path) -> None:
    write_slow_task(tmp_path)
    with task_service(tmp_path) as service:
        first, second = ordered(service, split="all"), ordered(service)
        running = job_when(service, first, lambda job: job.progress is not None)
        assert running.state == "running"
        off = service.post(f"/api/v1/jobs/{second}/cancel")
        assert (off.status, off.json["state"]) == (200, "cancelled")
        asked = service.post(f"/api/v1/jobs/{first}/cancel")
        assert (asked.status, asked.json["state"]) == (200, "cancelling")
        job = ended_job(service, first)
        assert (job.state, job.error, job.result) == ("cancelled", "", None)
        assert service.post(f"/api/v1/jobs/{first}/cancel").status == 409
        assert service.post("/api/v1/jobs/j-none/cancel").status == 404
        rows = service.in_store(lambda store: store.runs())
        assert [(row["id"], row["status"]) for row in rows] == [(job.run_id, "interrupted")]
        assert service.get(f"/api/v1/jobs/{second}").json["started_at"] is None


def test_a_search_whose_process_was_killed_goes_on_from_its_store(tmp_path: Path) -> None:
    write_slow_task(tmp_path, 0.005)
    with task_service(tmp_path) as service:
        job_id = ordered(service, "optimize", budget={"task_calls": 90})
        job_when(service, job_id, lambda job: job.run_id is not None)
        [pid] = service.state.jobs.processes().values()
        os.kill(pid, signal.SIGKILL)
        job = ended_job(service, job_id)
        assert (job.state, job.error) == ("interrupted", "its process was ended by SIGKILL")
        again = ended_job(service, ordered(service, "optimize", resume=True))
        assert again.state == "done", again.error
        assert again.run_id == job.run_id
        assert again.result["task_calls"] <= 90
        assert again.options == {"resume": job.run_id}


def test_the_end_of_the_service_interrupts_its_jobs_and_leaves_the_rest_waiting(
    tmp_path: Path,
) -> None:
    write_slow_task(tmp_path)
    with task_service(tmp_path) as service:
        first, second = ordered(service, split="all"), ordered(service)
        job_when(service, first, lambda job: job.progress is not None)
        [pid] = service.state.jobs.processes().values()
        service.state.stopping.set()  # the jobs end first; then their end is cut short, too
        service.state.jobs.look()
        time.sleep(0.15)
    job = service.in_store(lambda store: store.job(first))
    assert (job.state, job.error) == ("interrupted", "the service ended")
    rows = service.in_store(lambda store: store.runs())
    assert [(row["id"], row["status"]) for row in rows] == [(job.run_id, "interrupted")]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with task_service(tmp_path) as service:
        job_when(service, second, lambda job: job.owner == service.state.replica)


def test_jobs_of_a_replica_that_is_gone_are_marked_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "LEASE_S", 0.3)

    async def leave_behind(store: Store) -> None:
        for job_id, state, lease_s in (
            ("j-dead", "running", 0.0),
            ("j-called-off", "cancelling", 0.0),
            ("j-alive", "running", 60.0),
        ):
            about = {"kind": "eval", "task": "tiny", "requested_by": "ada", "created_at": "then"}
            job = Job.model_validate({**about, "id": job_id, "state": state, "owner": "gone"})
            await store.add_job(job)
            await store.take_lease(f"job:{job_id}", "gone", for_s=lease_s)

    with task_service(tmp_path) as service:
        service.in_store(leave_behind)
        dead = ended_job(service, "j-dead")
        assert (dead.state, dead.error) == ("interrupted", "the replica that ran it is gone")
        assert ended_job(service, "j-called-off").state == "cancelled"
        time.sleep(0.25)  # two sweeps more
        assert service.get("/api/v1/jobs/j-alive").json["state"] == "running"


def test_replicas_share_the_jobs_of_one_store_and_follow_those_of_each_other(
    tmp_path: Path, postgres_url: str
) -> None:
    write_slow_task(tmp_path, pause_s=2.0)  # neither ends by itself before it is called off
    with task_service(tmp_path, postgres_url) as one, task_service(tmp_path, postgres_url) as other:
        ids = [ordered(one, split="all"), ordered(one, split="all")]
        both = [job_when(other, job_id, lambda job: job.run_id is not None) for job_id in ids]
        assert {job.owner for job in both} == {one.state.replica, other.state.replica}
        [pid] = one.state.jobs.processes().values()
        assert "postgres" not in Path(f"/proc/{pid}/cmdline").read_text()
        mine = next(job.id for job in both if job.owner == one.state.replica)
        assert other.post(f"/api/v1/jobs/{mine}/cancel").json["state"] == "cancelling"
        events = stream_events(other.get(f"/api/v1/jobs/{mine}/events").body)
        assert events[-1][2]["state"] == "cancelled"


def test_the_process_of_a_job_ends_with_the_service_that_started_it(tmp_path: Path) -> None:
    write_slow_task(tmp_path)
    command = [sys.executable, "-m", "promptyard", "serve", "--port", "0"]
    options = ["--store", str(tmp_path / "service.db"), "--tasks", str(tmp_path / "tasks")]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split(" at ")[1].split()[0]
            service = remote_service(url, tmp_path)
            job_id = ordered(service, split="all")
            running = job_when(service, job_id, lambda job: job.progress is not None)
        finally:
            server.kill()
    with task_service(tmp_path, jobs=0) as service:
        until_s = time.monotonic() + 20
        while (status := _status_of(service, running)) != "interrupted":
            assert time.monotonic() < until_s, status
            time.sleep(0.1)


@pytest.mark.parametrize("is_renewed", [True, False])
def test_the_process_of_a_job_ends_when_its_service_is_silent_for_longer_than_the_lease(
    tmp_path: Path, is_renewed: bool
) -> None:
    # Another replica marks the job then, and its search may go on there: two would pay for it.
    write_slow_task(tmp_path, 0.15)  # longer than the lease
    order = JOB_ORDERS.validate_python(
        {"kind": "eval", "task": "tiny", "options": {"split": "all"}}
    )
    store, task = str(tmp_path / "store.db"), str(tmp_path / "tasks" / "tiny")
    spec = JobSpec(store=store, task=task, order=order, lease_s=1.5)

    async def work() -> JobChild:
        child = JobChild()
        await child.start(spec)
        while not await child.wait(0.1):
            if is_renewed:
                child.renew()
        return child

    child = asyncio.run(asyncio.wait_for(work(), 30))
    assert child.code == (0 if is_renewed else 130)
    assert (child.finished is not None) == is_renewed


def test_the_run_of_a_job_that_another_replica_has_ended_is_left_alone(tmp_path: Path) -> None:
    write_slow_task(tmp_path)

    async def end_elsewhere(store: Store) -> None:
        await change_job(store, job_id, lambda job: ended(job, "interrupted", "by another"))

    with task_service(tmp_path) as service:
        job_id = ordered(service, split="all")
        running = job_when(service, job_id, lambda job: job.progress is not None)
        [pid] = service.state.jobs.processes().values()
        os.kill(pid, signal.SIGSTOP)  # so that it marks nothing itself
        service.in_store(end_elsewhere)
        os.kill(pid, signal.SIGKILL)
        until_s = time.monotonic() + 20
        while service.state.jobs.processes():
            assert time.monotonic() < until_s
            time.sleep(0.02)
        # It may have been taken up there since, and runs.
        assert _status_of(service, running) == "running"
        assert service.in_store(lambda store: store.job(job_id)).error == "by another"


def _status_of(service: Service, job: Job) -> str:
    rows = service.in_store(lambda store: store.runs())
    return str({row["id"]: row["status"] for row in rows}[job.run_id])


def test_what_came_of_a_job_is_stored_when_the_store_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed: list[str] = []
    with task_service(tmp_path) as service:
        save = service.state.store.save_job

        async def fails_at_the_end(job: Job) -> Job:
            if job.has_ended and len(failed) < 3:
                failed.append(job.state)
                raise StorageError("The store x failed: disk is full; free some space.")
            return await save(job)

        monkeypatch.setattr(service.state.store, "save_job", fails_at_the_end)
        job = ended_job(service, ordered(service, "eval"))
        assert failed == ["done"] * 3
        assert (job.state, job.result["n_cases"]) == ("done", 9)
