"""Eval sets of other tools in, ours out: what would be read is planned first, then written."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path

from promptyard.config import load_task_config
from promptyard.errors import ConfigError, EvalSetError
from promptyard.evalset.export import EXPORTERS
from promptyard.evalset.exported import Exported, ExportSource
from promptyard.evalset.foreign import FOREIGN_IMPORTERS, recognised_formats
from promptyard.evalset.foreign import table as tables
from promptyard.evalset.native_rows import jsonl_text, ordered_row
from promptyard.evalset.raw_rows import SUFFIXES
from promptyard.evalset.wording import one_line
from promptyard.evalset.yaml_text import yaml_text
from promptyard.line.answer_kind import guess_kind
from promptyard.line.column_guess import likely_expected
from promptyard.line.judges import no_judge
from promptyard.line.new_task_arguments import near_file
from promptyard.line.new_task_files import flow
from promptyard.line.new_task_splits import splits_where_needed
from promptyard.line.task import Task
from promptyard.line.wiring import build_foreign_importer, project_config
from promptyard.metrics import METRICS
from promptyard.metrics.build import canonical_name
from promptyard.plugins import resolve
from promptyard.records.base import Json, Record
from promptyard.records.cases import CheckSpec
from promptyard.records.imported import ImportedRow, ImportedSet

CASES, TASK, PROMPT = "cases.jsonl", "task.yaml", "prompt.md"
LINES = (".jsonl", ".ndjson")
MAX_MODELS = 5
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class ImportPlan(Record):
    """What reading a file gives, before anything is written.

    `formats` are those that recognise the file, the one that was taken first. `guessed` says that
    the format or the meaning of columns was guessed, which a person should confirm.
    """

    path: str
    formats: tuple[str, ...]
    guessed: bool
    imported: ImportedSet


def plan_import(
    path: Path, *, format_name: str | None = None, mapping: Mapping[str, str] | None = None
) -> ImportPlan:
    """Read a file of another tool, or a table. Writes nothing and costs no call.

    Args:
        path: the file.
        format_name: a name of `FOREIGN_IMPORTERS`, of a plugin, or `table`; guessed by default.
        mapping: what columns of a table are, where the guess is wrong: `input`, `input.<name>`,
            `expected` or another key of a case, or `-` for left out. A mapping means a table.

    Raises EvalSetError in one line with file and place, ConfigError for an unknown format.
    """
    with _readable(path):
        formats = (tables.NAME,) if mapping and format_name is None else _formats(path, format_name)
        if formats[0] == tables.NAME:
            imported = _read_table(path, mapping or {})
            return ImportPlan(
                path=str(path), formats=formats, guessed=not mapping, imported=imported
            )
        if mapping:
            raise ConfigError(f"--map is for tables; the format '{formats[0]}' knows its fields")
        imported = build_foreign_importer(formats[0]).read(path)
    return ImportPlan(
        path=str(path), formats=formats, guessed=format_name is None, imported=imported
    )


def _read_table(path: Path, given: Mapping[str, str]) -> ImportedSet:
    """Read a table by names and values of its columns; what was said of them stands."""
    columns = tables.checked_mapping(path, tables.guess_columns(path), given)
    imported = tables.read_table(path, columns)
    column = likely_expected(imported, given)
    if column is None:
        return imported
    imported = tables.read_table(path, {**columns, column: "expected"})
    note = (
        f"'{one_line(column)}' is taken for what is expected, since its values are few; otherwise: "
        f"--map {shlex.quote(f'{one_line(column)}=input.NAME')}"
    )
    return imported.model_copy(update={"notes": (*imported.notes, note)})


@contextlib.contextmanager
def _readable(path: Path) -> Generator[None]:
    try:
        if path.is_dir():
            raise EvalSetError(f"{path}: this is a folder; name the file")
        yield
    except FileNotFoundError as error:
        missing = Path(error.filename or path)
        raise EvalSetError(f"{missing}: there is no such file{near_file(missing)}") from None
    except OSError as error:
        raise EvalSetError(f"{path}: cannot be read: {error.strerror}") from None


def _formats(path: Path, format_name: str | None) -> tuple[str, ...]:
    if format_name is not None:
        plain = format_name.strip().replace("-", "_").lower()
        return (plain if plain == tables.NAME else format_name,)
    found = list(recognised_formats(path))
    if path.suffix.lower() in SUFFIXES:
        found.append(tables.NAME)
    if not found:
        known = ", ".join((*FOREIGN_IMPORTERS, tables.NAME))
        raise EvalSetError(
            f"{path}: the format is not recognised; say which it is with --from ({known})"
        )
    return tuple(found)


def import_summary(
    plan: ImportPlan, *, target: Path | None = None, n_samples: int = 3
) -> dict[str, Json]:
    """Sum up a plan as plain data: format, fields, counts, what cannot be run, a few cases.

    `target` is where it would be written: whether a judge is named is looked up there.
    """
    imported = plan.imported
    judged = _judged(imported.check_counts())
    lacks_judge = judged and not _names_judge(target)
    rows = imported.rows_with_all_checks()
    skips = imported.skip_counts()
    return {
        "file": plan.path,
        "format": plan.formats[0],
        "could_also_be": list(plan.formats[1:]),
        "guessed": plan.guessed,
        "mapping": dict(imported.mapping),
        "n_cases": len(rows),
        "n_left_out": imported.n_left_out,
        "n_without_checks": sum(not item.row.get("checks") for item in rows),
        "checks": dict(imported.check_counts()),
        "n_skipped": sum(skips.values()),
        "skipped": dict(skips),
        "n_prompts": len(imported.prompts),
        "models": list(imported.models),
        "notes": [*imported.notes, *([no_judge(judged)] if lacks_judge else [])],
        "sample": [ordered_row(item.row) for item in rows[:n_samples]],
    }


def _judged(types: Iterable[str]) -> tuple[str, ...]:
    """Return the built-in checks among these types that ask a judge, as they are written."""
    factories = {name: METRICS.get(canonical_name(name.removeprefix("not:"))) for name in types}
    return tuple(name for name, made in factories.items() if getattr(made, "asks_judge", False))


def _names_judge(target: Path | None) -> bool:
    folder = target.parent if target is not None and target.suffix.lower() in LINES else target
    if project_config(folder).models.judge:
        return True
    with contextlib.suppress(ConfigError):  # no task yet, or one that `check` says is broken
        return folder is not None and load_task_config(folder).models.judge is not None
    return False


def write_import(plan: ImportPlan, target: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write what was read; returns the files that were written.

    A target that ends with .jsonl is a file of cases. Else it is a folder: where it has no task
    yet it becomes one, with cases.jsonl, task.yaml and prompt.md; in the folder of a task only
    cases.jsonl is written, with the shared checks in each case. With `force` cases may be
    overwritten; task.yaml and prompts never are.

    Raises EvalSetError naming the file where one is there already.
    """
    imported = plan.imported
    if target.suffix.lower() in LINES:
        files = {target: _cases_text(imported.rows_with_all_checks())}
    elif (target / TASK).exists():
        files = {target / CASES: _cases_text(imported.rows_with_all_checks())}
    else:
        files = _task_files(plan, target)
    for file in files:
        if file.exists() and not (force and file.suffix.lower() in LINES):
            how = "; --force overwrites it" if file.suffix.lower() in LINES else ""
            raise EvalSetError(f"{file}: is there already{how}; write to another place with --to")
    for file, text in files.items():
        write_text(file, text)
    return tuple(files)


