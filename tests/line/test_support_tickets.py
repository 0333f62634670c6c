"""The article's example over real HTTP: from one sentence to three fields, proven, registered."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "support-tickets"
FIELDS = ["customer_issue", "requested_resolution", "agent_action_taken"]
SEED = "Summarize the support ticket."
ARTICLE = (
    "Summarize the support ticket in three fields: 1. customer_issue 2. requested_resolution "
    "3. agent_action_taken. If any field is missing, return null."
)
TICKET = "Customer: The tablet stopped working. I want my money back.\nAgent: We will look into it."


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    hidden = ("_API_KEY", "PROMPTYARD_")
    plain = {k: v for k, v in os.environ.items() if not any(part in k for part in hidden)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def named(buckets: list[dict[str, Any]]) -> dict[str, int]:
    return {item["tag"]: item["n_cases"] for item in buckets if item["field"] is None}


def cases() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "cases.jsonl").read_text("utf-8").splitlines()]


def test_the_scripted_run_ends_with_the_contract_of_the_article(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "tickets")
    optimize = ("-m", "promptyard", "optimize", "tickets", "--json")
    done = run(tmp_path, "tickets/scripted_server.py", sys.executable, *optimize)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["verdict"] == "pass"
    assert result["n_holdout"] == 80
    assert result["baseline_score"] == 0.0
    assert result["finalist_score"] > 0.9
    assert result["ci_low"] > 0.5
    assert result["version"] == 2

    before, after = named(result["buckets_before"]), named(result["buckets_after"])
    assert {"omitted_refund_request", "complaint_not_separated_from_action"} <= set(before)
    assert before["omitted_refund_request"] > 20
    assert before["complaint_not_separated_from_action"] > 20
    assert after.get("omitted_refund_request", 0) <= 3
    assert after.get("complaint_not_separated_from_action", 0) <= 3

    diff = run(tmp_path, "-m", "promptyard", "prompts", "diff", "support-tickets", "1", "2")
    lines = diff.stdout.splitlines()
    removed = [line[1:] for line in lines if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in lines if line.startswith("+") and not line.startswith("+++")]
    assert removed == [SEED]
    assert len(added) == 1
    assert added[0].startswith(ARTICLE)
    assert [name for name in FIELDS if name in added[0]] == FIELDS


def test_the_model_does_what_the_prompt_asks_for_and_no_more() -> None:
    summarize = module("scripted_server").summarize
    plain = summarize(SEED, TICKET)
    assert "tablet stopped working" in plain
    assert not plain.startswith("{")
    listed = summarize(ARTICLE, TICKET)
    assert listed.startswith("1. customer_issue: ")
    answer = json.loads(summarize(f"{ARTICLE} Answer with one JSON object.", TICKET))
    assert list(answer) == FIELDS
    assert answer["requested_resolution"].startswith("refund")
    assert answer["agent_action_taken"] is None
    without_null = summarize(ARTICLE.partition(" If any")[0] + " Answer in JSON.", TICKET)
    assert json.loads(without_null)["agent_action_taken"] == "not stated"
    two = summarize("Name customer_issue and agent_action_taken in JSON.", TICKET)
    assert list(json.loads(two)) == ["customer_issue", "agent_action_taken"]


def test_under_the_seed_most_refund_requests_are_omitted_and_few_are_not() -> None:
    summarize = module("scripted_server").summarize
    asking = [row for row in cases() if "asks:refund" in row["tags"]]
    kept = sum("refund" in summarize(SEED, row["input"]["ticket"]) for row in asking)
    assert len(asking) >= 60
    assert 0 < kept < 0.3 * len(asking)


def test_the_server_reads_no_file_and_knows_no_case() -> None:
    source = (FOLDER / "scripted_server.py").read_text("utf-8")
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {"open", "Path", "__file__"} & names
    assert not {"read_text", "read_bytes", "open"} & called
    assert "ticket-" not in source
    assert not any(row["input"]["ticket"] in source for row in cases())


def test_the_cases_are_those_of_their_generator() -> None:
    made = module("make_cases").make_cases()
    assert made == cases()


def test_the_cases_are_varied_and_parted_alike() -> None:
    rows = cases()
    assert Counter(row["split"] for row in rows) == {"train": 60, "dev": 60, "holdout": 80}
    kinds = Counter(row["kind"] for row in rows)
    assert kinds == {"representative": 140, "edge": 40, "adversarial": 20}
    for kind in kinds:
        assert len({row["split"] for row in rows if row["kind"] == kind}) == 3
    for field in FIELDS:
        values = [row["expected"][field] for row in rows]
        assert values.count(None) >= 3
        assert sum(value is not None for value in values) >= 80
    assert len({row["input"]["ticket"] for row in rows}) == 200
    tags = Counter(tag for row in rows for tag in row["tags"])
    assert sum(tag.startswith("channel:") for tag in tags) == 5
    assert sum(tag.startswith("edge:") for tag in tags) >= 8


@pytest.mark.parametrize(
    ("gold", "got", "same"),
    [
        ("tablet stopped working", "The tablet has stopped working", True),
        ("tablet stopped working", "The router is slow", False),
        ("refund", None, False),
        ("refund", "refund of 20 euros", True),
        ("refund", "refund " * 50, False),
        ({"any_of": ["Router verliert Verbindung", "router loses connection"]},
         "Router loses its connection", True),
    ],
)  # fmt: skip
def test_fields_are_compared_by_key_words(gold: Any, got: str | None, same: bool) -> None:
    assert module("checks").agrees(gold, got) is same
