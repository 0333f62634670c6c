"""One session of a run: the opened store, the ledger, the models; new or resumed."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from promptyard.config import ProjectConfig
from promptyard.errors import Advised, ConfigError, Conflict, EvalSetError, NotFound
from promptyard.line.role_models import build_models
from promptyard.line.task import Task
from promptyard.line.wiring import (
    build_caller,
    build_executor,
    build_store,
    project_config,
)
from promptyard.protocols import Model, Store
from promptyard.records.base import content_hash
from promptyard.records.budget import Budget
from promptyard.records.cases import Case
from promptyard.records.judging import JudgeCertificate
from promptyard.records.messages import CallRole, Usage
from promptyard.records.runs import Run, RunHeader
from promptyard.runner.execute import Executor
from promptyard.runner.ledger import Ledger
from promptyard.stats.looks import LookRuling, rule_on_look

OPTIMIZE = "optimize"
"""The kind of a run of the whole line; those of others begin with the name of their command."""


@dataclass
class Session:
    """What the stations share while a run lasts."""

    header: RunHeader
    store: Store
    ledger: Ledger
    models: Mapping[CallRole, Model]
    project: ProjectConfig
    certificates: Sequence[JudgeCertificate] = ()
    force_look: bool = False
    begun: bool = False
    on_begin: Callable[[str], None] | None = None

    async def begin(self, *, resumed: bool = False) -> None:
        """Record that the run works now: what was refused before leaves no run behind."""
        if not resumed:
            await self.store.start_run(self.header)
        self.begun = True
        at = {"process": os.getpid(), "host": _host()}
        await self.store.append_journal(self.header.id, "session", at)
        await self.store.set_run_status(self.header.id, "running")
        if self.on_begin is not None:
            self.on_begin(self.header.id)

    def executor(self, task: Task) -> Executor:
        """Make the executor that runs this task's programs within the budget."""
        caller = build_caller(
            self.header.id,
            self.models,
            self.store,
            self.ledger,
            self.project,
            self.header.seed,
        )
        return build_executor(task, caller, self.certificates)

    async def calls_of_search(self) -> int:
        """Return the task calls of the search; at a resume after it, those of the first time."""
        for entry in await self.store.journal(self.header.id):
            if entry["kind"] == "searched":
                return int(entry["payload"]["task_calls"])
        n_calls = self.ledger.spent.task_calls
        await self.store.append_journal(self.header.id, "searched", {"task_calls": n_calls})
        return n_calls

    async def count_look(self, holdout: Sequence[Case], *program_ids: str) -> LookRuling:
        """Count a look of programs at a set of holdout cases, before it is opened.

        Looks are counted per set of cases, whatever the version or seed. Raises EvalSetError where
        the set is worn out and the look not forced; it then counts as none.
        """
        key, pair = _holdout_key(holdout), content_hash(list(program_ids))
        ruling = await rule_on_looks(self.store, holdout, *program_ids, force=self.force_look)
        await self.store.count_look(key, pair)
        return ruling

    async def refuse_worn_out(self, holdout: Sequence[Case], baseline_id: str) -> None:
        """Refuse a search as `refuse_worn_out_search` does, unless the look is forced."""
        if not self.force_look:
            await refuse_worn_out_search(self.store, self.header.task, holdout, baseline_id)

    async def finish(self, run: Run) -> None:
        """Store the result; the run is then finished."""
        await self.store.set_run_status(self.header.id, "finished", run)


async def rule_on_looks(
    store: Store, holdout: Sequence[Case], *program_ids: str, force: bool = False
) -> LookRuling:
    """Rule on a look of programs at a set of holdout cases; counts nothing.

    Raises EvalSetError where the set is worn out and the look not forced.
    """
    pair, seen = content_hash(list(program_ids)), await store.looks(_holdout_key(holdout))
    new = pair not in seen
    ruling = rule_on_look(len(seen) + new, new=new, force=force)
    if ruling.status == "refuse":
        raise EvalSetError(ruling.sentence)
    return ruling


