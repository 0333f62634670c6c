"""The release of the demo: its winner goes to live traffic step by step, a damaged one goes back.

Nothing is decided here. An application in a process of its own (`line/replayed_traffic`) serves
held-out messages; the same engine that `promptyard canary watch` runs collects, looks and decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from promptyard.config import load_task_config
from promptyard.errors import ConfigError, NotFound, PromptyardError
from promptyard.line.application import RunningApplication
from promptyard.line.collect import collect_spool
from promptyard.line.publish import publish_to
from promptyard.line.query import opened
from promptyard.line.registering import register_prompt
from promptyard.line.replayed_traffic import Served, TrafficPlan
from promptyard.line.rollout_engine import Ticked, replay_rollout
from promptyard.line.rollout_watch import watch
from promptyard.line.rollouts import By, end_rollout_behind, start_rollout
from promptyard.line.ship import promote_version
from promptyard.line.task import Task, load_task
from promptyard.records.base import Record
from promptyard.records.edits import SetSection, apply_edits
from promptyard.records.prompts import Program
from promptyard.records.rollouts import Decision, Rollout, RolloutPlan, RolloutRecord
from promptyard.records.runs import Run
from promptyard.registry.versions import PRODUCTION

ACTOR = "demo"
HOUR_S = 1.0
"""How long an hour of the plan takes here, in seconds."""
TICK_S = 0.5
STORE, TASK = "store.db", "task"
MANIFEST, SPOOL, DAMAGED = "manifest.json", "spool", "damaged.md"
LABELS = "labels"


class Story(Record):
    """One rollout of the demo from its start to its end, and the traffic until then.

    `served` is what the application had served since the start of the rollout. `n_equal` of the
    `n_replayed` decisions came out the same when they were decided again from the stored events.
    `subjects` are those with an outcome, control first.
    """

    record: RolloutRecord
    served: Served
    seconds: float
    subjects: tuple[int, int]
    n_replayed: int
    n_equal: int

    @property
    def ended_as(self) -> str:
        """How it ended: `promoted`, `rolled_back`, `aborted`."""
        return self.record.last.state


class Release(Record):
    """Both stories, and what half of the labels was taken out of the damaged version."""

    good: Story
    damaged: Story
    n_labels: int
    n_dropped: int


class Moment(Record):
    """How a rollout stands right now; `decision` is new, None where nothing was decided."""

    rollout: Rollout
    last: Decision
    decision: Decision | None
    served: Served
    age_s: float


MomentSink: TypeAlias = Callable[[Moment], None]
StartSink: TypeAlias = Callable[[Rollout], None]


def demo_plan(task: Path) -> RolloutPlan:
    """Return the plan of a task with its times scaled: an hour takes `HOUR_S`."""
    plan = load_task_config(task).release.plan
    scale = HOUR_S / 3600.0
    return plan.model_copy(
        update={
            "min_step_s": plan.min_step_s * scale,
            "max_age_s": plan.max_age_s * scale,
            "outcome_window_s": plan.outcome_window_s * scale,
        }
    )


async def finished_run(folder: Path) -> Run:
    """Return the run of a kept demo that registered its newest version that passed.

    Raises ConfigError where there is none: no demo, or one that was stopped.
    """
    file = folder / TASK / "task.yaml"
    async with opened(str(folder / STORE)) as store:
        name = load_task_config(file).name if file.is_file() else ""
        passed = [item for item in await store.versions(name) if item.status == "passed"]
        run = await store.run_result(passed[-1].run_id or "") if passed else None
    if run is None:
        raise ConfigError(
            f"--keep {folder}: it holds no demo that has finished with a better version; name a "
            "new folder"
        )
    return run


async def release_demo(
    folder: Path,
    winner: int,
    *,
    seed: int,
    plan: RolloutPlan | None = None,
    on_start: StartSink,
    on_moment: MomentSink,
) -> Release:
    """Release version `winner` of the demo kept in `folder`, then a damaged version of it.

    The folder has `store.db` and `task`; manifest, spool and the damaged prompt are put beside
    them. Costs calls of the embedded model only. Raises PromptyardError when the application ends
    early.
    """
    url = str(folder / STORE)
    task = load_task(folder / TASK)
    plan = plan or demo_plan(folder / TASK)
    seed_number = await _begin_at_the_seed(url, task, folder / MANIFEST)
    traffic = TrafficPlan(
        task=str(folder / TASK),
        manifest=str(folder / MANIFEST),
        spool=str(folder / SPOOL),
        seed=seed,
    )
    # A spool that is not there is a slip of whoever named it; here the application may be slow.
    (folder / SPOOL).mkdir(exist_ok=True)
    stage = _Stage(url, task.name, plan, folder / SPOOL, on_start, on_moment)
    async with RunningApplication(traffic) as application:
        because = f"it beat v{seed_number} on the sealed holdout"
        good = await stage.follow(application, winner, because)
        damaged_program, n_labels, n_dropped = damaged(await _program(url, task.name, winner))
        path = folder / DAMAGED
        path.write_text(damaged_program.prompt.text, encoding="utf-8")
        said = f"{n_dropped} of {n_labels} labels are gone: somebody shortened the prompt"
        version = await register_prompt(
            url, task, prompt=path, author=ACTOR, message=said, parent=str(winner)
        )
        bad = await stage.follow(application, version.number, said)
    await collect_spool(url, folder / SPOOL)
    return Release(good=good, damaged=bad, n_labels=n_labels, n_dropped=n_dropped)


def damaged(program: Program) -> tuple[Program, int, int]:
    """Take every second line out of the list of labels; return how many there were, and are gone.

    Raises ConfigError for a prompt without such a list.
    """
    section = next((item for item in program.prompt.sections if item.id == LABELS), None)
    lines = [] if section is None else section.text.splitlines(keepends=True)
    bullets = [number for number, line in enumerate(lines) if line.lstrip().startswith("- ")]
    if len(bullets) < 2:
        raise ConfigError(f"the prompt has no section '{LABELS}' with a list to be damaged")
    gone = set(bullets[1::2])
    kept = "".join(line for number, line in enumerate(lines) if number not in gone)
    step = program.steps[0].name
    edit = SetSection(step=step, section=LABELS, text=kept)
    return apply_edits(program, [edit]), len(bullets), len(gone)


class _Stage:
    """Where rollouts are followed: store, plan, spool and who is told."""

    def __init__(
        self,
        url: str,
        name: str,
        plan: RolloutPlan,
        spool: Path,
        on_start: StartSink,
        on_moment: MomentSink,
    ) -> None:
        self._url = url
        self._name = name
        self._plan = plan
        self._spool = spool
        self._on_start = on_start
        self._on_moment = on_moment

    async def follow(self, application: RunningApplication, version: int, reason: str) -> Story:
        """Start the rollout of a version and let the engine decide until it has ended."""
        started = await start_rollout(
            self._url,
            self._name,
            str(version),
            pointer=PRODUCTION,
            plan=self._plan,
            by=By(ACTOR, reason),
        )
        rollout = started.rollout
        self._on_start(rollout)
        before, began_s = application.served, time.monotonic()

        def on_tick(ticked: Ticked) -> None:
            if ticked.trouble:
                raise PromptyardError(ticked.trouble)
            looked = ticked.looks[0]
            self._on_moment(
                Moment(
                    rollout=rollout,
                    last=looked.record.last,
                    decision=looked.decision,
                    served=_since(before, application.served),
                    age_s=time.monotonic() - began_s,
                )
            )

        await application.during(
            watch(self._url, rollout.id, spool=self._spool, every_s=TICK_S, on_tick=on_tick)
        )
        served, seconds = _since(before, application.served), time.monotonic() - began_s
        record, replayed = await replay_rollout(self._url, rollout.id)
        ratio = next(item.ratio for item in reversed(record.decisions) if item.ratio is not None)
        return Story(
            record=record,
            served=served,
            seconds=seconds,
            subjects=(ratio.n_control, ratio.n_treatment),
            n_replayed=len(replayed),
            n_equal=sum(item.equal for item in replayed),
        )


async def _begin_at_the_seed(url: str, task: Task, manifest: Path) -> int:
    """Publish, and put production at the seed, also where an earlier demo was left half-way."""
    await publish_to(url, manifest)
    async with opened(url) as store:
        by = By(ACTOR, "the demo was started again")
        await end_rollout_behind(store, task.name, PRODUCTION, by)
        versions = await store.versions(task.name)
        pointers = await store.pointers(task.name)
    seed = next((item.number for item in versions if item.status == "seed"), None)
    if seed is None:
        raise NotFound(f"the store {url} has no seed of '{task.name}'")
    if all((item.pointer, item.number) != (PRODUCTION, seed) for item in pointers):
        await promote_version(
            url, task.name, str(seed), pointer=PRODUCTION, actor=ACTOR, reason="where it begins"
        )
    return seed


async def _program(url: str, name: str, number: int) -> Program:
    async with opened(url) as store:
        return (await store.version(name, number)).program


def _since(before: Served, now: Served) -> Served:
    by_version = {
        number: n - before.by_version.get(number, 0) for number, n in now.by_version.items()
    }
    return Served(
        n_users=now.n_users - before.n_users,
        n_messages=now.n_messages - before.n_messages,
        by_version={number: n for number, n in by_version.items() if n},
    )
