"""The commands of `promptyard prompts` that tell what there is: list, log, lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promptyard.cli.draw import console, print_json, table
from promptyard.cli.options import AsJson, StoreUrl
from promptyard.cli.prompts_moves import number

if TYPE_CHECKING:
    from promptyard.line.prompt_log import PromptLog, PromptSummary, RolloutStatus, VersionScore
    from promptyard.records.versions import Move, PromptVersion

MAX_BUCKETS = 3


def log_command(
    name: Annotated[str | None, typer.Argument(help="The prompt's name.")] = None,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell a prompt's versions, scores, rollouts and moves; without a name, list the names."""
    from promptyard.line.prompt_log import list_prompts, prompt_log
    from promptyard.line.sync import run_sync

    if name is None:
        names = [summary.name for summary in run_sync(list_prompts(store))]
        if as_json:
            print_json(names)
        else:
            console().print("\n".join(names) or "no prompt is registered yet", markup=False)
        return
    log = run_sync(prompt_log(store, name))
    if as_json:
        exclude = {"versions": {"__all__": {"program"}}}
        print_json(log.model_dump(mode="json", exclude=exclude))
        return
    _draw_log(name, log)


def list_command(store: StoreUrl = None, as_json: AsJson = False) -> None:
    """List all prompts: where their pointers are, what rolls out, what moved last."""
    from promptyard.line.prompt_log import list_prompts
    from promptyard.line.sync import run_sync

    found = run_sync(list_prompts(store))
    if as_json:
        print_json([summary.model_dump(mode="json") for summary in found])
        return
    out = console()
    if not found:
        out.print("no prompt is registered yet", markup=False)
        return
    rows = [_summary_row(summary) for summary in found]
    columns = ("prompt", "versions", "pointers", "rollouts", "last move")
    out.print(table("Prompts", columns, rows, right=(1,)))


def lineage_command(
    name: Annotated[
        str, typer.Argument(help="The prompt's name (the task's).", show_default=False)
    ],
    reference: Annotated[
        str, typer.Argument(help="A version number, a pointer, or `latest`.")
    ] = "latest",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a version was made from, by which run, and on what hypothesis."""
    from promptyard.line.prompt_log import version_lineage
    from promptyard.line.sync import run_sync

    line = run_sync(version_lineage(store, name, reference))
    if as_json:
        print_json([version.model_dump(mode="json", exclude={"program"}) for version in line])
        return
    rows = [
        (
            number(version.number),
            number(version.parent),
            version.author,
            version.run_id or "–",
            version.status,
            _scores_text(version),
            version.hypothesis,
        )
        for version in line
    ]
    columns = ("version", "made from", "author", "run", "status", "scores", "hypothesis")
    console().print(table(f"{name}: lineage of v{line[0].number}", columns, rows))


def _draw_log(name: str, log: PromptLog) -> None:
    out = console()
    out.print(_versions_table(name, log))
    if log.scores:
        columns = ("version", "eval set", "split", "score", "cases", "coverage", "model", "fails")
        rows = [_score_row(score) for score in log.scores]
        out.print(table("Scores", columns, rows, right=(3, 4, 5)))
    if log.rollouts:
        columns = ("rollout", "pointer", "control → treatment", "state", "share", "last word")
        rows = [_rollout_row(rollout) for rollout in log.rollouts]
        out.print(table("Rollouts", columns, rows, right=(4,)))
    if log.moves:
        columns = ("when", "kind", "pointer", "from → to", "who", "why")
        out.print(table("Moves", columns, [_move_row(move) for move in log.moves]))
    if log.protected:
        said = f"Protected: {', '.join(log.protected)} (a promotion needs a second name)"
        out.print(said, markup=False)
    if log.requests:
        n_waiting = len(log.requests)
        said = f"{n_waiting} waiting for approval: `promptyard prompts requests {name}`"
        out.print(said, markup=False)


def _versions_table(name: str, log: PromptLog) -> Any:
    from promptyard.reports.figures import percent

    rows = [
        (
            number(version.number),
            number(version.parent),
            version.status,
            percent(version.scores.get("holdout")),
            version.author,
            version.created_at[:10],
            version.digest[:7],
            ", ".join(p.pointer for p in log.pointers if p.number == version.number),
        )
        for version in log.versions
    ]
    columns = (
        "version",
        "made from",
        "status",
        "holdout",
        "author",
        "created",
        "digest",
        "pointers",
    )
    return table(name, columns, rows, right=(3,))


def _score_row(score: VersionScore) -> tuple[str, ...]:
    from promptyard.reports.figures import percent

    place = "" if score.eval_set_number is None else f"@{score.eval_set_number} "
    most = sorted(score.buckets.items(), key=lambda item: -item[1])
    fails = [f"{bucket} {n_cases:,}" for bucket, n_cases in most[:MAX_BUCKETS]]
    if len(most) > MAX_BUCKETS:
        fails.append(f"and {len(most) - MAX_BUCKETS} more")
    return (
        number(score.number),
        f"{place}{score.eval_set_version[:8]}",
        score.split,
        percent(score.score),
        f"{score.n_cases:,}",
        percent(score.coverage),
        score.model,
        ", ".join(fails),
    )


def _rollout_row(rollout: RolloutStatus) -> tuple[str, ...]:
    from promptyard.reports.rollout import outcome_words, share_words

    return (
        rollout.id,
        rollout.pointer,
        f"v{rollout.control} → v{rollout.treatment}",
        outcome_words(rollout.state, rollout.left),
        share_words(rollout.state, rollout.enrolled, rollout.left),
        rollout.sentence,
    )


def _move_row(move: Move) -> tuple[str, ...]:
    by = f"{move.actor}, approved by {move.approved_by}" if move.approved_by else move.actor
    return (
        move.moved_at[:16].replace("T", " "),
        move.kind,
        move.pointer,
        f"{number(move.from_number)} → v{move.to_number}",
        by,
        move.reason,
    )


def _summary_row(summary: PromptSummary) -> tuple[str, ...]:
    pointers = [
        f"{pointer} v{at}" + (" (protected)" if pointer in summary.protected else "")
        for pointer, at in summary.pointers.items()
    ]
    rollouts = [
        f"v{item.treatment} {item.state.replace('_', ' ')} {100 * item.enrolled:.0f} %"
        for item in summary.rollouts
    ]
    last = summary.last_move
    moved = (
        f"{last.moved_at[:16].replace('T', ' ')} {last.pointer} "
        f"{number(last.from_number)} → v{last.to_number} by {last.actor}"
        if last
        else "–"
    )
    return (
        summary.name,
        f"{summary.n_versions:,}",
        ", ".join(pointers) or "–",
        ", ".join(rollouts) or "–",
        moved,
    )


def _scores_text(version: PromptVersion) -> str:
    from promptyard.reports.figures import percent

    splits = {name: score for name, score in version.scores.items() if "." not in name}
    return ", ".join(f"{split} {percent(score)}" for split, score in splits.items())
