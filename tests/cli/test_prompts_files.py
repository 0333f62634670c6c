"""Exporting and importing prompts at the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.registered import with_store
from support.shell import Run


async def nothing(store: object) -> None:
    del store


def test_an_export_is_imported_elsewhere(run: Run, tmp_path: Path) -> None:
    with_store(nothing, str(tmp_path / "a.db"))
    run("prompts", "promote", "p", "2", "--store", "a.db")
    assert (
        f"wrote {Path('out') / 'p'}" in run("prompts", "export", "p", "out", "--store", "a.db").out
    )
    assert "wrote all/p" in run("prompts", "export", "--all", "all", "--store", "a.db").out
    done = run("prompts", "import", "out", "--store", "b.db")
    assert done.out == "p: 3 versions, 3 of them new, 1 move, production at v2\n"
    shown = run("prompts", "show", "p", "production", "--store", "b.db").out
    assert shown == run("prompts", "show", "p", "2", "--store", "a.db").out
    for wrong in (("p",), ("--all", "p", "out")):
        refused = run("prompts", "export", *wrong, "--store", "a.db")
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "write `prompts export NAME FOLDER` for one prompt" in refused.err
    told = " ".join(run("prompts", "export", "--help").out.split())
    assert "prompts export [OPTIONS] {NAME} [FOLDER]" in told
    assert "Write all prompts: `prompts export --all FOLDER`." in told


def test_a_langfuse_export_becomes_versions_with_notes_and_pointers(run: Run) -> None:
    rows: list[dict[str, Any]] = [
        {"name": "c", "version": 4, "prompt": "A {{x}}", "labels": ["production"], "tags": ["t"]},
        {"name": "c", "version": 5, "prompt": "B {{x}}", "labels": [], "config": {"model": "m"}},
    ]
    Path("l.json").write_text(json.dumps(rows), "utf-8")
    done = run("prompts", "import", "l.json", "--pointers", "--as", "ann")
    assert done.code == 0
    assert (
        "c: 2 versions, 2 of them new (version 4 is v1, 5 is v2 here), production at v1" in done.out
    )
    assert "note: tags were left out" in done.out
    log = json.loads(run("prompts", "log", "c", "--json").out)
    assert (log["moves"][0]["actor"], log["moves"][0]["reason"]) == ("ann", "imported from l.json")
    again = json.loads(run("prompts", "import", "l.json", "--json").out)
    assert [prompt["n_new"] for prompt in again["prompts"]] == [0]


def test_what_is_refused_is_one_line_each_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    rows = [{"name": "c", "version": n, "prompt": f"{{{{a {n}}}}}"} for n in (1, 2)]
    Path("l.json").write_text(json.dumps(rows), "utf-8")
    refused = run("prompts", "import", "l.json")
    assert (refused.code, refused.err.count("error: "), refused.err.count("\n")) == (2, 2, 2)
    assert not (tmp_path / ".promptyard").exists()
    Path("d.prompt").write_text("---\nmodel: m\n---\n{{#if x}}a{{/if}}", "utf-8")
    refused = run("prompts", "import", "d.prompt")
    assert refused.err.startswith("error: d.prompt: line 4: `{{#if x}}` has no counterpart")
    none = run("prompts", "import", "d.prompt", "--skip-refused")
    assert (none.code, "no prompt in it" in none.err) == (2, True)


def test_a_prompt_file_is_registered_by_hand(run: Run) -> None:
    Path("support.md").write_text("user:\n{{x}}\n", "utf-8")
    assert "support: 1 version, 1 of them new\n" in run("prompts", "import", "support.md").out
    Path("support.md").write_text("user:\nKindly: {{x}}\n", "utf-8")
    assert "1 of them new" in run("prompts", "import", "support.md").out
    assert run("prompts", "show", "support").out == "user:\nKindly: {{x}}\n"
