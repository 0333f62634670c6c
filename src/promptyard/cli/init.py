"""`promptyard init`: a new task out of a file of cases and a sentence."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import LOG_WIDTH, console, print_json, table
from promptyard.cli.evalset_files import column_mapping
from promptyard.cli.init_induce import draw_induction, induced, induction_data, refuse_prompt
from promptyard.cli.options import AsJson, OptimizerModel

if TYPE_CHECKING:
    from promptyard.line.check import TaskCheck
    from promptyard.line.model_advice import ModelAdvice
    from promptyard.line.new_task import CasePlan, TaskPlan
    from promptyard.records.base import Json

N_SAMPLES = 3


def command(  # noqa: PLR0917  (typer reads options from parameters)
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder of the new task.")
    ] = Path(),
    cases: Annotated[
        Path | None,
        typer.Option(help="A table of cases: .csv, .tsv, .jsonl, .json or .parquet."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What the model shall do: a sentence, or a file.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The model that is prompted, as provider/model.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Address of a chat-completions server.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the task; by default that of its folder.")
    ] = None,
    checks: Annotated[
        list[str] | None,
        typer.Option("--check", help="A check instead of the guessed ones. Repeatable."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="COLUMN=FIELD of a table; FIELD - leaves out. Repeatable."),
    ] = None,
    induce: Annotated[
        bool, typer.Option("--induce", help="Let a model write the prompt, out of the cases.")
    ] = False,
    optimizer_model: OptimizerModel = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of the task.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a new task: task.yaml, prompt.md and cases.jsonl.

    On a terminal asks for what was not given; elsewhere takes defaults. Nothing is written before
    the whole task has been checked, and no file is overwritten without --force.
    """
    from promptyard.line.model_advice import check_model_name
    from promptyard.line.new_task import refuse_existing, write_task
    from promptyard.line.new_task_arguments import read_prompt_text, require_check_types

    if induce:
        refuse_prompt(prompt)
        prompt = ""  # nobody is asked for it
    asks = not (yes or as_json) and sys.stdin.isatty() and sys.stdout.isatty()
    refuse_existing(folder, cases, force=force)
    if model is not None:
        check_model_name(model)
    require_check_types(checks or ())
    text = None if prompt is None else read_prompt_text(prompt)
    try:
        found = _cases(cases, column_mapping(columns or ()), asks=asks)
        plan = _plan(found, folder, text, model, base_url, name, checks, asks=asks)
    except typer.Abort:
        sys.stderr.write("\nstopped: nothing was written\n")
        raise typer.Exit(130) from None
    induction = None
    if induce:
        plan, induction = induced(plan, folder, optimizer_model)
    written, checked = write_task(plan, folder, force=force)
    advice = _advice(plan, folder)
    if as_json:
        extra = {} if induction is None else {"induced": induction_data(induction)}
        print_json(_data(plan, written, checked, advice) | extra)
    else:
        if not asks:  # drawn only now, so that a mistake is one line and nothing else
            _draw_cases(found)
        if induction is not None:
            draw_induction(induction)
        _draw_written(plan, folder, written, checked, advice)


def _cases(source: Path | None, mapping: Mapping[str, str], *, asks: bool) -> CasePlan:
    """Read the cases; on a terminal until the reading is said to be right."""
    from promptyard.errors import PromptyardError
    from promptyard.line.new_task import plan_cases

    while asks and source is None and not mapping:
        given = typer.prompt("File of cases (.csv, .jsonl ...; none: 12 samples)", default="none")
        if given == "none":
            break
        try:
            _ = plan_cases(Path(given).expanduser())
        except PromptyardError as error:
            sys.stderr.write(f"{error}\n")
            continue
        source = Path(given).expanduser()
    found = plan_cases(source, mapping)
    if asks:
        _draw_cases(found)
    while asks and found.source is not None and not typer.confirm("Is this right?", default=True):
        said = {
            column: typer.prompt(f"{column} is (input.NAME, expected, id, -)", default=field)
            for column, field in found.mapping.items()
        }
        try:
            found = plan_cases(source, said)
        except PromptyardError as error:
            sys.stderr.write(f"{error}\n")
            continue
        _draw_cases(found)
    return found


