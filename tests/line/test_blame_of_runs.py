"""Blame after real runs: what a run kept of its sentences is what the registry shows."""

from __future__ import annotations

from pathlib import Path

import promptyard as py
from promptyard.line.prompt_log import show_version
from promptyard.line.query import blame_version
from promptyard.line.sync import run_sync
from promptyard.testing.search_world import RULES
from support.rule_task import rule_task


def test_each_sentence_of_a_winner_names_bucket_run_effect_and_decision(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    run = py.optimize(rule_task(), store=url)
    assert run.version == 2
    found = run_sync(blame_version(url, "rules"))
    by_text = {line.text: line.entries for line in found.lines}
    for tag, sentence in RULES.items():
        (entry,) = by_text[sentence]
        assert (entry.source, entry.version, entry.generator) == ("edit", 2, "reflect")
        assert (entry.buckets, entry.run_id) == ((tag,), run.id)
        assert entry.case_ids
        assert all(case_id.startswith("train") for case_id in entry.case_ids)
        assert entry.effect is not None
        assert entry.effect.n_failing_before > entry.effect.n_failing_after == 0
        assert (entry.decision, entry.sentence) == ("pass", run.verdict.sentence)
    assert [entry.source for entry in by_text["Be kind to the reader."]] == ["seed"]


def test_a_version_optimised_from_a_version_keeps_its_origins(tmp_path: Path) -> None:
    url = str(tmp_path / "runs.db")
    half = {tag: RULES[tag] for tag in ("format", "units")}
    first = py.optimize(rule_task(sentences=half), store=url)
    second = py.optimize(rule_task(prompt=first.best.prompt, name="rules"), store=url)
    assert (first.version, second.version) == (2, 3)
    version = run_sync(show_version(url, "rules", "latest"))
    assert version.parent == 2
    runs = {origin.buckets: origin.run_id for origin in version.origins}
    assert runs == {
        ("format",): first.id,
        ("units",): first.id,
        ("dates",): second.id,
        ("names",): second.id,
    }
    by_text = {
        line.text: line.entries[0]
        for line in run_sync(blame_version(url, "rules")).lines
        if line.entries
    }
    assert by_text[RULES["units"]].version == 2
    assert by_text[RULES["dates"]].version == 3
    assert by_text[RULES["units"]].sentence == first.verdict.sentence
