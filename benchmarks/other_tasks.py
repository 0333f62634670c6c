"""Runs the line on a second task and on a differently worded seed, with the same code.

    .venv/bin/python benchmarks/other_tasks.py

Prints one JSON object a task, whatever comes out.
"""

from __future__ import annotations

import json
from pathlib import Path

import promptyard as py
from promptyard.line.demo import demo_folder
from promptyard.reports.plain import run_summary

EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
EMOTION_PROMPT = f"""---
output: {{format: label, labels: [{", ".join(EMOTIONS)}]}}
---
system:
Which emotion does this comment express? Possible emotions: {", ".join(EMOTIONS)}.

Reply with the emotion only.

user:
{{{{text}}}}
"""


def banking_prompt(labels: tuple[str, ...]) -> str:
    """The banking seed as somebody else would have worded it: one paragraph, one line of labels."""
    return (
        f"---\noutput: {{format: label, labels: [{', '.join(labels)}]}}\n---\n"
        "system:\nYou are the first stop for questions from the customers of a mobile bank. Every "
        "question has one intent. Name it; write just the intent, without any explanation.\n\n"
        f"The intents: {', '.join(labels)}\n\n"
        "user:\nCustomer: {{text}}\n"
    )


def main() -> None:
    embedded = py.Models(task="embedded/lexical", optimizer="embedded/lexical")
    rows = Path(__file__).with_name("data") / "goemotions_ekman.jsonl"
    with rows.open(encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    emotions = py.Task(
        name="goemotions_ekman",
        prompt=EMOTION_PROMPT,
        cases=cases,
        metrics=["enum", py.CheckSpec(type="exact_match", severity="hard")],
        models=embedded,
    )
    with demo_folder() as folder:
        demo = py.load_task(folder)
    banking = py.Task(
        name="banking77-reworded",
        prompt=banking_prompt(demo.program.prompt.output.labels),
        cases=demo.eval_set,
        metrics=demo.metrics,
        models=embedded,
    )
    for task in (emotions, banking):
        run = py.optimize(task)
        n_holdout = len(task.eval_set.split("holdout"))
        summary = run_summary(
            run, n_cases=len(task.eval_set.cases), n_holdout=n_holdout, report_path=None
        )
        keys = (
            "task",
            "n_cases",
            "n_holdout",
            "baseline_score",
            "winner_score",
            "score_diff",
            "ci_low",
            "ci_high",
            "verdict",
            "search_task_calls",
            "naive_calls",
            "n_candidates",
            "seconds",
        )
        print(json.dumps({key: summary[key] for key in keys}))


if __name__ == "__main__":
    main()
