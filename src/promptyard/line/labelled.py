"""Brings labels of people together with the outputs that they are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptyard.errors import EvalSetError, NotFound
from promptyard.evalset.person_labels import labels_of_cases, read_person_labels
from promptyard.evalset.wording import nearest
from promptyard.line.judge_outputs import Output
from promptyard.line.label_session import LABELS_FILE
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import SPLITS
from promptyard.records.labels import Label, output_hash
from promptyard.records.messages import Completion
from promptyard.records.scores import Trial

LAST = "last"
MOST_RUNS = 50
"""How many of the latest runs are searched for outputs."""


@dataclass(frozen=True)
class Labelled(Output):
    """One output with what people say of it."""

    passed: bool


@dataclass(frozen=True)
class Gathered:
    """Labelled outputs, and the labels that count for nothing."""

    items: tuple[Labelled, ...]
    n_contradictory: int
    n_without_output: int


def read_labels(
    task: Task, check: str, *, labels: Path | None, column: str | None, split: str | None
) -> tuple[Label, ...]:
    """Read the labels on a check's outputs: of a file, else of the cases under `column`.

    Without either, `labels.jsonl` beside the task is read. Where labels name checks, those of
    others are left out. Raises EvalSetError in one line for labels that cannot be used.
    """
    if split is not None and split not in SPLITS:
        raise EvalSetError(f"there is no split '{split}'{nearest(split, SPLITS)}")
    cases = [case for case in task.eval_set.cases if split in {None, case.split}]
    if column is not None:
        return labels_of_cases(cases, column)
    path = labels or _labels_beside(task)
    found = read_person_labels(path)
    if any(label.metric for label in found):
        found = tuple(label for label in found if label.metric == check)
    known = {case.id for case in cases}
    ours = tuple(label for label in found if label.case_id in known)
    if ours:
        return ours
    if not found:
        raise EvalSetError(f"{path}: no label is on the check '{check}'")
    where = f"split '{split}'" if split else "the eval set"
    raise EvalSetError(f"{path}: case '{found[0].case_id}' is not in {where}")


def _labels_beside(task: Task) -> Path:
    path = None if task.folder is None else task.folder / LABELS_FILE
    if path is None or not path.is_file():
        raise EvalSetError(
            f"no labels of people were named: give --labels FILE (columns case_id, label, output) "
            f"or --column NAME, or write {LABELS_FILE} beside the task"
        )
    return path


async def gather_outputs(
    task: Task, labels: Sequence[Label], store: Store, *, from_run: str, own_run: str
) -> Gathered:
    """Give each label its output: its own, else a stored one, by its hash or of a named run.

    A label with neither output nor hash is on what its case was answered with when it was given. By
    `last`, which names no run, that is known only where all stored runs gave the same answer.
    Labels of one output count once; where they contradict each other, not at all.

    Raises NotFound for an unknown run, EvalSetError where no label has an output, or where it is
    not known which of several answers labels are on.
    """
    trials: Mapping[str, Sequence[Trial]] = {}
    wanted = {label.case_id for label in labels if label.output is None}
    if wanted:
        trials = await stored_trials(task, store, wanted, from_run=from_run, own_run=own_run)
        if from_run == LAST:
            _require_one_answer(labels, trials)
    cases = {case.id: case for case in task.eval_set.cases}
    said: dict[tuple[str, str], set[bool]] = {}
    completions: dict[tuple[str, str], Completion] = {}
    n_without = 0
    for label in labels:
        completion = _completion(label, trials.get(label.case_id, ()))
        if completion is None:
            n_without += 1
            continue
        key = label.case_id, output_hash(completion.text)
        said.setdefault(key, set()).add(label.label == "pass")
        completions.setdefault(key, completion)
    items = tuple(
        Labelled(case=cases[key[0]], completion=completions[key], passed=True in passed)
        for key, passed in said.items()
        if len(passed) == 1
    )
    if not items:
        where = f"run {from_run}" if from_run != LAST else "the runs of this store"
        raise EvalSetError(
            f"no labelled output is known: the labels hold none and {where} none of these cases; "
            "run `promptyard eval` first, or add a column output"
        )
    return Gathered(items, n_contradictory=len(said) - len(items), n_without_output=n_without)


def _require_one_answer(labels: Sequence[Label], trials: Mapping[str, Sequence[Trial]]) -> None:
    """Refuse to guess which answer a label is on: a later prompt may have given another one."""
    unnoted = {label.case_id for label in labels if label.output is None and not label.output_hash}
    n_several = sum(
        len({trial.output for trial in trials.get(case_id, ()) if _is_answer(trial)}) > 1
        for case_id in unnoted
    )
    if n_several:
        raise EvalSetError(
            f"the labels do not say which answer they are on, and {n_several} of their "
            f"{len(unnoted)} cases were answered differently in the runs of this store: name the "
            "run that was labelled with --from-run (`promptyard runs list`), or add a column output"
        )


def _is_answer(trial: Trial) -> bool:
    return bool(trial.visits) and trial.status != "error"


def _completion(label: Label, trials: Sequence[Trial]) -> Completion | None:
    if label.output is not None:
        return Completion(text=label.output)
    for trial in trials:
        fits = label.output_hash in {None, output_hash(trial.output)}
        if fits and _is_answer(trial):
            return trial.visits[-1].completion
    return None


async def stored_trials(
    task: Task, store: Store, wanted: set[str], *, from_run: str, own_run: str
) -> Mapping[str, Sequence[Trial]]:
    """Gather the trials of a run, or of the task's runs, by case, from the newest report on.

    Raises NotFound for an unknown run, or one without these cases.
    """
    if from_run != LAST:
        run_ids = [from_run]
    else:
        rows = await store.runs(task.name, limit=MOST_RUNS)
        run_ids = [str(row["id"]) for row in rows if row["id"] != own_run]
    trials: dict[str, list[Trial]] = {}
    for run_id in run_ids:
        for report in reversed(await store.reports(run_id)):
            for trial in report.trials:
                if trial.case_id in wanted:
                    trials.setdefault(trial.case_id, []).append(trial)
    if from_run != LAST and not trials:
        raise NotFound(f"run {from_run} has no output of these cases")
    return trials