async def refuse_worn_out_search(
    store: Store, task: str, holdout: Sequence[Case], baseline_id: str
) -> None:
    """Refuse a search whose finalist could not be shown to the holdout, before it costs a call.

    Where an earlier search began with the same baseline, its finalist may be found again,
    which is no new look: then the decision rules. Raises EvalSetError.
    """
    ruling = rule_on_look(len(await store.looks(_holdout_key(holdout))) + 1)
    if ruling.status == "refuse" and not await _has_searched_from(store, task, baseline_id):
        raise EvalSetError(ruling.sentence)


async def _has_searched_from(store: Store, task: str, baseline_id: str) -> bool:
    for row in await store.runs(task, limit=1_000):
        run_id = str(row["id"])
        if (await store.run_header(run_id)).baseline_id == baseline_id and any(
            entry["kind"] == "searched" for entry in await store.journal(run_id)
        ):
            return True
    return False


@contextlib.asynccontextmanager
async def open_session(
    task: Task,
    *,
    store: str | Store | None,
    budget: Budget | None = None,
    seed: int | None = None,
    resume: str | bool = False,
    kind: str = OPTIMIZE,
    force: bool = False,
    begin: bool = True,
    on_begin: Callable[[str], None] | None = None,
) -> AsyncGenerator[Session]:
    """Open store and models and start a run, or take one up again.

    `resume` is a run id, or True for the task's last unfinished run. A resumed run repeats with
    the budget, seed and settings it was started with (a budget given now replaces the old one);
    when the task has changed since, ConfigError says in what. With `force` a worn-out holdout is
    looked at. Without `begin` the caller begins a new run, once nothing can be refused any more;
    `on_begin` then gets its id.
    On the way out a run that began and did not finish is marked as interrupted, and everything is
    closed.
    """
    project = project_config(task.folder)
    models = build_models(task.models, project, task.source)
    header = new_header(task, models, budget=budget, seed=seed, kind=kind)
    require_prices(header.budget, models)
    owned = store is None or isinstance(store, str)
    opened = build_store(store) if store is None or isinstance(store, str) else store
    await opened.open()
    session: Session | None = None
    finished = False
    try:
        if resume:
            header = await resumed_header(opened, task, header, resume, budget)
        past = await opened.attempts(header.id)
        ledger = Ledger(header.budget, past=past)
        certificates = await opened.certificates() if "judge" in models else ()
        session = Session(
            header,
            opened,
            ledger,
            models,
            project,
            certificates,
            force_look=force,
            on_begin=on_begin,
        )
        if begin or resume:
            await session.begin(resumed=bool(resume))
        yield session
        finished = True
    finally:
        if session is not None and session.begun and not finished:
            with contextlib.suppress(Exception):
                await opened.set_run_status(header.id, "interrupted")
        for model in {id(model): model for model in models.values()}.values():
            await model.close()
        if owned:
            await opened.close()


def require_prices(budget: Budget, models: Mapping[CallRole, Model]) -> None:
    """Refuse a budget in USD that could not be kept: a model has no known price."""
    if budget.usd is None:
        return
    for role in ("task", "optimizer"):
        if models[role].cost_usd(Usage(input_tokens=1, output_tokens=1)) is None:
            raise ConfigError(
                f"the budget of {budget.usd} USD cannot be kept: no price is known for "
                f"{models[role].name}; add it under `prices:` in promptyard.yaml, or budget calls"
            )


