"""What is recorded is on the disk after a flush, whatever happens; and never gets in the way."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from promptyard.client import Promptyard, ResolvedPrompt
from promptyard.records.live import Exposure, Feedback, Outcome, pseudonym
from promptyard.stats.assignment import arm_of, is_enrolled
from support.manifests import ROLLOUT, manifest_of, write_manifest
from support.spools import event_of, events_in, lines_in, outcomes_in

SECRET = "sk-abcdefghijklmnopqrstuvwxyz123456"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    write_manifest(path, manifest_of(rollouts=[ROLLOUT]))
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_an_outcome_is_recorded_with_its_numbers(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        prompt = client.prompt("support", subject="ann@example.org", version=2)
        outcome_id = client.record(
            prompt,
            output="A fine answer.",
            inputs={"question": "How?", "more": {"a": 1}},
            latency_s=0.25,
            input_tokens=12,
            output_tokens=3,
            cost_usd=0.002,
            model="m1",
            finish_reason="stop",
            score=0.75,
            scores={"tone": True},
            hard_failure=False,
            trace_id="t",
            span_id="s",
        )
        assert client.flush()
        (outcome,) = outcomes_in(spool)
    assert outcome.id == outcome_id
    assert (outcome.prompt, outcome.version, outcome.digest) == ("support", 2, prompt.digest)
    assert outcome.subject == pseudonym("ann@example.org")
    assert (outcome.latency_s, outcome.input_tokens, outcome.output_tokens) == (0.25, 12, 3)
    assert (outcome.cost_usd, outcome.model, outcome.finish_reason) == (0.002, "m1", "stop")
    assert outcome.scores == {"score": 0.75, "tone": 1.0}
    assert outcome.hard_failure is False
    assert (outcome.trace_id, outcome.span_id) == ("t", "s")
    assert outcome.features == {"input_chars": 12, "output_chars": 14, "output_words": 3}
    assert outcome.at.endswith("+00:00")


def test_content_and_subjects_are_not_written_unless_asked_for(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        prompt = client.prompt("support", subject="ann@example.org")
        client.record(prompt, output="confidential", inputs={"question": "private"})
        assert client.flush()
        text = "".join(path.read_text() for path in spool.iterdir())
        (outcome,) = outcomes_in(spool)
    assert outcome.inputs is outcome.output is None
    for word in ("confidential", "private", "ann"):
        assert word not in text


def test_an_exposure_is_recorded_once_for_a_subject_of_the_rollout(
    source: Path, spool: Path
) -> None:
    subjects = [f"user-{number}" for number in range(400)]
    with Promptyard(source, record_to=spool) as client:
        for _ in range(3):
            for subject in subjects:
                client.prompt("support", subject=subject)
        assert client.flush()
    exposures = [event for event in events_in(spool) if isinstance(event, Exposure)]
    enrolled = [subject for subject in subjects if is_enrolled("r1", subject, 0.5)]
    assert {e.subject: e.arm for e in exposures} == {
        pseudonym(subject): arm_of("r1", subject) for subject in enrolled
    }
    assert len(exposures) == len(enrolled)
    for exposure in exposures:
        assert exposure.version == (2 if exposure.arm == "treatment" else 1)
        assert (exposure.rollout_id, exposure.reason) == ("r1", "split")


def test_processes_that_meet_a_subject_record_the_same_exposure(source: Path, spool: Path) -> None:
    for _ in range(2):
        with Promptyard(source, record_to=spool) as client:
            for number in range(50):
                client.prompt("support", subject=f"user-{number}")
    ids = Counter(event.id for event in events_in(spool))
    assert set(ids.values()) == {2}  # the store counts an id once


def test_subjects_are_remembered_within_bounds(source: Path, spool: Path) -> None:
    from promptyard.client.view import Seen

    seen = Seen(limit=100)
    for bits in range(1_000):
        seen.add(bits)
        assert len(seen.young) + len(seen.old) <= 100
    assert all(bits in seen.young or bits in seen.old for bits in range(950, 1_000))


def test_both_outcomes_of_a_shadow_pair_carry_its_id(source: Path, spool: Path) -> None:
    rollout = ROLLOUT.model_copy(update={"enrolled": 1.0, "mode": "shadow"})
    write_manifest(source, manifest_of(rollouts=[rollout]))
    with Promptyard(source, record_to=spool) as client:
        for _ in range(2):
            prompt = client.prompt("support", subject="ann")
            assert prompt.shadow is not None
            client.record(prompt, score=1.0)
            client.record(prompt.shadow, score=0.5)
        assert client.flush()
    outcomes = outcomes_in(spool)
    pairs = Counter(outcome.pair for outcome in outcomes)
    assert sorted(pairs.values()) == [2, 2]
    assert {(o.arm, o.version, o.scores["score"]) for o in outcomes} == {
        ("control", 1, 1.0),
        ("treatment", 2, 0.5),
    }
    (exposure,) = [event for event in events_in(spool) if isinstance(event, Exposure)]
    assert exposure.arm == "control"  # what was shown


def test_feedback_is_recorded_and_its_comment_redacted(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        outcome_id = client.record(client.prompt("support"))
        client.feedback(
            outcome_id, name="support", scores={"helpful": 1.0}, comment=f"my key is {SECRET}"
        )
        assert client.flush()
    (feedback,) = [event for event in events_in(spool) if isinstance(event, Feedback)]
    assert (feedback.outcome_id, feedback.source) == (outcome_id, "user")
    assert feedback.scores == {"helpful": 1.0}
    assert feedback.comment == "my key is [api key]"


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_s", NAN),
        ("latency_s", -0.1),
        ("latency_s", INF),
        ("latency_s", "0.1"),
        ("cost_usd", NAN),
        ("cost_usd", -1),
        ("input_tokens", -1),
        ("input_tokens", 1.5),
        ("output_tokens", INF),
        ("score", NAN),
        ("score", 1.01),
        ("score", -0.01),
        ("score", "good"),
        ("score", [1]),
        ("scores", {"tone": NAN}),
        ("scores", {"tone": 2}),
        ("scores", {3: 1.0}),
        ("hard_failure", 1),
        ("error", None),
        ("model", 4),
        ("output", b"bytes"),
        ("pair", 7),
        ("pair", "p" * 201),
        ("scores", {"": 1.0}),
        ("scores", {str(number): 1.0 for number in range(101)}),
        ("input_tokens", 2**53),
        ("model", "m" * 10_001),
    ],
)
def test_a_wrong_field_is_refused_at_once_by_its_name(
    source: Path, spool: Path, field: str, value: Any
) -> None:
    with Promptyard(source, record_to=spool) as client:
        prompt = client.prompt("support")
        given: dict[str, Any] = {field: value}
        with pytest.raises(ValueError, match=field):
            client.record(prompt, **given)
        assert client.flush()
        assert not outcomes_in(spool)


def test_a_wrong_feedback_is_refused_at_once(source: Path) -> None:
    with Promptyard(source) as client:
        with pytest.raises(ValueError, match="helpful"):
            client.feedback("o-1", name="support", scores={"helpful": NAN})
        for outcome_id in ("", "o\0", "\ud800", "o" * 201):
            with pytest.raises(ValueError, match="outcome_id"):
                client.feedback(outcome_id, name="support", scores={})
        with pytest.raises(ValueError, match="source"):
            client.feedback("o-1", name="support", scores={}, source="me")  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="score is given twice"):
            client.record(client.prompt("support"), score=1.0, scores={"score": 1.0})


def test_without_a_spool_outcomes_are_checked_and_forgotten(source: Path) -> None:
    with Promptyard(source) as client:
        prompt = client.prompt("support", subject="user-1")
        assert client.record(prompt, score=1.0) != client.record(prompt, score=1.0)
        assert client.flush()
        with pytest.raises(ValueError, match="score"):
            client.record(prompt, score=NAN)


def test_outcomes_of_a_bare_text_are_counted_and_not_written(tmp_path: Path, spool: Path) -> None:
    fallback = {"support": "user:\nhi\n"}
    with Promptyard(tmp_path / "none.json", record_to=spool, fallback=fallback) as client:
        prompt = client.prompt("support", subject="ann")
        assert prompt.version == 0
        assert client.record(prompt, score=1.0)
        assert client.flush()
        assert client.status()["recording"]["unversioned"] == 1
        assert not events_in(spool)


KILLED = """
import sys, time
from promptyard.client import Promptyard
client = Promptyard(sys.argv[1], record_to=sys.argv[2])
for round in range(1_000):
    for number in range(50):
        subject = f"user-{round}-{number}"
        client.record(client.prompt("support", subject=subject), score=1.0, output=subject)
    assert client.flush(timeout_s=60)
    print(round + 1, flush=True)
