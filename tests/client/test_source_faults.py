"""Whatever is wrong with the source, a prompt is answered within the deadline, cold and warm."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptyard.client import Promptyard
from promptyard.client.contents import contents_of_bytes
from promptyard.client.source import MAX_BYTES, SourceFault, read_bytes
from promptyard.errors import NotFound
from promptyard.records.program_digest import program_digest
from support.cold import cold
from support.manifests import ROLLOUT, TEXTS, manifest_of, sealed, write_manifest

FALLBACK = {"support": "user:\nBundled. {{question}}\n"}
Break = Callable[[Path], None]


def removed(path: Path) -> None:
    path.unlink(missing_ok=True)


def hung(path: Path) -> None:
    """A pipe that nobody writes to: to open it blocks for ever, as a dead network mount does."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def corrupt(path: Path) -> None:
    path.write_bytes(b'{"format": 1, "revision": 5, \xff\x00')


def truncated(path: Path) -> None:
    write_manifest(path, manifest_of(revision=5, pointers={"production": 2}))
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def older(path: Path) -> None:
    write_manifest(path, manifest_of(revision=3, pointers={"production": 3}))


def tampered(path: Path) -> None:
    value = manifest_of(revision=5, pointers={"production": 2})
    step = value["prompts"]["support"]["versions"]["2"]["program"]["steps"][0]
    step["prompt"]["text"] = step["prompt"]["text"].replace("kind", "rude")
    write_manifest(path, sealed(value))


def other_format(path: Path) -> None:
    write_manifest(path, sealed({**manifest_of(revision=5), "format": 2}))


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


