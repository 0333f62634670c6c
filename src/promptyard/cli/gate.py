"""`promptyard gate`: may this version replace that one? One verdict, one exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink, table
from promptyard.cli.optimize import GATE_EXITS, INTERRUPTED, task_folder
from promptyard.cli.options import AsJson, BaseUrl, Force, JudgeModel, Model, StoreUrl, TaskPath

if TYPE_CHECKING:
    from promptyard.line.task import Task
    from promptyard.records.verdicts import Claim, GateVerdict, SelfTest

STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def command(  # noqa: PLR0917  (typer reads options from parameters)
    task: TaskPath = Path(),
    candidate: Annotated[
        str, typer.Option(help="The version to judge: a number, a pointer, or `latest`.")
    ] = "latest",
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The version it would replace; by default what is in production, else its parent."
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="Tag of failures that must become fewer; may be given several times."),
    ] = None,
    claim: Annotated[
        str | None,
        typer.Option(help="`better` or `not-worse`; by default what task.yaml says (better)."),
    ] = None,
    self_test: Annotated[
        bool,
        typer.Option("--self-test", help="Show each gate planted regressions; costs no call."),
    ] = False,
    task_calls: Annotated[int | None, typer.Option(min=0, help="Most task calls.")] = None,
    judge_calls: Annotated[int | None, typer.Option(min=0, help="Most judge calls.")] = None,
    model: Model = None,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the verdict as JSON to this file as well.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Judge a registered version against another one on the holdout, by all gates.

    Exit codes: 0 pass, 1 fail, 3 inconclusive, 2 error. The same pair again costs no call.
    """
    from promptyard.line.sync import run_gate
    from promptyard.line.task import Models, load_task
    from promptyard.line.wiring import store_address
    from promptyard.records.budget import Budget

    loaded = load_task(task, models=Models(task=model, judge=judge_model, base_url=base_url))
    if self_test:
        _self_test(loaded, as_json=as_json)
        return
    limited = task_calls is not None or judge_calls is not None
    try:
        with progress_sink(quiet=as_json) as sink:
            found = run_gate(
                loaded,
                candidate,
                baseline,
                targets=target or (),
                claim=_claim(claim),
                budget=Budget(task_calls=task_calls, judge_calls=judge_calls) if limited else None,
                store=store_address(store, task_folder(task)),
                force=force,
                on_progress=sink,
            )
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was answered is stored; run the command again\n")
        raise typer.Exit(INTERRUPTED) from None
    if output is not None:
        from promptyard.cli.optimize import write_text

        text = f"{found.model_dump_json(indent=2)}\n"
        output = write_text(text, output, "; name another file with --output")
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        draw(found)
        if output is not None:
            console().print(f"Verdict as JSON: {output}", markup=False, soft_wrap=True)
    raise typer.Exit(GATE_EXITS[found.status])


def draw(found: GateVerdict) -> None:
    """Draw what each gate said, then the verdict."""
    out = console()
    title = f"{found.prompt}: {found.candidate} against {found.baseline}, looks: {found.looks}"
    rows = [(item.gate, item.status, item.sentence) for item in found.gates]
    out.print(table(title, ("gate", "verdict", "why"), rows))
    for note in found.notes:
        out.print(f"note: {note}", style="dim", markup=False)
    out.print(found.status.upper(), style=STYLES[found.status])


def _claim(given: str | None) -> Claim | None:
    from promptyard.errors import ConfigError

    match given:
        case None:
            return None
        case "better":
            return "better"
        case "not-worse" | "not_worse":
            return "not_worse"
        case _:
            raise ConfigError(f"--claim {given}: expected `better` or `not-worse`")


def _self_test(task: Task, *, as_json: bool) -> None:
    """Run the self-test: 0 all well, 1 a regression got through, 3 nothing sound could pass."""
    from promptyard.line.gating import self_test_gates

    found = self_test_gates(task)
    if as_json:
        print_json(found.model_dump(mode="json") | {"status": found.status})
    else:
        _draw_self_test(found)
    raise typer.Exit(GATE_EXITS[found.status])


def _draw_self_test(found: SelfTest) -> None:
    out = console()
    rows = [
        (item.plant, item.gate, f"blocked: {item.status}" if item.is_blocked else "LET PASS")
        for item in found.planted
    ]
    title = f"Planted regressions on {found.n_cases} holdout cases"
    out.print(table(title, ("regression", "gate", "what it says"), rows))
    if found.sound != "pass":
        out.print(f"A sound candidate, too: {found.sound_sentence}", markup=False)
    said = {
        "pass": "OK: every regression is blocked, and a sound candidate passes.",
        "fail": "NOT OK: a regression got through.",
        "inconclusive": "Every regression is blocked, but so is a sound candidate: more cases, or "
        "wider margins, are needed.",
    }
    out.print(said[found.status], style=STYLES[found.status], markup=False)
