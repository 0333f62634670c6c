"""`promptyard traces prune`: says what it would delete, then deletes it."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

from promptyard.records.audit import AuditEntry
from promptyard.testing.store_service_contract import sample_span
from support.shell import Run
from support.stores import on_store


def test_what_is_too_much_goes_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "promptyard.yaml").write_text(
        "service: {retention: {max_spans: 5, trace_days: 1000000}}\n"
    )
    store = str(tmp_path / "store.db")
    on_store(store, lambda opened: opened.add_spans([sample_span(n) for n in range(12)], []))
    assert "0 spans" in run("traces", "prune", "--store", store).out  # they may be sent again
    entry = AuditEntry(actor="ada", action="promote", target="prompts/p", status=200)
    long_ago = "2020-01-01T00:00:00.000000+00:00"
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        values = ("ada", long_ago, entry.model_dump_json())
        connection.execute("INSERT INTO audit (actor, at, entry) VALUES (?, ?, ?)", values)
        connection.execute("UPDATE spans SET stored_at = '2026-01-01T00:00:00.000000+00:00'")
    dry = run("traces", "prune", "--dry-run", "--store", store)
    assert dry.code == 0, dry.err
    assert "7 spans, 0 outcomes" in dry.out
    assert "0 jobs, 1 of the audit log would be deleted" in " ".join(dry.out.split())
    done = run("traces", "prune", "--as", "bob", "--store", store, "--json")
    assert json.loads(done.out)["n_spans"] == 7
    assert "0 spans" in run("traces", "prune", "--store", store).out
    log = run("keys", "log", "--store", store).out
    assert "bob" in log
    assert "prune_audit" in log
    missing = run("traces", "prune", "--store", str(tmp_path / "none.db"))
    assert missing.code == 2
    assert missing.err.count("\n") == 1