FAULTS: dict[str, Break] = {
    "missing": removed,
    "hung": hung,
    "corrupt": corrupt,
    "truncated": truncated,
    "empty": empty,
    "older": older,
    "tampered": tampered,
    "other_format": other_format,
    "folder": folder,
}
STATES = {"truncated": "corrupt", "empty": "corrupt", "folder": "unreadable"}
faults = pytest.mark.parametrize("fault", FAULTS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A good source of revision 4, production at v2."""
    path = tmp_path / "manifest.json"
    write_manifest(path, manifest_of(revision=4, pointers={"production": 2}))
    return path


@faults
def test_a_warm_process_goes_on_with_its_memory(fault: str, source: Path) -> None:
    with Promptyard(source, deadline_s=0.4, fallback=FALLBACK) as client:
        assert client.prompt("support").reason == "pointer"
        FAULTS[fault](source)
        assert not client.refresh()
        began_s = time.monotonic()
        prompt = client.prompt("support", subject="ann")
        assert time.monotonic() - began_s < 0.4
        assert (prompt.version, prompt.text, prompt.reason) == (2, TEXTS[2], "cached")
        about = client.status()["source"]
        assert about["state"] == STATES.get(fault, fault)
        assert str(source) in about["message"]
        assert about["n_faults"] == 1


@faults
def test_what_is_not_confirmed_for_long_is_called_stale(fault: str, source: Path) -> None:
    with Promptyard(source, deadline_s=0.2, stale_after_s=0.01) as client:
        client.prompt("support")
        FAULTS[fault](source)
        time.sleep(0.02)
        client.refresh()
        prompt = client.prompt("support")
        assert (prompt.version, prompt.reason) == (2, "stale")
        assert prompt.age_s is not None
        assert prompt.age_s >= 0.02


@faults
def test_a_mended_source_is_served_again(fault: str, source: Path) -> None:
    with Promptyard(source, deadline_s=0.2, poll_s=0.05) as client:
        client.prompt("support")
        FAULTS[fault](source)
        client.refresh()
        mend(source, revision=6)
        end_s = time.monotonic() + 20
        while client.prompt("support").version != 3 and time.monotonic() < end_s:
            time.sleep(0.01)
        prompt = client.prompt("support")
        assert (prompt.version, prompt.reason) == (3, "pointer")
        assert client.status()["source"]["state"] == "ok"


def mend(source: Path, *, revision: int) -> None:
    if source.is_dir():
        source.rmdir()
    write_manifest(source, manifest_of(revision=revision, pointers={"production": 3}))


@faults
def test_a_cold_process_serves_the_snapshot(fault: str, source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_bytes(source.read_bytes())
    FAULTS[fault](source)
    version, reason, age_s, state = cold(source, snapshot=snapshot, fallback=FALLBACK)
    assert (version, reason) == (2, "snapshot")
    assert 0.0 <= age_s < 600.0
    assert state == STATES.get(fault, fault)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "older"])
def test_a_cold_process_without_snapshot_serves_what_is_bundled(fault: str, source: Path) -> None:
    FAULTS[fault](source)
    version, reason, age_s, _ = cold(source, fallback=FALLBACK)
    assert (version, reason, age_s) == (0, "fallback", None)


def test_source_and_snapshot_may_hang_both(source: Path, tmp_path: Path) -> None:
    hung(source)
    hung(tmp_path / "snapshot.json")
    said = cold(source, snapshot=tmp_path / "snapshot.json", fallback=FALLBACK)
    assert said[:2] == [0, "fallback"]


def test_all_three_may_hang_and_the_answer_is_an_error_in_time(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("source", "snapshot", "fallback")]
    for path in paths:
        os.mkfifo(path)
    kind, text = cold(paths[0], snapshot=paths[1], fallback=str(paths[2]))
    assert kind == "NotFound"
    assert "does not answer" in text


@pytest.mark.parametrize("clock_s", [-3e9, -86_400.0, 86_400.0, 3e9, 1e12])
def test_a_wrong_clock_changes_no_answer(clock_s: float, source: Path, tmp_path: Path) -> None:
    assert cold(source, clock_s=clock_s)[:2] == [2, "pointer"]
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_bytes(source.read_bytes())
    for fault in ("missing", "older"):
        FAULTS[fault](source)
        version, reason, age_s, _ = cold(source, snapshot=snapshot, clock_s=clock_s)
        assert (version, reason) == (2, "snapshot")
        assert age_s >= 0.0


def test_a_clock_that_jumps_in_a_warm_process_changes_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Promptyard(source, record_to=tmp_path / "spool") as client:
        client.prompt("support")
        for revision, now_s in enumerate((-1.5, 0.0, 4e9, 1e15), start=5):
            monkeypatch.setattr(time, "time", lambda now_s=now_s: now_s)
            write_manifest(source, manifest_of(revision=revision, rollouts=[ROLLOUT]))
            assert client.refresh()
            for number in range(20):
                client.record(client.prompt("support", subject=f"user-{number}"))
            assert client.flush()
        assert client.status()["recording"]["faults"] == 0


def test_a_snapshot_that_is_broken_is_passed_over(source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    for broken in (corrupt, truncated, tampered, other_format, folder):
        broken(snapshot)
        assert cold(source, snapshot=snapshot)[:2] == [2, "pointer"]


ALL_ENROLLED = ROLLOUT.model_copy(update={"enrolled": 1.0})
SUBJECTS = [f"user-{number}" for number in range(50)]


def arms(client: Promptyard) -> set[Any]:
    prompts = [client.prompt("support", subject=subject) for subject in SUBJECTS]
    return {(prompt.version, prompt.arm, prompt.reason) for prompt in prompts}


@pytest.mark.parametrize("mode", ["split", "shadow"])
def test_an_old_snapshot_runs_no_rollout(mode: str, source: Path, tmp_path: Path) -> None:
    removed(source)
    snapshot = tmp_path / "snapshot.json"
    rollout = ALL_ENROLLED.model_copy(update={"mode": mode})
    write_manifest(snapshot, manifest_of(rollouts=[rollout]))
    old_s = time.time() - 400
    os.utime(snapshot, (old_s, old_s))
    with Promptyard(source, snapshot=snapshot, record_to=tmp_path / "spool") as client:
        assert arms(client) == {(1, None, "stale")}
        assert client.prompt("support", subject="user-1").shadow is None
        assert client.prompt("support").reason == "snapshot"
        assert "rollouts pause" in client.prompt("support", subject="user-1").why
        assert client.flush()
        assert client.status()["recording"]["written"] == 0  # no exposure
    with Promptyard(source, snapshot=snapshot, stale_after_s=10_000) as client:
        assert {reason for _, _, reason in arms(client)} == {"snapshot"}
        assert "control" in {arm for _, arm, _ in arms(client)}


def test_a_rollout_goes_on_in_a_short_outage_and_pauses_in_a_long_one(source: Path) -> None:
    write_manifest(source, manifest_of(revision=5, rollouts=[ALL_ENROLLED]))
    with Promptyard(source, stale_after_s=1.0, poll_s=1000) as client:
        assert arms(client) == {(1, "control", "split"), (2, "treatment", "split")}
        before = source.read_bytes()
        removed(source)
        assert client.refresh() is False
        assert arms(client) == {(1, "control", "cached"), (2, "treatment", "cached")}
        time.sleep(1.0)
        client.refresh()
        assert arms(client) == {(1, None, "stale")}
        source.write_bytes(before)
        assert client.refresh()
        assert arms(client) == {(1, "control", "split"), (2, "treatment", "split")}


def test_a_fallback_may_be_a_manifest_and_its_rollouts_do_not_run(
    source: Path, tmp_path: Path
) -> None:
    removed(source)
    rollout = ROLLOUT.model_copy(update={"enrolled": 1.0})
    bundled = manifest_of(rollouts=[rollout])
    file = tmp_path / "bundled.json"
    write_manifest(file, bundled)
    for fallback in (bundled, file, str(file)):
        with Promptyard(source, fallback=fallback) as client:
            prompt = client.prompt("support", subject="ann")
            assert (prompt.version, prompt.reason, prompt.arm) == (1, "fallback", None)
            assert client.prompt("support", version=2).reason == "static"


def test_a_prompt_that_the_source_does_not_have_comes_from_the_fallback(source: Path) -> None:
    with Promptyard(source, fallback={"sales": "user:\nHi {{name}}\n"}) as client:
        assert client.prompt("support").reason == "pointer"
        prompt = client.prompt("sales", pointer="canary")
        assert (prompt.version, prompt.reason, prompt.age_s) == (0, "fallback", None)
        assert prompt.messages(name="Ann") == [{"role": "user", "content": "Hi Ann"}]


def test_a_broken_fallback_is_said_and_keeps_nothing_else_from_working(
    source: Path, tmp_path: Path
) -> None:
    with Promptyard(source, fallback=tmp_path / "none.json") as client:
        assert client.prompt("support").version == 2
        time.sleep(0.05)
        assert "none.json does not exist" in client.status()["fallback"]["message"]


def test_without_anything_the_error_says_so_and_the_next_call_looks_again(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with Promptyard(path) as client:
        with pytest.raises(NotFound, match=r"json does not exist; .* nor fallback"):
            client.prompt("support")
        write_manifest(path, manifest_of())
        assert client.prompt("support").version == 1


def test_callers_that_come_at_once_wait_for_the_same_deadline(source: Path) -> None:
    hung(source)
    with Promptyard(source, deadline_s=0.5) as client:
        took_s: list[float] = []

        def ask() -> None:
            began_s = time.monotonic()
            with pytest.raises(NotFound):
                client.prompt("support")
            took_s.append(time.monotonic() - began_s)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took_s) == 8
        assert max(took_s) < 1.5  # the machine may be busy; one after the other would be 4 s


def test_reads_that_hang_are_left_behind_and_bounded(source: Path) -> None:
    before = set(threading.enumerate())  # other tests leave theirs: there is no way to end them
    with Promptyard(source, deadline_s=0.02, poll_s=0.01) as client:
        client.prompt("support")
        hung(source)
        for _ in range(30):
            assert not client.refresh()
        names = [thread.name for thread in set(threading.enumerate()) - before]
        assert 2 <= names.count("promptyard-source") <= 3
        assert client.status()["source"]["state"] == "hung"


def test_a_source_that_is_mended_after_all_reads_hang_is_read_again(
    source: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.json"
    write_manifest(snapshot, manifest_of(revision=1))
    hung(source)
    before = set(threading.enumerate())
    with Promptyard(source, snapshot=snapshot, deadline_s=0.05, poll_s=0.05) as client:
        assert client.prompt("support").reason == "snapshot"
        for revision in range(5, 9):
            time.sleep(0.5)  # until all reads that may hang do
            hanging = [t for t in set(threading.enumerate()) - before if "source" in t.name]
            assert len(hanging) >= 3
            mend(source, revision=revision)
            wait_for(lambda revision=revision: client.status()["revision"] == revision)
            assert client.prompt("support").reason == "pointer"
            hung(source)
        time.sleep(1.0)
        hanging = [t for t in set(threading.enumerate()) - before if "source" in t.name]
        assert len(hanging) <= 15


def test_a_source_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(SourceFault, match="more than") as caught:
        read_bytes(path)
    assert caught.value.state == "too_large"


HOSTILE: dict[str, bytes] = {
    "39 MB of objects": b"[" + b"{}," * 13_000_000 + b"{}]",
    "15 MB of objects": b"[" + b"{}," * 5_000_000 + b"{}]",
    "15 MB of lists": b'{"x":[' + b"[]," * 5_000_000 + b'[]],"checksum":"a"}',
    "15 MB of keys": b"{" + b'"":1,' * 3_000_000 + b'"":1}',
    "15 MB of escaped quotes": b'["' + b'\\"' * 7_500_000,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_source_of_countless_values_does_not_hold_the_answer_up(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(HOSTILE[kind])
    version, reason, _, _ = cold(path, fallback=FALLBACK)
    assert (version, reason) == (0, "fallback")
    began_s = time.monotonic()
    with pytest.raises(SourceFault):
        contents_of_bytes(read_bytes(path, max_bytes=1 << 30)[0])
    assert time.monotonic() - began_s < 1.0


def test_marks_within_prompts_are_no_values(source: Path) -> None:
    texts = {1: "user:\n" + "[a, b], " * 200_000 + "{{question}}\n"}
    write_manifest(source, manifest_of(revision=5, texts=texts))
    with Promptyard(source) as client:
        assert client.prompt("support").text == texts[1]


def test_a_move_arrives_within_one_poll_interval(source: Path) -> None:
    with Promptyard(source, poll_s=0.5) as client:
        client.prompt("support")
        for revision in range(5, 8):
            mend(source, revision=revision)
            moved_s = time.monotonic()
            while client.status()["revision"] != revision:
                time.sleep(0.005)
            assert time.monotonic() - moved_s < 0.5 + 0.5  # half a second for a busy machine


def test_an_unchanged_source_is_not_read_again_but_confirmed(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_reads: list[int] = []

    def counted(path: Path) -> Any:
        n_reads.append(1)
        return read_bytes(path)

    monkeypatch.setattr("promptyard.client.source.read_bytes", counted)
    with Promptyard(source) as client:
        client.prompt("support")
        time.sleep(0.02)
        for _ in range(5):
            assert client.refresh()
        assert len(n_reads) == 1
        age_s = client.prompt("support").age_s
        assert age_s is not None
        assert age_s < 0.02 + 5


def test_content_that_changed_behind_the_same_stamp_is_found(source: Path) -> None:
    with Promptyard(source) as client:
        client.prompt("support")
        before = source.stat()
        text = source.read_text(encoding="utf-8")
        changed = manifest_of(revision=5, pointers={"production": 3})
        new = json.dumps(changed)
        assert len(new) == len(text)
        with source.open("r+", encoding="utf-8") as file:  # the same inode
            file.write(new)
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        for _ in range(12):
            client.refresh()
        assert client.prompt("support").version == 3


def test_a_refresh_may_be_the_first_call(source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    write_manifest(snapshot, manifest_of(revision=9, pointers={"production": 3}))
    with Promptyard(source, snapshot=snapshot, poll_s=0.05) as client:
        assert not client.refresh()  # it is older than the snapshot
        assert client.prompt("support").version == 3
        mend(source, revision=10)
        wait_for(lambda: client.status()["revision"] == 10)
    removed(source)
    with Promptyard(source) as client:
        assert not client.refresh()


def test_the_snapshot_is_saved_and_never_goes_back(source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "snapshot.json"
    with Promptyard(source, snapshot=snapshot) as client:
        client.prompt("support")
    assert snapshot.read_bytes() == source.read_bytes()
    newer = tmp_path / "newer.json"
    write_manifest(newer, manifest_of(revision=9, pointers={"production": 3}))
    with Promptyard(newer, snapshot=snapshot) as client:
        client.prompt("support")
        wait_for(lambda: snapshot.read_bytes() == newer.read_bytes())
    with Promptyard(source, snapshot=snapshot) as client:  # of revision 4
        prompt = client.prompt("support")
        assert (prompt.version, prompt.reason) == (3, "snapshot")
        assert client.status()["source"]["state"] == "older"
    assert snapshot.read_bytes() == newer.read_bytes()
    assert [path.name for path in snapshot.parent.iterdir()] == ["snapshot.json"]


def no_program(path: Path) -> None:
    """A program with a part that this client does not know, and its digest cannot tell."""
    value = manifest_of(revision=5)
    version = value["prompts"]["support"]["versions"]["1"]
    version["program"]["tools"] = []
    assert program_digest(version["program"]) == version["digest"]
    write_manifest(path, sealed(value))


def test_a_program_that_is_none_does_not_replace_a_good_one(source: Path) -> None:
    with Promptyard(source) as client:
        client.prompt("support")
        no_program(source)
        assert not client.refresh()
        about = client.status()["source"]
        assert about["state"] == "corrupt"
        assert "v1 of 'support' is no program" in about["message"]
        assert client.prompt("support").messages(question="Who?")[1]["content"] == "Who?"
        assert not client.refresh()
        mend(source, revision=6)
        assert client.refresh()
        assert client.prompt("support").version == 3


def test_at_a_start_a_program_that_is_none_gives_way_to_the_snapshot(
    source: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_bytes(source.read_bytes())
    good = snapshot.read_bytes()
    no_program(source)
    with Promptyard(source, snapshot=snapshot) as client:
        client.prompt("support")
        wait_for(lambda: client.prompt("support").reason == "snapshot")
        assert not client.refresh()
        assert client.prompt("support").messages(question="Who?")[1]["content"] == "Who?"
        assert client.status()["source"]["state"] == "corrupt"
    assert snapshot.read_bytes() == good


def test_at_a_start_a_program_that_is_none_gives_way_to_the_fallback(source: Path) -> None:
    no_program(source)
    with Promptyard(source, fallback=FALLBACK) as client:
        client.prompt("support")
        wait_for(lambda: client.prompt("support").reason == "fallback")
        assert not client.refresh()
        mend(source, revision=6)
        assert client.refresh()
        assert client.prompt("support").version == 3


def test_a_snapshot_of_another_store_gives_way_to_the_source(source: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    write_manifest(snapshot, manifest_of(revision=10, pointers={"production": 3}, store="b"))
    write_manifest(source, manifest_of(revision=4, pointers={"production": 2}, store="a"))
    with Promptyard(source, snapshot=snapshot) as client:
        prompt = client.prompt("support")
        assert (prompt.version, prompt.reason) == (2, "pointer")
        assert client.status()["source"]["state"] == "ok"
    assert snapshot.read_bytes() == source.read_bytes()


def test_a_source_that_changes_to_another_store_is_followed(source: Path) -> None:
    write_manifest(source, manifest_of(revision=10, pointers={"production": 3}, store="b"))
    with Promptyard(source) as client:
        assert client.prompt("support").version == 3
        write_manifest(source, manifest_of(revision=4, pointers={"production": 2}, store="a"))
        assert client.refresh()
        assert client.prompt("support").version == 2


@pytest.mark.parametrize("stores", [("a", "a"), ("a", ""), ("", "a")])
def test_within_one_store_or_where_one_is_not_named_an_older_source_is_refused(
    stores: tuple[str, str], source: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.json"
    write_manifest(snapshot, manifest_of(revision=10, pointers={"production": 3}, store=stores[0]))
    write_manifest(source, manifest_of(revision=4, pointers={"production": 2}, store=stores[1]))
    with Promptyard(source, snapshot=snapshot) as client:
        assert client.prompt("support").reason == "snapshot"
        assert client.status()["source"]["state"] == "older"


def test_a_snapshot_that_cannot_be_written_is_counted_and_tried_again(
    source: Path, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    snapshot = in_the_way / "snapshot.json"
    with Promptyard(source, snapshot=snapshot) as client:
        assert client.prompt("support").version == 2
        wait_for(lambda: client.status()["snapshot"]["n_faults"] > 0)
        assert "cannot be" in client.status()["snapshot"]["message"]
        in_the_way.unlink()
        wait_for(lambda: client.refresh() and snapshot.exists())


def wait_for(holds: Callable[[], bool], *, timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "it never came to hold"
        time.sleep(0.01)
