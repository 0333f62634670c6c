"""`promptyard keys`: what is printed where, and what is logged."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from promptyard.records.audit import AuditEntry
from promptyard.storage import open_store
from support.shell import Run

STORE = ("--store", "keys.db")
SECRET = re.compile(r"py_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


def test_the_secret_stands_alone_on_stdout(run: Run) -> None:
    made = run("keys", "create", "ops", "--scope", "admin", "--expires", "90d", *STORE)
    assert made.code == 0
    assert SECRET.fullmatch(made.out.strip())
    assert "may admin, until" in made.err
    assert made.out.strip() not in made.err
    as_json = json.loads(run("keys", "create", "app", "--scope", "report", *STORE, "--json").out)
    assert SECRET.fullmatch(as_json["secret"])
    assert as_json["key"]["name"] == "app"


def test_a_first_key_without_admin_is_warned_of(run: Run) -> None:
    made = run("keys", "create", "app", "--scope", "read", "--as", "ann", *STORE)
    assert made.code == 0
    assert "warning: no key has the scope admin" in made.err
    assert SECRET.fullmatch(made.out.strip())


def test_keys_are_rotated_revoked_listed_and_logged(run: Run) -> None:
    first = run("keys", "create", "ops", "--scope", "admin", "--as", "ann", *STORE).out.strip()
    key_id = first.split("_")[1]
    second = run("keys", "rotate", key_id, "--grace", "10m", "--as", "bob", *STORE).out.strip()
    assert SECRET.fullmatch(second)
    again = run("keys", "rotate", key_id, *STORE)
    assert (again.code, "rotated already" in again.err) == (2, True)
    new_id = second.split("_")[1]
    revoked = run("keys", "revoke", new_id, "--as", "ann", *STORE)
    assert f"key {new_id} of ops is revoked" in revoked.out
    assert "warning" not in revoked.err  # the old one is admin's and still works
    assert "warning" in run("keys", "revoke", key_id, "--as", "ann", *STORE).err
    listed = json.loads(run("keys", "list", *STORE, "--json").out)
    assert [(item["id"], item["state"]) for item in listed] == [
        (key_id, "revoked"),
        (new_id, "revoked"),
    ]
    log = json.loads(run("keys", "log", *STORE, "--json").out)
    assert [(item["actor"], item["action"], item["target"]) for item in log] == [
        ("ann", "revoke_key", f"keys/{key_id}"),
        ("ann", "revoke_key", f"keys/{new_id}"),
        ("bob", "rotate_key", f"keys/{key_id}"),
        ("ann", "create_key", f"keys/{key_id}"),
    ]
    shown = run("keys", "list", *STORE).out + run("keys", "log", "--by", "bob", *STORE).out
    everything = shown + json.dumps([listed, log]) + Path("keys.db").read_bytes().decode("latin-1")
    for secret in (first, second):
        assert secret.split("_", 2)[2] not in everything
    assert "digest" not in shown + json.dumps(listed)


def test_mistakes_are_named(run: Run) -> None:
    for arguments, said in (
        (("create", "x", "--scope", "root"), "scopes: read, report, write, release, admin"),
        (("create", "a\x1b[2J", "--scope", "read"), "no name for a key"),
        (("create", "x", "--scope", "read", "--expires", "soon"), "--expires soon"),
        (("create", "x", "--scope", "read", "--expires", "99999d"), "lifetime"),
        (("create", "x"), "--scope"),
        (("rotate", "0" * 12), "There is no key"),
        (("revoke", "0" * 12), "There is no key"),
    ):
        run("keys", "create", "ops", "--scope", "admin", *STORE)
        failed = run("keys", *arguments, *STORE)
        assert (failed.code, failed.out) == (2, ""), arguments
        assert said in failed.err, arguments
        assert "\x1b" not in failed.err
        assert len(failed.err.splitlines()) == 1


def test_the_log_steers_no_terminal(run: Run) -> None:
    async def write() -> None:
        store = open_store("keys.db")
        await store.open()
        await store.add_audit(
            AuditEntry(actor="a\x1b]0;x\x07", action="b\nc", target="/\x1b[2J", status=200)
        )
        await store.close()

    asyncio.run(write())
    shown = run("keys", "log", *STORE).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "<U+001B>" in shown
