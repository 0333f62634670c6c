"""Plans a new task out of a file of cases and a sentence, and writes its folder.

A plan reads and guesses and writes nothing. Writing tries the whole task in a folder of its own
first, so that a mistake is found before any file of the user is touched.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from promptyard.errors import ConfigError, EvalSetError, PromptyardError
from promptyard.evalset.foreign import recognised_formats
from promptyard.evalset.foreign.table import NAME as TABLE
from promptyard.evalset.native_rows import jsonl_text, ordered_row
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.evalset.wording import nearest, one_line
from promptyard.line.answer_kind import AnswerKind, guess_kind
from promptyard.line.check import TaskCheck, check
from promptyard.line.convert import CASES, PROMPT, TASK, ImportPlan, plan_import, write_text
from promptyard.line.new_task_files import SCHEMA, prompt_file, schema_file, task_file
from promptyard.line.new_task_splits import ALL_IN_DEV, FEW, FIRST_SEED, SHARES, new_splits
from promptyard.line.task import load_task
from promptyard.records.base import Json, Record

UNLABELLED = "without-expected.jsonl"
SAMPLES: Mapping[str, Sequence[str]] = {
    "billing": (
        "I was charged twice this month",
        "There is a fee on my invoice",
        "Please refund the payment",
        "The invoice shows the wrong amount",
    ),
    "login": (
        "I forgot my password",
        "The password reset mail never comes",
        "I cannot sign in with my account",
        "My account is locked",
    ),
    "delivery": (
        "Where is my parcel",
        "The parcel arrived broken",
        "My order has not arrived",
        "The courier left it at the wrong address",
    ),
}
"""Cases of a task that is made without a file, by what is expected."""


class CasePlan(Record):
    """The cases of a new task: where they are from, and what was guessed about them.

    `rows` are those of cases.jsonl, as (place, row); `unlabelled` those that lack the expectation
    which others have. `mapping` says what each column is; `notes` are sentences for a person.
    """

    source: Path | None = None
    rows: tuple[tuple[str, Mapping[str, Json]], ...]
    unlabelled: tuple[tuple[str, Mapping[str, Json]], ...] = ()
    mapping: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    kind: AnswerKind
    variables: tuple[str, ...]
    shares: Mapping[str, float] | None = SHARES
    seed: int = FIRST_SEED

    @property
    def has_checks(self) -> bool:
        """Whether every case brings checks of its own."""
        return all(row.get("checks") for _, row in self.rows)


class TaskPlan(Record):
    """Everything that a new task is written from.

    `prompt_is_default` says that nobody said what the model shall do.
    """

    name: str
    cases: CasePlan
    prompt: str
    prompt_is_default: bool = False
    checks: tuple[Mapping[str, Json], ...] = ()
    model: str | None = None
    base_url: str | None = None


def plan_cases(source: Path | None, mapping: Mapping[str, str] | None = None) -> CasePlan:
    """Read the cases of a new task, or take samples where there is no file.

    Args:
        source: a table (.csv, .tsv, .json, .jsonl, .ndjson, .parquet).
        mapping: what columns are where the guess by their names is wrong, as in `plan_import`.

    Raises EvalSetError or ConfigError in one line for what cannot be read, and for a file of
    another tool, with the command that reads it.
    """
    if source is None:
        if mapping:
            raise ConfigError("--map says what columns of a file are; name it with --cases")
        return _case_plan(None, _sample_rows(), {}, ["12 made-up cases stand in for yours"])
    plan = _read(source, mapping or {})
    notes = [note for note in plan.imported.notes if "`equals` is a guess" not in note]
    columns = plan.imported.mapping
    keep = "checks" in columns.values()
    shared = list(plan.imported.checks) if keep else []
    rows = [(item.at, _row(item.row, shared, keep=keep)) for item in plan.imported.rows]
    return _case_plan(source, rows, columns, notes)


def _read(source: Path, mapping: Mapping[str, str]) -> ImportPlan:
    if (
        source.is_file()
        and source.suffix.lower() not in SUFFIXES
        and not recognised_formats(source)
    ):
        raise EvalSetError(
            f"{source}: the format is not recognised; tables are {', '.join(SUFFIXES)} files, and "
            "promptyard evalset import reads those of other tools"
        )
    found = plan_import(source) if not mapping else None
    if found is not None and TABLE not in found.formats:
        raise ConfigError(
            f"{source}: this is a file of {found.formats[0]}; read it with: promptyard evalset "
            f"import {source} --to DIR"
        )
    try:
        return plan_import(source, format_name=TABLE, mapping=mapping)
    except EvalSetError:
        if found is not None and found.formats[0] != TABLE:
            raise ConfigError(
                f"{source}: this looks like a file of {found.formats[0]}; read it with: promptyard "
                f"evalset import {source} --to DIR"
            ) from None
        raise


def _row(row: Mapping[str, Json], shared: Sequence[Json], *, keep: bool) -> Mapping[str, Json]:
    own = {key: value for key, value in row.items() if key != "checks"}
    if keep and (checks := [*shared, *row.get("checks", ())]):
        own["checks"] = checks
    return ordered_row(own)


def _sample_rows() -> list[tuple[str, Mapping[str, Json]]]:
    texts = [(text, label) for label, group in SAMPLES.items() for text in group]
    return [
        (f"sample {n}", {"input": {"message": text}, "expected": label})
        for n, (text, label) in enumerate(texts, 1)
    ]


def _case_plan(
    source: Path | None,
    rows: Sequence[tuple[str, Mapping[str, Json]]],
    mapping: Mapping[str, str],
    notes: Sequence[str],
) -> CasePlan:
    said = list(notes)
    labelled = [item for item in rows if item[1].get("expected") is not None]
    others = [item for item in rows if item[1].get("expected") is None]
    kept, apart = (labelled, others) if labelled and others else (rows, [])
    if apart:
        said.append(
            f"{len(apart):,} of {len(rows):,} rows have no expected value; they are kept in "
            f"{UNLABELLED}, which the task does not read"
        )
    kind = guess_kind([row.get("expected") for _, row in kept])
    shares, seed = new_splits([row for _, row in kept], str(source or "samples"))
    if shares is ALL_IN_DEV:
        said.append(FEW)
    return CasePlan(
        source=source,
        rows=tuple(kept),
        unlabelled=tuple(apart),
        mapping=mapping,
        notes=tuple(said),
        kind=kind,
        variables=_variables([row for _, row in kept]),
        shares=shares,
        seed=seed,
    )


def _variables(rows: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    """Return the variables that all cases have."""
    return tuple(name for name in rows[0]["input"] if all(name in row["input"] for row in rows))


def default_prompt(kind: AnswerKind) -> str:
    """Return the sentence that a prompt starts with where none was given."""
    return {
        "label": "Sort the message into one of the labels.",
        "number": "Work out the number that is asked for.",
        "object": "Read the input and fill in the fields.",
        "list": "Read the input and list what is asked for.",
    }.get(kind.kind, "Answer the question.")


def refuse_existing(folder: Path, source: Path | None, *, force: bool) -> None:
    """Refuse a folder that has a file which would be written. Raises ConfigError naming it."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: this is a file; name a folder")
    if force:
        return
    for name in (TASK, PROMPT, CASES, SCHEMA, UNLABELLED):
        file = folder / name
        if file.exists() and not _same(file, source):
            raise ConfigError(
                f"{file}: is there already; --force overwrites it, or name another folder"
            )


