"""Opens a labelling session on a task, and writes what came of it into the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from promptyard.errors import ConfigError, EvalSetError, NotFound
from promptyard.evalset.case_file import FileEdit, require_editable
from promptyard.evalset.label_files import (
    LabelJournal,
    journal_path,
    merge_labels,
)
from promptyard.evalset.person_labels import read_person_labels
from promptyard.evalset.wording import nearest
from promptyard.line.case_files import CaseFiles, Change, Intended, change_cases, open_case_files
from promptyard.line.labelling import LabelItem, LabelSession, input_hash, summary
from promptyard.line.query import opened
from promptyard.line.stored_answers import LAST, stored_answers
from promptyard.line.task import Task
from promptyard.line.wiring import metrics_of, store_address
from promptyard.protocols import Store
from promptyard.records.base import Json, Record
from promptyard.records.cases import SPLITS, Case, CheckSpec
from promptyard.records.labels import Answer, Label, output_hash
from promptyard.records.scores import Trial
from promptyard.signals.buckets import TAG_PRIORITY

LABELS_FILE = "labels.jsonl"
LABELS_SUFFIX = ".jsonl"
ONLY = ("failing", "unlabelled", *SPLITS)
"""What a session can be narrowed to."""


@dataclass(frozen=True)
class LabelPlan:
    """What to label: `only` narrows the cases, `metrics` names checks to be judged one by one.

    `run` shows the outputs of that run; `last` those of the task's last one, if there is one.
    """

    task: Path
    labeller: str
    run: str = LAST
    only: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    store: str | None = None
    labels: Path | None = None


@dataclass(frozen=True)
class Labelling:
    """An open session, the task that it is on, and where its labels go."""

    session: LabelSession
    task: Path
    journal: LabelJournal
    labels: Path
    run_id: str | None
    known_tags: tuple[str, ...]

    def close(self) -> None:
        """Close the journal; what was answered is in it."""
        self.journal.close()


class SavedLabels(Record):
    """What was written: `n_verdicts` into the labels file, golds and tags into the case files."""

    n_verdicts: int
    n_golds: int
    n_tagged: int
    labels: str
    change: Change | None = None


async def open_labelling(plan: LabelPlan) -> Labelling:
    """Open a session where this labeller left it; close it afterwards. Costs no call.

    Raises EvalSetError for a task without the cases asked for, NotFound for an unknown run,
    ConfigError for an unknown check.
    """
    strangers = [name for name in plan.only if name not in ONLY]
    if strangers:
        raise EvalSetError(f"--only {strangers[0]}{nearest(strangers[0], ONLY)}")
    case_files = open_case_files(plan.task)
    task = case_files.task
    _require_metrics(task, plan.metrics)
    run_id, trials = await _outputs(plan, case_files)
    labels = plan.labels or case_files.folder / LABELS_FILE
    if labels.suffix != LABELS_SUFFIX:
        raise EvalSetError(f"{labels}: labels are written as JSON lines; name a .jsonl file")
    said = read_person_labels(labels) if labels.exists() and labels.stat().st_size else ()
    known = await _known_answers(plan, case_files, said)
    cases = _chosen(plan, task, trials, _judged(said, known))
    if not cases:
        wanted = " and ".join(plan.only) or "any"
        raise EvalSetError(f"task '{task.name}' has no case to label that is {wanted}")
    items = [
        _item(task, case, trials.get(case.id), metric)
        for case in cases
        for metric in plan.metrics or (None,)
    ]
    journal = LabelJournal(journal_path(case_files.folder, task.name))
    contract = task.program.steps[-1].prompt.output
    return Labelling(
        session=LabelSession(items, journal, plan.labeller, contract),
        task=plan.task,
        journal=journal,
        labels=labels,
        run_id=run_id,
        known_tags=_known_tags(task),
    )


async def save_labels(labelling: Labelling, store: str | None = None) -> SavedLabels:
    """Write the unsaved answers: verdicts into the labels file, golds and tags into the cases.

    Golds and tags make a child version of the eval set as it is now. Repeated after a crash it
    changes nothing twice. Raises EvalSetError, with the answers still in the journal, where a file
    cannot be used.
    """
    session, case_files = labelling.session, open_case_files(labelling.task)
    answers = session.unsaved()
    labels = [_label(answer) for answer in answers if answer.kind == "verdict"]
    edits, changed = _case_edits(case_files, answers)
    for path in edits:
        require_editable(path)
    if labels:
        merge_labels(labelling.labels, labels)
    counts = summary(answers)
    change: Change | None = None
    if changed:
        golds = "1 gold" if counts["golds"] == 1 else f"{counts['golds']} golds"
        parts = [golds] if counts["golds"] else []
        parts += [f"{counts['tagged']} tagged"] if counts["tagged"] else []
        change = await change_cases(
            case_files,
            edits,
            store=store,
            change=f"labelled by {session.labeller}: {', '.join(parts)}",
            intended=Intended(changed=frozenset(changed)),
        )
    if answers:
        session.mark_written()
    return SavedLabels(
        n_verdicts=counts["verdicts"],
        n_golds=counts["golds"],
        n_tagged=counts["tagged"],
        labels=str(labelling.labels),
        change=change,
    )


def _require_metrics(task: Task, names: Sequence[str]) -> None:
    metrics_for = metrics_of(task)
    known = {
        metric.name for case in task.eval_set.cases for metric in metrics_for(task.program, case)
    }
    for name in names:
        if name not in known:
            raise ConfigError(f"the task has no check '{name}'{nearest(name, sorted(known))}")


async def _outputs(
    plan: LabelPlan, case_files: CaseFiles
) -> tuple[str | None, Mapping[str, Trial]]:
    """Return the run and, by case, its trial; of several programs the one measured last."""
    address = store_address(plan.store, case_files.folder)
    try:
        async with opened(address) as store:
            run_id = plan.run
            if run_id == LAST:
                found = await _last_run(store, case_files.task.name)
                if found is None:
                    return None, {}
                run_id = found
            reports = await store.reports(run_id)
    except NotFound:
        if plan.run == LAST:
            return None, {}
        raise
    if not reports:
        raise NotFound(f"run {run_id} has no report, so it has no outputs to show")
    return run_id, {name: trial for item in reports for name, trial in item.by_case().items()}


async def _last_run(store: Store, task: str) -> str | None:
    for row in await store.runs(task):
        if await store.reports(str(row["id"])):
            return str(row["id"])
    return None


def _chosen(
    plan: LabelPlan, task: Task, trials: Mapping[str, Trial], judged: Set[tuple[str, str]]
) -> list[Case]:
    splits = [name for name in plan.only if name in SPLITS]

    def wanted(case: Case) -> bool:
        trial = trials.get(case.id)
        output = _shown_output(trial)
        if splits and case.split not in splits:
            return False
        if "failing" in plan.only and (trial is None or trial.status != "scored" or trial.passed):
            return False
        if "unlabelled" in plan.only:
            if output is None:
                return case.expected is None
            return (case.id, output_hash(output)) not in judged
        return True

    return [case for case in task.eval_set.cases if wanted(case)]


async def _known_answers(
    plan: LabelPlan, case_files: CaseFiles, labels: Sequence[Label]
) -> Mapping[str, str]:
    """Return what the cases of labels that note no answer were answered with in every run."""
    unnoted = {label.case_id for label in labels if _hash_of(label) is None}
    if not unnoted or "unlabelled" not in plan.only:
        return {}
    try:
        async with opened(store_address(plan.store, case_files.folder)) as store:
            answers = await stored_answers(store, case_files.task.name, unnoted)
    except NotFound:
        return {}
    found = {case_id: answers.only_answer(case_id) for case_id in unnoted}
    return {case_id: text for case_id, text in found.items() if text is not None}


def _judged(labels: Sequence[Label], known: Mapping[str, str]) -> Set[tuple[str, str]]:
    """Return the answers that labels are on, by case id and hash; one that is not known is none."""
    judged: set[tuple[str, str]] = set()
    for label in labels:
        noted = _hash_of(label)
        if noted is None and label.case_id in known:
            noted = output_hash(known[label.case_id])
        if noted is not None:
            judged.add((label.case_id, noted))
    return judged


def _hash_of(label: Label) -> str | None:
    return output_hash(label.output) if label.output is not None else label.output_hash


def _shown_output(trial: Trial | None) -> str | None:
    return None if trial is None or trial.status == "error" else trial.output


def _item(task: Task, case: Case, trial: Trial | None, metric: str | None) -> LabelItem:
    return LabelItem(
        case=case,
        metric=metric,
        rubric=_rubric(task, case, metric),
        output=_shown_output(trial),
        findings=findings_of(trial),
    )


def findings_of(trial: Trial | None) -> tuple[str, ...]:
    """Write what checks found wrong with an output, those that ask a judge left out."""
    return tuple(
        f"{score.metric}: {', '.join(score.tags)}" + (f" ({score.reason})" if score.reason else "")
        for score in (trial.scores if trial else ())
        if score.tags and score.judge is None
    )


def _rubric(task: Task, case: Case, metric: str | None) -> str | None:
    specs = [spec for spec in (*case.checks, *task.metrics) if isinstance(spec, CheckSpec)]
    for spec in specs:
        rubric: Json = spec.options.get("rubric")
        if metric in (spec.id, spec.type) and isinstance(rubric, str):
            return rubric
    return case.rubric


def _known_tags(task: Task) -> tuple[str, ...]:
    """Tags to choose from: those of the cases first, then what failures are called."""
    of_cases = [tag for case in task.eval_set.cases for tag in case.tags]
    of_checks = [spec.tag for spec in task.metrics if isinstance(spec, CheckSpec) and spec.tag]
    return tuple(dict.fromkeys((*of_cases, *of_checks, *TAG_PRIORITY)))


def _label(answer: Answer) -> Label:
    assert answer.label is not None
    assert answer.output is not None
    return Label(
        case_id=answer.case_id,
        label=answer.label,
        metric=answer.metric,
        output=answer.output,
        output_hash=output_hash(answer.output),
        labeller=answer.labeller,
        at=answer.at,
    )


def _case_edits(
    case_files: CaseFiles, answers: Sequence[Answer]
) -> tuple[dict[Path, FileEdit], list[str]]:
    """Return the edits of rows that differ from what is there, and the cases concerned."""
    cases = {case.id: case for case in case_files.task.eval_set.cases}
    values: dict[str, dict[str, Json]] = {}
    for answer in answers:
        case = cases.get(answer.case_id)
        if case is None or input_hash(case) != answer.input_hash:
            continue  # it was retired, or became another case, while the person was at it
        if answer.kind == "gold":
            values.setdefault(case.id, {})["expected"] = answer.expected
        elif answer.kind == "tags":
            kept = [tag for tag in case.tags if tag not in answer.removed]
            tags = list(dict.fromkeys((*kept, *answer.added)))
            values.setdefault(case.id, {})["tags"] = tags
    by_file: dict[Path, dict[int, Mapping[str, Json]]] = {}
    ids: dict[Path, dict[int, str]] = {}
    changed: list[str] = []
    for case_id, new in values.items():
        old: dict[str, Json] = {
            "expected": cases[case_id].expected,
            "tags": list(cases[case_id].tags),
        }
        differing = {key: value for key, value in new.items() if value != old[key]}
        if differing:
            path, line = case_files.place(case_id)
            by_file.setdefault(path, {})[line] = differing
            ids.setdefault(path, {})[line] = case_id
            changed.append(case_id)
    edits = {path: FileEdit(values=by_file[path], ids=ids[path]) for path in by_file}
    return edits, changed