def new_header(
    task: Task,
    models: Mapping[CallRole, Model],
    *,
    budget: Budget | None,
    seed: int | None,
    kind: str,
) -> RunHeader:
    """Describe a run before it starts: all that a resume has to find unchanged."""
    now = datetime.now(UTC)
    judge = {"judge_model": models["judge"].name} if "judge" in models else {}
    settings = {
        "kind": kind,
        **judge,
        "addresses": {role: model.base_url for role, model in models.items()},
        "gates": task.gates.model_dump(mode="json"),
        "generators": None if task.generators is None else list(task.generators),
        "max_demos": task.max_demos,
        **({"meta_prompts": content_hash(dict(task.meta_prompts))} if task.meta_prompts else {}),
        **({"targets": dict(task.targets)} if task.targets else {}),
        "pass_at": task.pass_at,
        "metrics": [_metric_name(item) for item in task.metrics],
    }
    return RunHeader(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        task=task.name,
        seed=task.seed if seed is None else seed,
        strategy=task.strategy,
        eval_set_version=task.eval_set.version,
        baseline_id=task.program.id,
        task_model=models["task"].name,
        optimizer_model=models["optimizer"].name,
        budget=budget or task.budget,
        settings=settings,
        started_at=now.isoformat(timespec="seconds"),
    )


async def resumed_header(
    store: Store, task: Task, fresh: RunHeader, resume: str | bool, budget: Budget | None
) -> RunHeader:
    """Find the run to take up and check that nothing it depends on has changed.

    `fresh` is the header that a new run would have now, `resume` a run id or True for the task's
    last. Raises NotFound, ConfigError saying what has changed, Conflict where it still runs.
    """
    if isinstance(resume, str):
        header = await store.run_header(resume)
    else:
        header = await last_unfinished(store, fresh.task, str(fresh.settings["kind"]))
    run_id = header.id
    await _refuse_live(store, run_id)
    changed = [
        name
        for name in (
            "task",
            "strategy",
            "eval_set_version",
            "baseline_id",
            "task_model",
            "optimizer_model",
        )
        if getattr(header, name) != getattr(fresh, name)
    ]
    if content_hash(dict(header.settings)) != content_hash(dict(fresh.settings)):
        changed.append("settings")
    if changed:
        raise ConfigError(
            f"run {run_id} cannot be resumed: {', '.join(changed)} changed since it was started; "
            "start a new run (its stored calls are reused)"
        )
    return header if budget is None else header.model_copy(update={"budget": budget})


async def last_unfinished(store: Store, task: str, kind: str = OPTIMIZE) -> RunHeader:
    """Return the newest run of a task that did not finish. Raises NotFound."""
    for row in await store.runs(task):
        if row["status"] in ("running", "interrupted"):
            header = await store.run_header(str(row["id"]))
            if header.settings.get("kind") == kind:
                return header
    said = f"task '{task}' has no unfinished run to resume; leave "
    raise NotFound(Advised(said, "--resume out", "resume out"))


async def _refuse_live(store: Store, run_id: str) -> None:
    """Refuse to take up a run that a living process of this machine still works on."""
    sessions = [entry for entry in await store.journal(run_id) if entry["kind"] == "session"]
    if not sessions:
        return
    last = sessions[-1]["payload"]
    status = {row["id"]: row["status"] for row in await store.runs()}.get(run_id)
    if status != "running" or last["host"] != _host() or last["process"] == os.getpid():
        return
    try:
        os.kill(int(last["process"]), 0)  # signal 0 only asks whether the process exists
    except ProcessLookupError:
        return
    except PermissionError:
        pass  # it exists and belongs to somebody else
    raise Conflict(
        f"run {run_id} is still running (process {last['process']}); wait for it or stop it first"
    )


def _holdout_key(holdout: Sequence[Case]) -> str:
    return content_hash("\n".join(sorted(case.id for case in holdout)))


def _host() -> str:
    return socket.gethostname()


def _metric_name(item: object) -> str:
    if isinstance(item, str):
        return item
    dumped = getattr(item, "model_dump_json", None)
    if callable(dumped):
        return str(dumped())
    return str(getattr(item, "name", None) or getattr(item, "__qualname__", type(item).__name__))
