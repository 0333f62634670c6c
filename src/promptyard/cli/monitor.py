"""`promptyard monitor`: what live traffic looks like, and whether it left its limits or drifted."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptyard.cli.draw import console, print_json, progress_sink, table
from promptyard.cli.optimize import GATE_EXITS, INTERRUPTED, task_folder
from promptyard.cli.options import AsJson, BaseUrl, JudgeModel, Model, StoreUrl, TaskPath

if TYPE_CHECKING:
    from promptyard.records.monitoring import MonitorReport

app = typer.Typer(no_args_is_help=True, help="Watch live traffic: limits, drift, anchors, alerts.")

UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
Name = Annotated[str, typer.Argument(help="The prompt's name (the task's).", show_default=False)]
Window = Annotated[str, typer.Option(help="Length of the window: 30m, 6h, 1d ...")]


@app.command("look")
def look_command(
    name: Name,
    window: Window = "1d",
    reference: Annotated[
        str, typer.Option(help="Length of the window before it, to compare with.")
    ] = "7d",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="error_rate, hard_failure_rate, latency_p95_s, cost_usd, or score (a lower one); "
            "`none` takes a limit away.",
        ),
    ] = None,
    min_outcomes: Annotated[
        int, typer.Option(min=1, help="Below this a window says nothing.")
    ] = 50,
    every: Annotated[
        str | None, typer.Option(help="Look again and again, this far apart, until Ctrl-C.")
    ] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Look at the last window of traffic: each version, its limits, and drift.

    Exit codes: 0 no alert, 1 alert, 3 too little traffic, 2 error.
    """
    from promptyard.line.monitoring import look_at_traffic
    from promptyard.line.sync import run_sync
    from promptyard.records.monitoring import MonitorPlan

    plan = MonitorPlan.model_validate(
        {
            "window_s": seconds(window, "--window"),
            "reference_s": seconds(reference, "--reference"),
            "min_outcomes": min_outcomes,
            "limits": limits_of(limit or []),
        }
    )
    pause_s = None if every is None else seconds(every, "--every")
    while True:
        found = run_sync(look_at_traffic(store, name, plan))
        if as_json:
            print_json(found.model_dump(mode="json"))
        else:
            draw(found)
        if pause_s is None:
            raise typer.Exit(GATE_EXITS[found.status])
        try:
            time.sleep(pause_s)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


@app.command("anchors")
def anchors_command(
    task: TaskPath = Path(),
    pointer: Annotated[
        str, typer.Option(help="Which version answers: a pointer or a number.")
    ] = "production",
    model: Model = None,
    judge_model: JudgeModel = None,
    base_url: BaseUrl = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Ask fixed cases again: if they moved, model or judge did, and not the users.

    Anchors are the dev cases with the tag `anchor`, else 30 of them. Costs their calls each time.
    Exit codes: 0 as at first, 1 moved, 2 error.
    """
    from promptyard.line.anchors import run_anchors
    from promptyard.line.sync import run_sync
    from promptyard.line.task import Models, load_task
    from promptyard.line.wiring import store_address

    loaded = load_task(task, models=Models(task=model, judge=judge_model, base_url=base_url))
    url = store_address(store, task_folder(task))
    with progress_sink(quiet=as_json) as sink:
        found = run_sync(run_anchors(loaded, pointer=pointer, store=url, on_progress=sink))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        console().print(f"{found.prompt} v{found.version}: {found.sentence}", markup=False)
    raise typer.Exit(GATE_EXITS[found.status])


@app.command("alerts")
def alerts_command(
    name: Name,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """List the alerts on record, newest first."""
    from promptyard.line.monitoring import list_alerts
    from promptyard.line.sync import run_sync

    found = run_sync(list_alerts(store, name, limit))
    if as_json:
        print_json([item.model_dump(mode="json") for item in found])
        return
    if not found:
        console().print("no alert is on record", markup=False)
        return
    rows = [
        (item.at[:16].replace("T", " "), item.kind, item.cause.replace("_", " "), item.sentence)
        for item in found
    ]
    console().print(table(name, ("when", "kind", "who moved", "what"), rows))


def draw(found: MonitorReport) -> None:
    """Draw each version, what drifted, and the sentence."""
    from promptyard.reports.rollout import unjoined_text

    out = console()
    rows = [
        (
            f"v{item.version}" + (f" {item.arm}" if item.arm else ""),
            f"{item.n_outcomes:,}",
            _percent(item.score),
            _share(item.n_errors, item.n_outcomes),
            _share(item.n_hard_failures, item.n_looked_at),
            _latency(item.latency_p50_s, item.latency_p95_s, item.latency_p99_s),
            "–" if item.tokens is None else f"{item.tokens:,.0f}",
            "–" if item.cost_usd is None else f"{item.cost_usd:.4g}",
        )
        for item in found.windows
    ]
    columns = (
        "version",
        "outcomes",
        "score",
        "errors",
        "unusable",
        "p50/p95/p99 s",
        "tokens",
        "USD",
    )
    title = f"{found.prompt}, the last {_length(found.plan.window_s)}"
    out.print(table(title, columns, rows, right=(1, 2, 3, 4, 6, 7)))
    if found.drifts:
        drifts = [
            (
                item.what,
                "all" if item.version is None else f"v{item.version}",
                f"{item.value:.3f}",
                "too few" if item.limit is None else f"{item.limit:.3f}",
                f"{item.n_reference:,} / {item.n:,}",
                "DRIFT" if item.is_drift else "",
                item.most_changed if item.is_drift else "",
            )
            for item in found.drifts
        ]
        columns = ("what", "version", "value", "limit", "values", "", "most changed")
        out.print(table("Against the window before", columns, drifts, right=(2, 3)))
    for alert in found.alerts:
        out.print(f"alert: {alert.sentence}", style="bold red", markup=False)
    if found.n_unjoined:
        out.print(unjoined_text(found.n_unjoined), style="yellow", markup=False)
    if found.unrecorded:
        out.print(f"not recorded: {found.unrecorded}", style="yellow", markup=False)
    out.print(found.sentence, markup=False)


def seconds(text: str, option: str) -> float:
    """Read a length such as `90s`, `30m`, `6h` or `7d`. Raises ConfigError."""
    from promptyard.errors import ConfigError

    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None or float(found[1]) == 0:
        raise ConfigError(f"{option} {text}: expected a length such as 30m, 6h or 1d")
    return float(found[1]) * UNITS_S[found[2]]


def limits_of(given: list[str]) -> dict[str, float | None]:
    """Read `NAME=VALUE` options. Raises ConfigError naming the nearest limit."""
    import difflib

    from promptyard.errors import ConfigError
    from promptyard.records.monitoring import MonitorLimits

    known = tuple(MonitorLimits.model_fields)
    limits: dict[str, float | None] = {}
    for item in given:
        name, _, value = item.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"--limit {item}: there is no limit '{name}'; {hint}")
        try:
            limits[name] = None if value == "none" else float(value)
            MonitorLimits.model_validate(limits)
        except ValueError:
            raise ConfigError(
                f"--limit {item}: expected a number in range after `{name}=`, or `none`"
            ) from None
    return limits


def _share(n_bad: int, n: int) -> str:
    return "–" if not n else f"{100 * n_bad / n:.1f} %"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _latency(*values: float | None) -> str:
    return (
        "–"
        if values[0] is None
        else "/".join(f"{value:.2f}" for value in values if value is not None)
    )


def _length(length_s: float) -> str:
    unit = next(name for name in ("d", "h", "m", "s") if length_s >= UNITS_S[name] or name == "s")
    return f"{length_s / UNITS_S[unit]:g} {unit}"