"""


@pytest.mark.parametrize("n_rounds", [1, 7])
def test_nothing_is_lost_when_the_process_is_killed_after_a_flush(
    source: Path, spool: Path, n_rounds: int
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(source), str(spool)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    n_flushed = 0
    for line in process.stdout:
        n_flushed = int(line)
        if n_flushed >= n_rounds:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    lines = lines_in(spool)
    whole = [event_of(line) for line in lines if line.endswith("\n")]
    assert len(lines) - len(whole) <= 1  # half a line of what was not flushed yet
    subjects = {event.subject for event in whole if isinstance(event, Outcome)}
    for number in range(n_flushed):
        assert {pseudonym(f"user-{number}-{other}") for other in range(50)} <= subjects
    # The next process closes what the killed one left, without the half line.
    with Promptyard(source, record_to=spool) as client:
        client.record(client.prompt("support"))
        assert client.flush()
        assert len(list(spool.glob("*.open"))) == 1
    assert not list(spool.glob("*.open"))
    assert len(outcomes_in(spool)) == len([e for e in whole if isinstance(e, Outcome)]) + 1


def test_what_was_not_flushed_is_written_at_the_end_of_the_process(
    source: Path, spool: Path
) -> None:
    code = (
        "import sys\n"
        "from promptyard.client import Promptyard\n"
        "client = Promptyard(sys.argv[1], record_to=sys.argv[2])\n"
        "for number in range(500): client.record(client.prompt('support'), score=0.5)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(source), str(spool)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert len(outcomes_in(spool)) == 500
    assert not list(spool.glob("*.open"))


FORGOTTEN = """
import sys, threading, time
from promptyard.client import Promptyard
def serve():
    client = Promptyard(sys.argv[1], record_to=sys.argv[2])
    for number in range(300): client.record(client.prompt("support"))
    return client
