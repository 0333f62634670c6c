"""Runs the demo's candidates naively: every one of them on all of train and dev.

Prints, out of one process: the line's calls and winner, the naive calls and winner, both winners on
the holdout, and the char-n-gram tf-idf reference on the bare label names.

    .venv/bin/python benchmarks/naive_search.py
"""

from __future__ import annotations

import asyncio
import json
import time

from promptyard.line.api import evaluate, optimize
from promptyard.line.demo import demo_folder
from promptyard.line.task import Task, load_task
from promptyard.protocols import Store
from promptyard.providers.lexical_index import LexicalIndex
from promptyard.records.edits import Proposal, apply_edits
from promptyard.records.prompts import Program
from promptyard.storage import open_store


async def main() -> None:
    with demo_folder() as folder:
        task = load_task(folder)
    store = open_store(None)
    await store.open()
    started_s = time.monotonic()
    run = await optimize(task, store=store)
    line_s = time.monotonic() - started_s
    candidates = await evaluated(task, store, run.id)
    started_s = time.monotonic()
    n_cases = len(task.eval_set.split("train")) + len(task.eval_set.split("dev"))
    best, best_mean = task.program, -1.0
    for program in candidates:
        total = 0.0
        for split in ("train", "dev"):
            report = await evaluate(task, split=split, program=program, store=store)
            total += (report.score or 0.0) * report.n_scored
        if total / n_cases > best_mean:
            best, best_mean = program, total / n_cases
    naive_s = time.monotonic() - started_s
    scores = {
        name: (await evaluate(task, split="holdout", program=program, store=store)).score
        for name, program in (("baseline", task.program), ("line", run.best), ("naive", best))
    }
    await store.close()
    result = {
        "reference_char_tf_idf": reference(task),
        "holdout": scores,
        "line_calls": run.search_task_calls,
        "naive_calls": len(candidates) * n_cases,
        "share_pct": round(100 * run.search_task_calls / (len(candidates) * n_cases), 1),
        "n_candidates": len(candidates),
        "line_s": round(line_s, 1),
        "naive_s": round(naive_s, 1),
        "naive_minus_line_points": round(100 * ((scores["naive"] or 0) - (scores["line"] or 0)), 2),
    }
    print(json.dumps(result, indent=2))


async def evaluated(task: Task, store: Store, run_id: str) -> list[Program]:
    """Read the programs of all evaluated candidates back out of the run's journal."""
    programs: dict[str, Program] = {}
    for entry in await store.journal(run_id):
        if entry["kind"] == "proposed":
            proposal = Proposal(generator="", hypothesis="", edits=tuple(entry["payload"]["edits"]))
            program = apply_edits(task.program, proposal.edits)
            programs[program.id] = program
    run = await store.run_result(run_id)
    assert run is not None
    ids = {row.candidate_id for stage in run.stages for row in stage.rows}
    return [program for key, program in programs.items() if key in ids]


def reference(task: Task) -> float:
    """Accuracy on the holdout of the nearest label name by character n-gram tf-idf alone."""
    labels = task.program.prompt.output.labels
    index = LexicalIndex(labels)
    cases = task.eval_set.split("holdout")
    n_right = 0
    for case in cases:
        scores = index.similarities(case.input["text"])
        n_right += labels[max(range(len(labels)), key=lambda i: scores[i])] == case.expected
    return n_right / len(cases)


if __name__ == "__main__":
    asyncio.run(main())