def _same(file: Path, source: Path | None) -> bool:
    return source is not None and source.exists() and file.resolve() == source.resolve()


def write_task(
    plan: TaskPlan, folder: Path, *, force: bool = False
) -> tuple[list[Path], TaskCheck]:
    """Try the task in a folder of its own, then write its files; returns them and what was found.

    The file of cases is left alone where it is the one that the cases were read from. Raises the
    error of the first thing that is wrong, and has then written nothing.
    """
    refuse_existing(folder, plan.cases.source, force=force)
    files = task_files(plan)
    found = _tried(files, plan.cases.source)
    written: list[Path] = []
    for name, text in files.items():
        if name == CASES and _same(folder / name, plan.cases.source) and not force:
            continue
        write_text(folder / name, text)
        written.append(folder / name)
    return written, found


def task_files(plan: TaskPlan) -> dict[str, str]:
    """Write the files of a task, by name. Raises ConfigError for a variable that no case has."""
    cases = plan.cases
    files = {
        TASK: task_file(
            name=plan.name,
            n_cases=len(cases.rows),
            source=cases.source.name if cases.source else None,
            kind=cases.kind,
            checks=plan.checks or ((*cases.kind.checks,) if not cases.has_checks else ()),
            is_given=bool(plan.checks),
            splits=None if cases.shares is None else {"seed": cases.seed, **cases.shares},
            model=plan.model,
            base_url=plan.base_url,
        ),
        PROMPT: prompt_file(plan.prompt, cases.variables, cases.kind, _no_variable),
        CASES: jsonl_text(cases.rows),
    }
    if cases.kind.json_schema is not None:
        files[SCHEMA] = schema_file(cases.kind)
    if cases.unlabelled:
        files[UNLABELLED] = jsonl_text(cases.unlabelled)
    return files


def _no_variable(name: str, variables: Sequence[str]) -> ConfigError:
    return ConfigError(
        f"--prompt: {{{{{one_line(name)}}}}} is no variable of all cases{nearest(name, variables)}"
    )


def _tried(files: Mapping[str, str], source: Path | None) -> TaskCheck:
    """Load and check a task in a folder that is then removed; its name stays out of errors."""
    folder = Path(tempfile.mkdtemp(prefix="promptyard-init-"))
    try:
        for name, text in files.items():
            write_text(folder / name, text)
        return check(load_task(folder))
    except PromptyardError as error:
        said = str(error).replace(f"{folder}/", "").replace(str(folder), str(source or "here"))
        raise type(error)(said) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
