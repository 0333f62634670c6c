"""`promptyard check`: what a task's eval set is good for, before anything is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, JudgeModel, TaskPath

if TYPE_CHECKING:
    from promptyard.line.check import TaskCheck

MAX_LABELS = 10


def command(
    task: TaskPath = Path(), judge_model: JudgeModel = None, as_json: AsJson = False
) -> None:
    """Check a task and say what its cases can show.

    Costs no call and needs no key.
    """
    from promptyard.line.check import check
    from promptyard.line.task import Models, load_task

    result = check(load_task(task, models=Models(judge=judge_model)))
    if as_json:
        print_json(result.model_dump(mode="json") | {"ok": result.ok})
    else:
        draw_check(result)
    if not result.ok:
        raise typer.Exit(2)


def draw_check(result: TaskCheck) -> None:
    """Draw splits, labels, findings, and what the cases can show."""
    out = console()
    found = result.eval_set
    rows = [
        (item.split, f"{item.n_cases:,}", f"{item.n_clusters:,}", _kinds(item.kinds))
        for item in found.splits
    ]
    out.print(
        table(
            f"{found.name} (eval set {found.version})",
            ("split", "cases", "independent", "kinds"),
            rows,
            right=(1, 2),
        )
    )
    _draw_labels(result)
    for finding in result.findings:
        style = {"error": "bold red", "warning": "yellow"}.get(finding.level, "dim")
        out.print(f"{finding.level}: {finding.message}", style=style, markup=False)
    power = [
        (
            item.split,
            f"{100 * row.changed_share:.0f} %",
            "–" if row.difference is None else f"{100 * row.difference:.1f}",
            "–" if row.margin > 1 else f"{100 * row.margin:.1f}",
        )
        for item in found.power
        for row in item.differences
    ]
    out.print(
        table(
            "What the cases can show in 4 of 5 runs, in points (– where too few cases change)",
            ("split", "if so many cases change", "smallest gain seen", "smallest drop ruled out"),
            power,
            right=(1, 2, 3),
        )
    )
    out.print(found.sentence, markup=False)
    search = result.search_task_calls
    calls = (
        "as many task calls on train and dev as its budget"
        if search is None
        else (f"about {search:,} task calls on train and dev")
    )
    out.print(
        f"A run takes {calls} and {result.holdout_task_calls:,} on the holdout; "
        "`promptyard optimize --plan` says more.",
        markup=False,
    )


def _draw_labels(result: TaskCheck) -> None:
    counts = {item.split: dict(item.labels or {}) for item in result.eval_set.splits}
    labels: Counter[str] = Counter()
    for split in counts.values():
        labels.update(split)
    if not labels:
        return
    ranked = sorted(labels, key=lambda label: (-labels[label], label))
    rows = [
        (label, *(str(counts[split].get(label, 0)) for split in ("train", "dev", "holdout")))
        for label in ranked[:MAX_LABELS]
    ]
    most = f", the {MAX_LABELS} most frequent" if len(labels) > MAX_LABELS else ""
    title = f"Labels ({len(labels)}{most})"
    console().print(table(title, ("label", "train", "dev", "holdout"), rows, right=(1, 2, 3)))


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {kind}" for kind, n in kinds.items())
