"""`promptyard canary`: put a version on a part of the traffic, and let it prove itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from promptyard.cli import canary_score, canary_ticks, canary_views
from promptyard.cli.canary_options import Anywhere, Name, PointerName, Reason, RolloutName
from promptyard.cli.draw import console, print_json
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.person import Actor, acting
from promptyard.cli.prompts_moves import warn_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from promptyard.line.rollouts import Decided

app = typer.Typer(
    no_args_is_help=True, help="Release a version on a part of the traffic, step by step."
)
app.command("tick")(canary_ticks.tick_command)
app.command("watch")(canary_ticks.watch_command)
app.command("replay")(canary_ticks.replay_command)
app.command("score")(canary_score.score_command)
app.command("status")(canary_views.status_command)
app.command("list")(canary_views.list_command)

Version = Annotated[
    str,
    typer.Option("--version", help="The new version: a number, a pointer, or `latest`."),
]
TaskFolder = Annotated[
    Path | None,
    typer.Option("--task", help="Take the plan from `release` in this task's task.yaml."),
]
Mode = Annotated[
    Literal["split", "shadow"] | None,
    typer.Option(help="`split` subjects between the versions, or run both (`shadow`)."),
]
Steps = Annotated[str | None, typer.Option(help="Percent of the subjects, as 2,10,25,50,100.")]
Guards = Annotated[
    list[str] | None,
    typer.Option(
        "--guard",
        help="What must not get worse, as `score` or `score=0.05`; repeat it for several.",
    ),
]
MinSubjects = Annotated[
    int | None, typer.Option(help="New subjects an arm that each step needs, 2 or more.")
]
MinStep = Annotated[str | None, typer.Option(help="How long each step lasts at least, as 1h.")]
MaxAge = Annotated[
    str | None, typer.Option(help="After this time without proof it is rolled back, as 7d.")
]
OutcomeWindow = Annotated[
    str | None, typer.Option(help="After this time a subject's outcome is missing, as 10m.")
]
Alpha = Annotated[
    float | None, typer.Option(help="Chance of a wrong end, at most; above 0 and below 0.5.")
]


@app.command("start")
def start_command(  # noqa: PLR0917 (typer reads options from parameters)
    name: Name,
    version: Version = "latest",
    pointer: Annotated[
        str, typer.Option("--pointer", help="The pointer whose traffic is shared.")
    ] = "production",
    task: TaskFolder = None,
    mode: Mode = None,
    steps: Steps = None,
    guards: Guards = None,
    min_subjects: MinSubjects = None,
    min_step: MinStep = None,
    max_age: MaxAge = None,
    outcome_window: OutcomeWindow = None,
    alpha: Alpha = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Put a version beside the one that a pointer is at, on the first step.

    Behind a protected pointer it waits for the approval of a second person.
    """
    from promptyard.line.rollout_plan import PlanChanges, rollout_plan
    from promptyard.line.rollouts import By, start_rollout
    from promptyard.line.sync import run_sync

    changes = PlanChanges(
        mode=mode,
        steps=steps,
        guards=guards or (),
        min_subjects=min_subjects,
        min_step=min_step,
        max_age=max_age,
        outcome_window=outcome_window,
        alpha=alpha,
    )
    by = By(acting(actor), reason)
    plan = rollout_plan(task, changes)
    decided = run_sync(start_rollout(store, name, version, pointer=pointer, plan=plan, by=by))
    _show(decided, as_json=as_json)
    if not as_json:
        waits = decided.decision.state == "awaiting_approval"
        how = f"somebody else runs `promptyard canary approve {name}`"
        watching = f"`promptyard canary watch {name} --spool FOLDER` lets it decide"
        console().print(f"Next: {how if waits else watching}", markup=False, soft_wrap=True)


