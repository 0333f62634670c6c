"""Moving, guarding and publishing pointers, as a person at the terminal meets it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from support.registered import tamper, with_store
from support.shell import Run


async def nothing(store: object) -> None:
    del store


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The project's own store, with three versions of `p`; production is at the first."""
    folder = tmp_path / ".promptyard"
    folder.mkdir()
    path = str(folder / "store.db")
    with_store(nothing, path)
    return path


def moves(run: Run) -> list[dict[str, str]]:
    return json.loads(run("prompts", "log", "p", "--json").out)["moves"]


@pytest.mark.usefixtures("store")
def test_a_protected_pointer_is_asked_for_approved_and_rolled_back(run: Run) -> None:
    assert run("prompts", "promote", "p", "1", "--as", "ann").code == 0
    assert "second person" in run("prompts", "protect", "p", "production", "--as", "ann").out
    refused = run("prompts", "promote", "p", "2", "--as", "ann")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "`promptyard prompts request p 2`" in refused.err

    asked = run("prompts", "request", "p", "2", "-m", "better", "--as", "ann")
    waiting = json.loads(run("prompts", "requests", "p", "--json").out)
    assert f"`promptyard prompts approve {waiting[0]['id']}`" in asked.out
    assert waiting[0]["id"] in run("prompts", "requests", "p").out
    own = run("prompts", "approve", waiting[0]["id"], "--as", "ann")
    assert (own.code, own.err.count("\n")) == (2, 1)
    done = run("prompts", "approve", waiting[0]["id"], "--as", "bob")
    assert "p: production moved from v1 to v2, approved by bob" in done.out
    assert "nothing waits" in run("prompts", "requests", "p").out

    assert "moved from v2 to v1" in run("prompts", "rollback", "p", "--as", "carl").out
    log = moves(run)
    assert [(m["kind"], m["actor"], m["approved_by"]) for m in log] == [
        ("promote", "ann", ""),
        ("promote", "ann", "bob"),
        ("rollback", "carl", ""),
    ]
    alone = run("prompts", "unprotect", "p", "production", "--as", "ann")
    assert (alone.code, "--approved-by" in alone.err) == (2, True)
    both = run("prompts", "unprotect", "p", "production", "--as", "ann", "--approved-by", "bob")
    assert "no longer" in both.out


@pytest.mark.usefixtures("store")
def test_who_acts_is_the_option_else_the_variable_else_the_user(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROMPTYARD_USER", raising=False)
    run("prompts", "promote", "p", "1")
    monkeypatch.setenv("PROMPTYARD_USER", "robot")
    run("prompts", "promote", "p", "2")
    run("prompts", "promote", "p", "3", "--as", "ann")
    assert [move["actor"] for move in moves(run)][1:] == ["robot", "ann"]
    assert moves(run)[0]["actor"] not in ("", "robot")
    for name in (" ", "two\nlines", "x" * 101):
        refused = run("prompts", "promote", "p", "1", "--as", name)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "PROMPTYARD_USER" in refused.err


@pytest.mark.usefixtures("store")
def test_a_rollback_goes_back_to_any_version_that_the_pointer_had(run: Run) -> None:
    for number in (1, 2, 3):
        run("prompts", "promote", "p", number)
    refused = run("prompts", "rollback", "p", "--version", 7)
    assert (refused.code, "it was at v2, v1 before" in refused.err) == (2, True)
    assert "from v3 to v1" in run("prompts", "rollback", "p", "--version", 1).out
    assert run("prompts", "rollback", "p").code == 2


@pytest.mark.usefixtures("store")
def test_a_place_that_cannot_be_written_is_a_warning_and_the_move_stands(
    run: Run, tmp_path: Path
) -> None:
    run("prompts", "promote", "p", "1")
    assert "nothing is published yet" in run("prompts", "publish").out
    target = tmp_path / "out" / "manifest.json"
    assert f"published revision 1 to {target}" in run("prompts", "publish", target).out
    for path in target.parent.iterdir():
        path.unlink()
    target.parent.rmdir()
    moved = run("prompts", "promote", "p", "2")
    assert (moved.code, moved.err.count("\n")) == (0, 1)
    assert moved.err.startswith("warning: the manifest was not published to ")
    assert "moved from v1 to v2" in moved.out
    assert "no manifest" in run("prompts", "publish").out
    back = run("prompts", "rollback", "p", "--json")
    assert back.code == 0
    assert json.loads(back.out)["publication"]["errors"].keys() == {str(target)}
    target.parent.mkdir()
    assert run("prompts", "promote", "p", "2").err == ""
    assert json.loads(target.read_bytes())["prompts"]["p"]["pointers"] == {"production": 2}
    assert "any longer" in run("prompts", "publish", target, "--remove").out
    assert run("prompts", "publish", target, "--remove").code == 2
    assert run("prompts", "publish", "--remove").code == 2


def test_tampered_bytes_end_a_promotion_in_one_line(run: Run, store: str) -> None:
    run("prompts", "promote", "p", "1")
    tamper(Path(store), 2, "B é", "B e")
    for command in ("promote", "request"):
        refused = run("prompts", command, "p", "2")
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "restore the store from a copy" in refused.err
    assert len(moves(run)) == 1


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="no folder is closed to root"
)
@pytest.mark.usefixtures("store")
def test_a_folder_of_somebody_else_is_a_warning(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "closed" / "manifest.json"
    run("prompts", "promote", "p", "1")
    run("prompts", "publish", target)
    before = target.read_bytes()
    target.parent.chmod(0o555)
    moved = run("prompts", "promote", "p", "2")
    target.parent.chmod(0o755)
    assert (moved.code, moved.err.count("\n")) == (0, 1)
    assert "Permission denied" in moved.err
    assert target.read_bytes() == before
