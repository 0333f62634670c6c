"""Draws the release of the demo: each decision as it is made, both stories, what was kept."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from promptyard.cli.canary_views import draw_guards
from promptyard.cli.draw import console

if TYPE_CHECKING:
    from rich.console import Console

    from promptyard.line.release_demo import Moment, Release, Story
    from promptyard.records.base import Json
    from promptyard.records.rollouts import Decision, Rollout, RolloutPlan

COLUMNS = "  {:>5}  {:>6}  {:>6}  {:>9}  {:>6}  {:<17}  {}"
NARROW_COLUMNS = "{0:>5}  {1:>6}  {2:>6}  {3:>9}  {4:>6}  {6}"
"""Without the bounds, for terminals of fewer than 80 columns."""

HEAD = ("hour", "share", "users", "new/old", "score", "bounds", "decision")
GUARDED = "score"
WORDS = {"promoted": "Promoted", "rolled_back": "Rolled back", "aborted": "Aborted"}
STYLES = {"promoted": "green", "rolled_back": "red", "aborted": "yellow"}


class ReleaseSink(Protocol):
    """Is told how the rollouts of the demo go."""

    def start(self, rollout: Rollout) -> None:
        """A rollout has been started."""

    def moment(self, moment: Moment) -> None:
        """It was looked at."""


@contextmanager
def release_sink(*, quiet: bool) -> Generator[ReleaseSink]:
    """Yield what draws on stderr: a line a decision, on a terminal a running line beneath."""
    if quiet:
        yield _Silent()
        return
    out = console(stderr=True)
    if not out.is_terminal:
        yield _Drawn(out, None)
        return
    from rich.status import Status

    with Status("", console=out, spinner="dots") as status:
        yield _Drawn(out, status)


class _Silent:
    def start(self, rollout: Rollout) -> None:
        pass

    def moment(self, moment: Moment) -> None:
        pass


class _Drawn:
    """Draws decisions as rows of a table; holds are shown in the running line only."""

    def __init__(self, out: Console, status: object) -> None:
        from rich.status import Status

        self._out = out
        self._columns = COLUMNS if out.width >= 80 else NARROW_COLUMNS
        self._status = status if isinstance(status, Status) else None

    def start(self, rollout: Rollout) -> None:
        new, old = f"v{rollout.treatment}", f"v{rollout.control}"
        out = self._out
        out.print(f"\n{new} beside {old}: {rollout.reason}", style="bold", markup=False)
        out.print(self._columns.format(*HEAD), style="dim", markup=False)
        share = f"{rollout.plan.steps[0]:g} %"
        cells = ("0.0", share, "0", "0/0", "–", "", f"starts at {share}")
        out.print(self._columns.format(*cells), markup=False)

    def moment(self, moment: Moment) -> None:
        last = moment.last
        if self._status is not None:
            self._status.update(_running(moment, self._out.width))
        if moment.decision is None or last.action == "hold":
            return
        style = STYLES.get(last.state, "none")
        line = self._columns.format(*_cells(moment))
        self._out.print(line, style=style, markup=False, soft_wrap=True)


def _cells(moment: Moment) -> tuple[str, ...]:
    from promptyard.line.release_demo import HOUR_S

    last = moment.last
    change, bounds = _score(last)
    ratio = last.ratio
    said = {
        "advance": f"on to {100 * last.enrolled:g} %",
        "promote": f"promoted v{moment.rollout.treatment}",
        "roll_back": f"rolled v{moment.rollout.treatment} back",
    }
    return (
        f"{moment.age_s / HOUR_S:.1f}",
        _share(moment),
        f"{moment.served.n_users:,}",
        "–" if ratio is None else f"{ratio.n_treatment:,}/{ratio.n_control:,}",
        change,
        bounds,
        said.get(last.action, last.action.replace("_", " ")),
    )


def _share(moment: Moment) -> str:
    """Return the share until this decision, which is that of the step before where it advanced."""
    last = moment.last
    step = last.step - (last.action == "advance")
    return f"{moment.rollout.plan.steps[step]:g} %"


def _running(moment: Moment, width: int) -> str:
    from promptyard.line.release_demo import HOUR_S

    last = moment.last
    change, bounds = _score(last)
    ratio = last.ratio
    seen = "0/0" if ratio is None else f"{ratio.n_treatment:,}/{ratio.n_control:,}"
    said = (
        f"hour {moment.age_s / HOUR_S:.0f} · {_share(moment)} of {moment.served.n_users:,} users · "
        f"{seen} in the arms · score {change} {bounds}"
    )
    return said[: width - 4].replace("[", r"\[")


def _score(last: Decision) -> tuple[str, str]:
    """Write the change of the score in points, and its bounds."""
    reading = next((item for item in last.guards if item.dimension == GUARDED), None)
    if reading is None or reading.difference is None:
        return "–", ""
    ends = ["…" if end is None else f"{100 * end:+.1f}" for end in (reading.low, reading.high)]
    bounds = "" if ends == ["…", "…"] else f"{ends[0]} to {ends[1]}"
    return f"{100 * reading.difference:+.1f}", bounds


def introduce_release(n_messages: int, plan: RolloutPlan) -> None:
    """Say what is about to happen, and what stands for what."""
    from promptyard.reports.rollout import guard_amount, guard_name

    out = console(stderr=True)
    allowed = " and ".join(
        f"{guard_name(item.dimension)} ({guard_amount(item.dimension, item.margin).lstrip('+')})"
        for item in plan.guards
    )
    out.print("\nThe release: on live traffic, step by step", style="bold")
    out.print(
        f"An application in a process of its own answers {n_messages:,} held-out messages, drawn "
        "again and again, for made-up users. Its client reads the prompts from a manifest and "
        "writes what came of them to a spool; the checks of the task grade every answer. An hour "
        f"of the plan is one second here. Guarded, with what may be lost: {allowed}. Latency and "
        "cost are not: the embedded model costs nothing and takes longer over a longer prompt. "
        "Differences are new minus old; their bounds hold at every look.",
        markup=False,
    )


def draw_release(release: Release, pages: list[Path]) -> None:
    """Draw both stories with every guard against its margin, and what a replay found."""
    out = console()
    for story, page in zip((release.good, release.damaged), pages, strict=True):
        rollout = story.record.rollout
        out.print()
        out.print(
            f"{WORDS[story.ended_as]}: v{rollout.treatment}",
            style=f"bold {STYLES[story.ended_as]}",
        )
        out.print(story_text(story), markup=False)
        draw_guards(story.record)
        out.print(f"Page: {page}", markup=False, soft_wrap=True)
    n_equal = release.good.n_equal + release.damaged.n_equal
    n_all = release.good.n_replayed + release.damaged.n_replayed
    out.print(
        f"\nReplay: of {n_all:,} decisions, {n_equal:,} came out the same when they were decided "
        "again from the stored events.",
        style="bold" if n_equal == n_all else "bold red",
        markup=False,
    )


def story_text(story: Story) -> str:
    """Tell a rollout in one paragraph."""
    from promptyard.line.release_demo import HOUR_S
    from promptyard.reports.figures import counted

    record, served = story.record, story.served
    rollout, last = record.rollout, record.last
    n_old, n_new = story.subjects
    n_answers = served.by_version.get(rollout.treatment, 0)
    hours = counted(round(story.seconds / HOUR_S), "hour")
    steps = f"{last.step + 1} of {len(rollout.plan.steps)} steps"
    parts = [
        f"In {hours} ({story.seconds:.0f} s) {served.n_users:,} users "
        f"wrote {served.n_messages:,} messages. {n_new:,} users met v{rollout.treatment}, beside "
        f"{n_old:,} who met v{rollout.control}, over {steps}; v{rollout.treatment} gave "
        f"{n_answers:,} answers.",
        last.sentence,
    ]
    if last.move is not None:
        parts.append(
            f"{rollout.pointer.capitalize()} moved from v{last.move.from_number} to "
            f"v{last.move.to_number}."
        )
    elif last.state == "rolled_back":
        parts.append(f"{rollout.pointer.capitalize()} stayed at v{rollout.control} all the time.")
    return " ".join(parts)


def release_json(release: Release, pages: list[Path]) -> dict[str, Json]:
    """Return the release as plain data."""
    from promptyard.line.release_demo import HOUR_S

    def story_json(story: Story, page: Path) -> dict[str, Json]:
        rollout, last = story.record.rollout, story.record.last
        return {
            "rollout_id": rollout.id,
            "control": rollout.control,
            "treatment": rollout.treatment,
            "state": last.state,
            "sentence": last.sentence,
            "seconds": round(story.seconds, 3),
            "n_users": story.served.n_users,
            "n_messages": story.served.n_messages,
            "n_messages_by_version": {
                str(number): n for number, n in story.served.by_version.items()
            },
            "n_subjects_control": story.subjects[0],
            "n_subjects_treatment": story.subjects[1],
            "guards": [item.model_dump(mode="json") for item in last.guards],
            "n_decisions": len(story.record.decisions),
            "n_replayed": story.n_replayed,
            "n_equal": story.n_equal,
            "page": str(page),
        }

    return {
        "hour_s": HOUR_S,
        "n_labels": release.n_labels,
        "n_labels_dropped": release.n_dropped,
        "good": story_json(release.good, pages[0]),
        "damaged": story_json(release.damaged, pages[1]),
    }


def release_steps(name: str, folder: Path | None) -> list[str]:
    """Say what a newcomer would do next, as commands."""
    if folder is None:
        return [
            "promptyard demo --release --keep demo    the same, and keeps all of it",
            "promptyard canary --help                 the same for prompts of your own",
        ]
    store = folder / "store.db"
    return [
        f"promptyard canary status {name} --store {store}",
        f"promptyard canary replay {name} --store {store}",
        f"promptyard prompts log {name} --store {store}",
        f"promptyard prompts rollback {name} --store {store}    back to the seed",
    ]