@app.command("plan")
def plan_command(  # noqa: PLR0917 (typer reads options from parameters)
    name: Name,
    version: Version = "latest",
    pointer: Annotated[str, typer.Option("--pointer", help="The pointer.")] = "production",
    traffic: Annotated[
        str | None, typer.Option(help="New subjects a day, enrolled or not, as 5000/day.")
    ] = None,
    task: TaskFolder = None,
    mode: Mode = None,
    steps: Steps = None,
    guards: Guards = None,
    min_subjects: MinSubjects = None,
    min_step: MinStep = None,
    max_age: MaxAge = None,
    alpha: Alpha = None,
    score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The mean live score that is expected.")
    ] = 0.8,
    failing: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of hard failures expected.")
    ] = 0.01,
    correlation: Annotated[
        float, typer.Option(help="Of both versions on one input; what shadow mode gains by.")
    ] = 0.5,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Say how many subjects and days a rollout will take, before it is started."""
    from promptyard.line.rollout_plan import (
        PlanChanges,
        expectation,
        plan_for,
        rollout_plan,
        traffic_per_day,
    )
    from promptyard.line.sync import run_sync

    changes = PlanChanges(
        mode=mode,
        steps=steps,
        guards=guards or (),
        min_subjects=min_subjects,
        min_step=min_step,
        max_age=max_age,
        alpha=alpha,
    )
    plan = rollout_plan(task, changes)
    planned = run_sync(
        plan_for(
            store,
            name,
            reference=version,
            pointer=pointer,
            plan=plan,
            expected=expectation(plan, score=score, failing=failing, correlation=correlation),
            subjects_per_day=None if traffic is None else traffic_per_day(traffic),
        )
    )
    canary_views.show_planned(planned, plan, as_json=as_json)


@app.command("approve")
def approve_command(
    name: RolloutName,
    pointer: PointerName = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody else's rollout behind a protected pointer run."""
    from promptyard.line.rollouts import approve_rollout

    _decide(approve_rollout, Anywhere(store, name, pointer), acting(actor), reason, as_json=as_json)


@app.command("pause")
def pause_command(
    name: RolloutName,
    pointer: PointerName = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let nothing be decided for now; subjects stay in their arms."""
    from promptyard.line.rollouts import pause_rollout

    _decide(pause_rollout, Anywhere(store, name, pointer), acting(actor), reason, as_json=as_json)


@app.command("resume")
def resume_command(
    name: RolloutName,
    pointer: PointerName = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let a paused rollout be decided on again."""
    from promptyard.line.rollouts import resume_rollout

    _decide(resume_rollout, Anywhere(store, name, pointer), acting(actor), reason, as_json=as_json)


@app.command("abort")
def abort_command(
    name: RolloutName,
    pointer: PointerName = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """End a rollout without a verdict; everybody gets the old version again."""
    from promptyard.line.rollouts import abort_rollout

    _decide(abort_rollout, Anywhere(store, name, pointer), acting(actor), reason, as_json=as_json)


@app.command("rollback")
def rollback_command(
    name: RolloutName,
    pointer: PointerName = None,
    reason: Reason = "",
    actor: Actor = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Take the new version back: end its rollout or, after its promotion, move the pointer back.

    Needs no approval, no gate and no model.
    """
    from promptyard.line.rollouts import roll_back_rollout

    _decide(
        roll_back_rollout, Anywhere(store, name, pointer), acting(actor), reason, as_json=as_json
    )


def _decide(
    verb: Callable[..., Coroutine[Any, Any, Decided]],
    where: Anywhere,
    actor: str,
    reason: str,
    *,
    as_json: bool,
) -> None:
    from promptyard.line.rollouts import By
    from promptyard.line.sync import run_sync

    work = verb(where.store, where.name, pointer=where.pointer, by=By(actor, reason))
    _show(run_sync(work), as_json=as_json)


def _show(decided: Decided, *, as_json: bool) -> None:
    if as_json:
        print_json(decided.model_dump(mode="json"))
    else:
        rollout, decision, move = decided.rollout, decided.decision, decided.move
        if move is not None:
            said = f"{move.pointer} moved from v{move.from_number} back to v{move.to_number}"
        else:
            said = f"{decision.state.replace('_', ' ')}. {decision.sentence}"
        console().print(f"{rollout.prompt}, rollout {rollout.id}: {said}", markup=False)
    warn_of(decided.publication)