kept = serve()
serve()
"""


def test_what_a_forgotten_client_recorded_is_written_at_the_end(source: Path, spool: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FORGOTTEN, str(source), str(spool)]
    subprocess.run(command, check=True, capture_output=True)
    assert len(outcomes_in(spool)) == 600
    assert not list(spool.glob("*.open"))


def test_a_forgotten_client_leaves_no_thread(
    source: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptyard.client.recorder.LOOK_UP_S", 0.02)
    before = set(threading.enumerate())
    client = Promptyard(source, record_to=spool, poll_s=0.02)
    client.record(client.prompt("support"))
    assert client.flush()
    assert {t.name for t in set(threading.enumerate()) - before} >= {
        "promptyard-spool",
        "promptyard-poll",
    }
    del client
    end_s = time.monotonic() + 10
    while set(threading.enumerate()) - before:
        assert time.monotonic() < end_s
        gc.collect()
        time.sleep(0.01)
    assert len(outcomes_in(spool)) == 1
    assert not list(spool.glob("*.open"))


FORKING = """
import os, sys
from promptyard.client import Promptyard
client = Promptyard(sys.argv[1], record_to=sys.argv[2], poll_s=0.05)
prompt = client.prompt("support")
for number in range(100): client.record(prompt, model="parent")
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        ids = {client.record(client.prompt("support"), model=f"child-{child}") for _ in range(50)}
        assert len(ids) == 50
        assert client.flush(timeout_s=30)
        status = client.status()
        assert status["recording"]["dropped"] == 0, status
        os._exit(0 if client.refresh() else 3)
    children.append(pid)
