"""Brings labels of people together with the outputs that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptyard.errors import EvalSetError
from promptyard.evalset.person_labels import labels_of_cases, read_person_labels
from promptyard.evalset.wording import nearest
from promptyard.line.judge_outputs import Output
from promptyard.line.label_session import LABELS_FILE
from promptyard.line.stored_answers import (
    LAST,
    StoredAnswers,
    is_answer,
    stored_answers,
)
from promptyard.line.task import Task
from promptyard.protocols import Store
from promptyard.records.cases import SPLITS
from promptyard.records.labels import Label, output_hash
from promptyard.records.messages import Completion
from promptyard.records.scores import Trial


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

    A label with neither output nor hash is on what its case was answered with when it was given.
    That is known only where the named run, or by `last` all stored runs, gave one answer.
    Labels of one output count once; where they contradict each other, not at all.

    Raises NotFound for an unknown run, EvalSetError where no label has an output, or where it is
    not known which of several answers labels are on.
    """
    answers = StoredAnswers({})
    wanted = {label.case_id for label in labels if label.output is None}
    if wanted:
        answers = await stored_answers(store, task.name, wanted, from_run=from_run, own_run=own_run)
        _require_one_answer(labels, answers, from_run)
    cases = {case.id: case for case in task.eval_set.cases}
    said: dict[tuple[str, str], set[bool]] = {}
    completions: dict[tuple[str, str], Completion] = {}
    n_without = 0
    for label in labels:
        completion = _completion(label, answers.trials.get(label.case_id, ()))
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


def _require_one_answer(labels: Sequence[Label], answers: StoredAnswers, from_run: str) -> None:
    """Refuse to guess which answer a label is on: a later prompt may have given another one."""
    unnoted = {label.case_id for label in labels if label.output is None and not label.output_hash}
    if not unnoted:
        return
    n_several = sum(answers.is_ambiguous(case_id) for case_id in unnoted)
    of_all = f"{n_several} of their {len(unnoted)} cases"
    said = "the labels do not say which answer they are on, and"
    name_it = "name the run that was labelled with --from-run (`promptyard runs list`)"
    if n_several and from_run != LAST:
        raise EvalSetError(
            f"{said} run {from_run} answered {of_all} in several ways (replicates, or several "
            "prompts): add a column output"
        )
    if n_several:
        raise EvalSetError(
            f"{said} {of_all} were answered differently in the runs of this store: {name_it}, or "
            "add a column output"
        )
    if not answers.all_runs:
        raise EvalSetError(
            f"{said} this store has older runs that were not looked at: {name_it}, or add a "
            "column output"
        )


def _completion(label: Label, trials: Sequence[Trial]) -> Completion | None:
    if label.output is not None:
        return Completion(text=label.output)
    for trial in trials:
        fits = label.output_hash in {None, output_hash(trial.output)}
        if fits and is_answer(trial):
            return trial.visits[-1].completion
    return None
