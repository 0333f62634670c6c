"""`promptyard traces triage`: a person says which live failures become cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json
from promptyard.cli.label_keys import Keys, keys
from promptyard.cli.options import AsJson, StoreUrl, TaskPath
from promptyard.cli.person import present_user
from promptyard.errors import EvalSetError
from promptyard.reports.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from promptyard.line.case_files import Change
    from promptyard.line.triage import Triage, TriageItem
    from promptyard.records.base import Json

MAX_SHOWN = 4_000
HELP = "c case  g case with the right answer  n no failure  s skip  q quit and save"


def command(
    task: TaskPath = Path(),
    below: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Scores below this failed; default: pass_at of the task."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most failures to look at.")] = 200,
    by: Annotated[str | None, typer.Option(help="Your name; default: the user's.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Look at what failed in live traffic; what you confirm becomes cases of the task.

    Keys on a terminal, lines of commands (`c TAG TAG`, `g ANSWER`, `n`, `s`, `q`) from a pipe.
    Ctrl-C loses nothing: answers are kept in triage.jsonl beside the task. Costs no call.
    """
    from promptyard.line.sync import run_sync
    from promptyard.line.triage import open_triage, save_triage

    triage = run_sync(open_triage(task, store=store, below=below, limit=limit))
    try:
        with keys() as answers:
            _walk(triage, answers, console(stderr=as_json), by or present_user())
    except KeyboardInterrupt:
        typer.echo("\nstopped; your answers are kept, the same command goes on here", err=True)
        raise typer.Exit(130) from None
    change = run_sync(save_triage(triage))
    if as_json:
        print_json(_plain(triage, change))
        return
    _draw(change, task)


def _walk(triage: Triage, answers: Keys, out: Console, by: str) -> None:
    out.print(f"{len(triage.items):,} failures to look at, as {by}", markup=False)
    if triage.n_without_inputs:
        out.print(
            f"{triage.n_without_inputs:,} more failures have no stored inputs; "
            "content=True in the client stores them",
            style="yellow",
            markup=False,
        )
    if triage.n_in_eval_set:
        out.print(
            f"{triage.n_in_eval_set:,} more failing inputs are cases of the eval set already",
            markup=False,
        )
    if triage.items:
        out.print(HELP, markup=False)
    for number, item in enumerate(triage.items, 1):
        _show(item, f"{number}/{len(triage.items)}", out)
        if not _answered(triage, item, answers, out, by):
            return


def _answered(triage: Triage, item: TriageItem, answers: Keys, out: Console, by: str) -> bool:
    """Do what the next command says; False to quit."""
    while True:
        key, argument = answers.command()
        if key == "c" and item.needs_gold:
            out.print("the task's checks cannot grade it without the right answer: use g")
            continue
        if key == "c":
            triage.answer(item, by=by, is_failure=True, tags=(argument or "").split())
        elif key == "g":
            text = argument if argument is not None else answers.text(item.failure.output or "")
            if not text:
                out.print("no answer given; still to be answered", markup=False)
                continue
            try:
                triage.answer(item, by=by, is_failure=True, expected=_gold(text))
            except EvalSetError as error:
                out.print(f"{visible(str(error))}; still to be answered", markup=False)
                continue
        elif key == "n":
            triage.answer(item, by=by, is_failure=False)
        elif key == "q":
            return False
        elif key != "s":
            out.print(HELP, markup=False)
            continue
        return True


def _gold(text: str) -> Json:
    """Read JSON objects and arrays as such; everything else is text, as it stands."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text.rstrip("\n")
    return text.rstrip("\n")


def _show(item: TriageItem, place: str, out: Console) -> None:
    failure = item.failure
    times = "once" if failure.n == 1 else f"{failure.n:,} times"
    why = "; ".join(failure.reasons)
    out.rule(f"{place}  v{failure.version}, {times}: {visible(why)}", align="left")
    for name, value in failure.inputs.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        out.print(f"{name}: {visible(shown[:MAX_SHOWN])}", markup=False)
    if failure.output is not None:
        out.print(f"answer: {visible(failure.output[:MAX_SHOWN])}", markup=False)
    for finding in item.findings:
        out.print(f"check: {visible(finding)}", style="yellow", markup=False)


def _plain(triage: Triage, change: Change | None) -> dict[str, Json]:
    return {
        "n_failures": len(triage.items),
        "n_without_inputs": triage.n_without_inputs,
        "n_in_eval_set": triage.n_in_eval_set,
        "n_answered": len(triage.answers),
        "change": None if change is None else change.model_dump(mode="json"),
    }


def _draw(change: Change | None, task: Path) -> None:
    out = console()
    if change is None:
        out.print("nothing was added to the eval set", markup=False)
        return
    out.print(f"{change.change}: eval set {change.version}", markup=False)
    out.print(f"next: promptyard optimize {task}", markup=False)