for number in range(100): client.record(prompt, model="parent")
assert client.flush(timeout_s=30)
for pid in children:
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
"""


def test_a_fork_records_on_its_own_and_takes_nothing_from_its_parent(
    source: Path, spool: Path
) -> None:
    command = [sys.executable, "-c", FORKING, str(source), str(spool)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    outcomes = outcomes_in(spool)
    assert len({outcome.id for outcome in outcomes}) == len(outcomes)
    assert Counter(outcome.model for outcome in outcomes) == {
        "parent": 200,
        "child-0": 50,
        "child-1": 50,
        "child-2": 50,
    }


def blocked(folder: Path) -> Path:
    """A file where the spool has to be: nothing can be written."""
    folder.write_text("in the way")
    return folder


def test_trouble_of_the_disk_is_counted_waited_for_and_never_raised(
    source: Path, spool: Path
) -> None:
    blocked(spool)
    with Promptyard(source, record_to=spool) as client:
        prompt = client.prompt("support")
        for number in range(20):
            client.record(prompt, model=f"m{number}")
        assert not client.flush(timeout_s=0.3)
        status = client.status()["recording"]
        assert status["faults"] >= 1
        assert status["last_fault"]
        assert (status["written"], status["dropped"]) == (0, 0)
        spool.unlink()  # the disk is well again
        assert client.flush(timeout_s=20)
        assert [outcome.model for outcome in outcomes_in(spool)] == [f"m{n}" for n in range(20)]


def test_the_queue_is_bounded_and_drops_are_counted_and_told_by_flush(
    source: Path, spool: Path
) -> None:
    blocked(spool)
    with Promptyard(source, record_to=spool, queue_size=100) as client:
        prompt = client.prompt("support")
        began_s = time.monotonic()
        for _ in range(5_000):
            client.record(prompt)
        assert time.monotonic() - began_s < 5.0
        status = client.status()["recording"]
        assert status["queued"] <= 101
        assert status["dropped"] == 4_900
        spool.unlink()
        assert not client.flush(timeout_s=20)  # not everything that was recorded is there
        assert client.flush(timeout_s=20)
        assert len(outcomes_in(spool)) == 100


def test_an_exposure_that_found_the_queue_full_is_recorded_the_next_time(
    source: Path, spool: Path
) -> None:
    write_manifest(source, manifest_of(rollouts=[ROLLOUT.model_copy(update={"enrolled": 1.0})]))
    blocked(spool)
    with Promptyard(source, record_to=spool, queue_size=10) as client:
        for _ in range(2):
            for number in range(15):
                client.prompt("support", subject=f"user-{number}")
        spool.unlink()
        assert not client.flush(timeout_s=20)
        for number in range(15):
            client.prompt("support", subject=f"user-{number}")
        assert client.flush(timeout_s=20)
        assert len(events_in(spool)) == 15


def test_exposures_that_the_caller_wrote_itself_are_the_same(source: Path, spool: Path) -> None:
    write_manifest(source, manifest_of(rollouts=[ROLLOUT.model_copy(update={"enrolled": 1.0})]))
    subjects = [f"user-{number}" for number in range(90)]
    blocked(spool)
    with Promptyard(source, record_to=spool, queue_size=100) as client:
        for subject in subjects:  # beyond half of the queue lines wait, not notes
            client.prompt("support", subject=subject)
        spool.unlink()
        assert client.flush(timeout_s=20)
    exposures = [event for event in events_in(spool) if isinstance(event, Exposure)]
    assert [exposure.subject for exposure in exposures] == [pseudonym(s) for s in subjects]
    assert [exposure.arm for exposure in exposures] == [arm_of("r1", s) for s in subjects]
    assert len({tuple(sorted(exposure.model_fields_set)) for exposure in exposures}) == 1


def test_a_segment_that_somebody_removed_is_told(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        prompt = client.prompt("support")
        client.record(prompt)
        assert client.flush()
        for path in spool.iterdir():
            path.unlink()
        client.record(prompt)
        assert not client.flush()
        assert client.status()["recording"]["lost"] == 2
        client.record(prompt)
        assert client.flush()
        assert len(outcomes_in(spool)) == 1


def test_the_spool_is_bounded_and_what_is_dropped_is_counted(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool, spool_bytes=40_000) as client:
        prompt = client.prompt("support")
        for number in range(400):
            client.record(prompt, model=f"m{number}")
            if number == 20:
                assert client.flush(timeout_s=20)
            elif number % 20 == 0:
                client.flush(timeout_s=20)
        client.flush(timeout_s=20)
        status = client.status()["recording"]
        n_there = len(outcomes_in(spool))
        assert status["spool"]["bytes"] <= 60_000
        assert status["spool"]["dropped_events"] + n_there == status["written"] == 400
        assert status["spool"]["dropped_events"] > 0
        assert outcomes_in(spool)[-1].model == "m399"


def test_a_flush_tells_that_flushed_events_had_to_leave_a_full_spool(
    source: Path, spool: Path
) -> None:
    with Promptyard(source, record_to=spool, spool_bytes=1, queue_size=10_000) as client:
        prompt = client.prompt("support")
        for number in range(3_000):
            client.record(prompt, model=f"m{number}")
        assert not client.flush(timeout_s=20)
        assert client.status()["recording"]["spool"]["dropped_events"] == 2_000
        assert client.flush(timeout_s=20)


FULL = """
import resource, sys
from promptyard.client import Promptyard
client = Promptyard(sys.argv[1], record_to=sys.argv[2])
prompt = client.prompt("support")
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # the next write fits in part
for number in range(60): client.record(prompt, model=f"m{number}")
assert not client.flush(timeout_s=1)
status = client.status()["recording"]
assert status["faults"] and "large" in status["last_fault"], status
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
assert client.flush(timeout_s=30)
"""


def test_a_write_that_fits_in_part_leaves_no_half_line(source: Path, spool: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", FULL, str(source), str(spool)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [outcome.model for outcome in outcomes_in(spool)] == [f"m{n}" for n in range(60)]


def test_segments_are_closed_when_they_are_old(source: Path, tmp_path: Path) -> None:
    from promptyard.client.spool import Spool

    spool = Spool(tmp_path, "me", segment_s=0.05)
    spool.append(b"{}\n", 1)
    spool.rotate_if_due()
    assert [path.suffix for path in tmp_path.glob("*-me-*")] == [".open"]
    time.sleep(0.06)
    spool.rotate_if_due()
    assert [path.suffix for path in tmp_path.glob("*-me-*")] == [".jsonl"]


def test_a_closed_client_serves_on_and_counts_what_it_cannot_record(
    source: Path, spool: Path
) -> None:
    client = Promptyard(source, record_to=spool)
    client.record(client.prompt("support"))
    assert client.close()
    client.record(client.prompt("support"))
    assert client.status()["recording"]["dropped"] == 1
    assert client.close() in (True, False)
    assert len(outcomes_in(spool)) == 1


def test_many_threads_record_at_once(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:

        def work(number: int) -> None:
            for call in range(200):
                prompt = client.prompt("support", subject=f"user-{number}-{call}")
                client.record(prompt, model=f"thread-{number}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(timeout_s=30)
    models = Counter(outcome.model for outcome in outcomes_in(spool))
    assert set(models.values()) == {200}
    assert len(models) == 8


def test_the_spool_is_for_its_owner_alone(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        client.record(client.prompt("support"))
        assert client.flush()
        (path,) = spool.iterdir()
        assert path.stat().st_mode & 0o077 == 0


def test_a_prompt_is_all_that_recording_needs(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool) as client:
        prompts: list[ResolvedPrompt] = [
            client.prompt("support", subject=f"u{n}") for n in range(9)
        ]
        ids = [client.record(prompt) for prompt in prompts]
        assert client.flush()
        assert all(isinstance(prompt, ResolvedPrompt) for prompt in prompts)
        assert [outcome.id for outcome in outcomes_in(spool)] == ids