def _plan(
    found: CasePlan,
    folder: Path,
    prompt: str | None,
    model: str | None,
    base_url: str | None,
    name: str | None,
    checks: Sequence[str] | None,
    *,
    asks: bool,
) -> TaskPlan:
    """Put the plan together out of flags, answers and defaults; every question has a default."""
    from promptyard.line.new_task import TaskPlan, default_prompt
    from promptyard.line.new_task_arguments import read_prompt_text

    guessed = ", ".join(dict.fromkeys(str(check["type"]) for check in found.kind.checks))
    if prompt is None:
        default = default_prompt(found.kind)
        prompt = _asked("What shall the model do", default, read_prompt_text) if asks else default
    if asks and not checks and not found.has_checks:
        answer = _asked("Checks, with commas between them", guessed, _known_checks)
        checks = None if answer == guessed else _parts(answer)
    chosen = model or "none"
    if asks and model is None:
        chosen = _asked("Model as provider/model (none: decide later)", "none", _known_model)
    return TaskPlan(
        name=_named(name, folder.resolve().name or "task", asks=asks),
        cases=found,
        prompt=prompt,
        prompt_is_default=prompt == default_prompt(found.kind),
        checks=tuple({"type": item} for item in checks or () if item),
        model=None if chosen == "none" else chosen,
        base_url=base_url,
    )


def _named(given: str | None, default: str, *, asks: bool) -> str:
    if given is None and asks:
        return str(typer.prompt("Name of the task", default=default))
    return default if given is None else given


def _asked(question: str, default: str, read: Callable[[str], str]) -> str:
    """Ask until `read` takes the answer."""
    from promptyard.errors import PromptyardError

    while True:
        try:
            return read(str(typer.prompt(question, default=default)))
        except PromptyardError as error:
            sys.stderr.write(f"{error}\n")


def _known_model(chosen: str) -> str:
    from promptyard.line.model_advice import check_model_name

    if chosen != "none":
        check_model_name(chosen)
    return chosen


def _known_checks(answer: str) -> str:
    from promptyard.line.new_task_arguments import require_check_types

    require_check_types(_parts(answer))
    return answer


def _parts(answer: str) -> list[str]:
    return [part.strip() for part in answer.split(",") if part.strip()]


def _advice(plan: TaskPlan, folder: Path) -> ModelAdvice:
    from promptyard.line.model_advice import advise
    from promptyard.line.wiring import project_config

    return advise(plan.model, plan.base_url, project_config(folder), os.environ)


def _draw_cases(found: CasePlan) -> None:
    out = console()
    where = str(found.source) if found.source else "no file"
    out.print(f"{where}: {len(found.rows):,} cases", style="bold", markup=False)
    if found.mapping:
        out.print(table("Columns", ("there", "here"), list(found.mapping.items())))
    for _, row in found.rows[:N_SAMPLES]:
        line = json.dumps(row, ensure_ascii=False)
        out.print(line if len(line) <= 2 * LOG_WIDTH else f"{line[: 2 * LOG_WIDTH]}…", markup=False)
    for note in found.notes:
        out.print(f"note: {note}", style="yellow", markup=False)
    types = ", ".join(dict.fromkeys(str(check["type"]) for check in found.kind.checks))
    out.print(f"Guessed: {found.kind.why}. Checks: {types}.", markup=False)


def _draw_written(
    plan: TaskPlan,
    folder: Path,
    written: Sequence[Path],
    checked: TaskCheck,
    advice: ModelAdvice,
) -> None:
    out = console()
    for path in written:
        out.print(f"wrote {path}", markup=False)
    for finding in checked.findings:
        if finding.level == "error":
            out.print(f"error: {finding.message}", style="bold red", markup=False)
    if plan.prompt_is_default:
        out.print(
            f"Prompt: '{plan.prompt}' is a default; say in {folder / 'prompt.md'} what the model "
            "shall do (or with --prompt)",
            markup=False,
            soft_wrap=True,
        )
    out.print(f"Model: {advice.sentence}", markup=False, soft_wrap=True)
    out.print("Next:", style="bold")
    for line in _next(folder, checked, advice):
        out.print(f"  {line}", markup=False, soft_wrap=True)


def _next(folder: Path, checked: TaskCheck, advice: ModelAdvice) -> list[str]:
    import shlex

    where = shlex.quote(str(folder))
    flag = "" if advice.state == "ready" else " --model embedded/lexical"
    steps = [
        f"promptyard check {where}  # what these cases can show; costs no call",
        f"promptyard eval {where}{flag}",
    ]
    if all(finding.code != "empty_split" for finding in checked.findings):
        steps.append(f"promptyard optimize {where}{flag}")
    return steps


def _data(
    plan: TaskPlan, written: Sequence[Path], checked: TaskCheck, advice: ModelAdvice
) -> dict[str, Json]:
    cases = plan.cases
    return {
        "name": plan.name,
        "written": [str(path) for path in written],
        "n_cases": len(cases.rows),
        "n_without_expected": len(cases.unlabelled),
        "mapping": dict(cases.mapping),
        "kind": cases.kind.kind,
        "why": cases.kind.why,
        "prompt_is_default": plan.prompt_is_default,
        "checks": [dict(check) for check in plan.checks or cases.kind.checks],
        "notes": list(cases.notes),
        "findings": [finding.model_dump(mode="json") for finding in checked.findings],
        "model": advice.model_dump(mode="json"),
    }