def _cases_text(rows: Sequence[ImportedRow]) -> str:
    return jsonl_text((item.at, item.row) for item in rows)


def _task_files(plan: ImportPlan, folder: Path) -> dict[Path, str]:
    imported = plan.imported
    prompts = imported.prompts or (_first_prompt(imported),)
    files = {folder / CASES: _cases_text(imported.rows)}
    task: dict[str, Json] = {"prompt": PROMPT, "cases": CASES}
    if has_checks(imported):
        task["checks"] = [dict(check) for check in imported.checks]
    splits = splits_where_needed([item.row for item in imported.rows], plan.path)
    if splits is not None:
        task["splits"] = dict(splits)
    origin = f"# Imported from {one_line(Path(plan.path).name)} ({imported.format}).\n"
    models = "".join(f"# models: {{task: {flow(name)}}}\n" for name in imported.models[:MAX_MODELS])
    files[folder / TASK] = origin + yaml_text(task) + models + _proposed_checks(imported)
    for number, text in enumerate(prompts, 1):
        files[folder / (PROMPT if number == 1 else f"prompt-{number}.md")] = text
    return files


def _proposed_checks(imported: ImportedSet) -> str:
    """Write as comments the checks that a set without any could begin with."""
    if has_checks(imported):
        return ""
    expected = [item.row.get("expected") for item in imported.rows]
    checks = [check for check in guess_kind(expected).checks if check["type"] != "json_schema"]
    listed = "".join(f"  # - {flow(check)}\n" for check in checks)
    return (
        "# Nothing says how an answer is graded; remove the # of a check to begin with.\n"
        f"checks:\n{listed}"
    )


def has_checks(imported: ImportedSet) -> bool:
    """Say whether any case has a check, its own or a shared one."""
    return bool(imported.check_counts())


def _first_prompt(imported: ImportedSet) -> str:
    """Write a prompt that shows the variables which all cases have, and asks nothing yet."""
    names = [name for name in imported.rows[0].row["input"] if _NAME.fullmatch(name)]
    shared = [name for name in names if all(name in item.row["input"] for item in imported.rows)]
    if len(shared) == 1:
        return f"user:\n{{{{{shared[0]}}}}}\n"
    lines = "\n".join(f"{name}: {{{{{name}}}}}" for name in shared or names)
    return f"user:\n{lines}\n"


def export_task(task: Task, format_name: str) -> Exported:
    """Write a task's eval set in a format of `EXPORTERS`. Raises ConfigError for an unknown one."""
    export = resolve("exporters", format_name, EXPORTERS)
    checks = [item for item in task.metrics if isinstance(item, str | CheckSpec)]
    exported = export(
        ExportSource(
            name=task.name,
            cases=task.eval_set.cases,
            checks=tuple(CheckSpec(type=c) if isinstance(c, str) else c for c in checks),
            prompts=tuple(step.prompt.text for step in task.program.steps),
        )
    )
    n_code = len(task.metrics) - len(checks)
    said = (f"{n_code} metrics are code and were left out",) if n_code else ()
    return exported.model_copy(update={"notes": (*exported.notes, *said)})


def write_export(exported: Exported, target: Path, *, force: bool = False) -> None:
    """Write an export to a file. Raises EvalSetError where it is there already, unless forced."""
    if target.exists() and not force:
        raise EvalSetError(f"{target}: is there already; --force overwrites it")
    write_text(target, exported.text)


def write_text(file: Path, text: str) -> None:
    """Write a file at once: it has all of the text or is not there. Makes its folder.

    Raises EvalSetError where that cannot be done.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EvalSetError(f"{file}: cannot be written: {error.strerror}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
