"""A first prompt out of cases alone: instructions are induced from pairs and ranked on train.

Source: APE (arXiv 2211.01910); anchors on algorithms, A1.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from promptyard.candidates.admit import admit
from promptyard.candidates.induce import MIN_PAIRS, Induce, pairs_of
from promptyard.candidates.leakage import LeakageIndex
from promptyard.errors import (
    BudgetExceeded,
    ConfigError,
    EvalSetError,
    ModelError,
    PromptyardError,
)
from promptyard.funnel.paired import stratified
from promptyard.line.bench import TrainBench
from promptyard.line.check import check
from promptyard.line.convert import write_text
from promptyard.line.judges import EMBEDDED_MODELS
from promptyard.line.new_task import TaskPlan, default_prompt, task_files
from promptyard.line.session import Session, open_session
from promptyard.line.task import Models, Task, load_task
from promptyard.line.wiring import project_config, store_address
from promptyard.records.base import Json, Record
from promptyard.records.budget import Spent
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate, Replace
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo
from promptyard.runner.execute import Executor

KIND = "init induce"
N_RANKED_CASES = 10
SEED = 0


class Induced(Record):
    """An induced instruction; `score` is its mean on train, None where it was not ranked."""

    instruction: str
    score: float | None = None


class Induction(Record):
    """The instructions that were induced, best first, and what they cost.

    `n_cases` train cases ranked them; where they were not ranked, `note` says why.
    """

    tried: tuple[Induced, ...]
    n_pairs: int
    n_cases: int = 0
    note: str = ""
    spent: Spent

    @property
    def instruction(self) -> str:
        """The best one."""
        return self.tried[0].instruction


async def induce_prompt(plan: TaskPlan, folder: Path, optimizer: str | None = None) -> Induction:
    """Induce the instruction of a new task and rank the answers on a few train cases.

    Costs 8 optimizer calls, and one more for each reply that cannot be read; with a task model
    that answers, `N_RANKED_CASES` task calls for each instruction. They go to the project's store.

    Raises ConfigError where no model that writes is named or nothing usable came back, EvalSetError
    where too few cases have an expected answer, ModelUnusable where the optimizer cannot be asked.
    """
    defaults = project_config(folder).models
    task_model = plan.model or defaults.task
    writer = optimizer or defaults.optimizer or task_model
    if writer is None:
        raise ConfigError(
            "--induce asks a language model; name it with --model or --optimizer-model"
        )
    if writer.startswith(EMBEDDED_MODELS):
        raise ConfigError(
            f"--induce asks a language model, and {writer} is none; name one with --optimizer-model"
        )
    models = Models(task=task_model or writer, optimizer=writer, base_url=plan.base_url)
    task = _planned(plan, folder, models)
    evidence = Evidence(demos=_gold_demos(task.eval_set.split("train")))
    n_pairs = len(pairs_of(evidence))
    if n_pairs < MIN_PAIRS:
        raise EvalSetError(
            f"--induce needs train cases with an expected answer, and there are {n_pairs}; say "
            "with --prompt what the model shall do"
        )
    async with open_session(task, store=store_address(None, folder), kind=KIND) as session:
        executor = session.executor(task)
        candidates = await _induced(task, executor, evidence)
        if task_model is None:
            scores, n_cases, note = None, 0, "no task model is named"
        else:
            scores, n_cases, note = await _ranked(task, executor, candidates)
        await session.store.set_run_status(session.header.id, "finished")
        return _result(candidates, scores, session, n_pairs, n_cases, note)


def _planned(plan: TaskPlan, folder: Path, models: Models) -> Task:
    """Make the task of a plan whose files are not written yet, with a prompt to be replaced."""
    plan = plan.model_copy(update={"prompt": default_prompt(plan.cases.kind)})
    place = Path(tempfile.mkdtemp(prefix="promptyard-init-"))
    try:
        for name, text in task_files(plan).items():
            write_text(place / name, text)
        made = load_task(place, models=models)
        check(made)
    except PromptyardError as error:
        raise type(error)(str(error).replace(f"{place}/", "")) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Task(
        name=made.name,
        program=made.program,
        cases=made.eval_set,
        metrics=made.metrics,
        models=models,
        gates=made.gates,
        pass_at=made.pass_at,
        folder=folder,
    )


def _gold_demos(train: Sequence[Case]) -> tuple[Demo, ...]:
    return tuple(
        Demo(input=dict(case.input), output=_as_text(case.expected), case_id=case.id)
        for case in train
        if case.expected is not None
    )


def _as_text(expected: Json) -> str:
    import json

    return expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)


async def _induced(task: Task, executor: Executor, evidence: Evidence) -> list[Candidate]:
    """Ask, and keep what the validators let pass."""
    base = Candidate(program=task.program)
    bench = TrainBench(executor, {case.id: case for case in task.eval_set.split("train")})
    proposals = await Induce().propose(base, evidence, bench, random.Random(SEED))
    leakage = LeakageIndex(task.eval_set.cases, allowed=[s.prompt.text for s in task.program.steps])
    results = [admit(item, base, frozenset(), leakage) for item in proposals]
    candidates = [item for item in results if isinstance(item, Candidate)]
    if candidates:
        return candidates
    reason = proposals[0].raw.partition(" | ")[0] if proposals else "nothing came back"
    refused = next((r.reason for r in results if not isinstance(r, Candidate)), reason)
    said = reason if proposals and not proposals[0].edits else refused
    raise ConfigError(
        f"--induce: no instruction came of {len(proposals)} replies ({' '.join(said.split())}); "
        "name another --optimizer-model, or give the prompt with --prompt"
    )


async def _ranked(
    task: Task, executor: Executor, candidates: Sequence[Candidate]
) -> tuple[list[float] | None, int, str]:
    """Return (mean scores, number of cases, why there are none)."""
    cases = stratified(task.eval_set.split("train"), SEED)[:N_RANKED_CASES]
    try:
        reports = await asyncio.gather(
            *(executor.run(item.program, cases, "train") for item in candidates)
        )
    except (ModelError, BudgetExceeded) as error:
        return None, 0, f"the task model gives no answer ({' '.join(str(error).split())})"
    scores = [report.score for report in reports if report.score is not None]
    if len(scores) < len(reports):
        return None, 0, "the task model's answers could not be scored"
    return scores, len(cases), ""


def _result(
    candidates: Sequence[Candidate],
    scores: Sequence[float] | None,
    session: Session,
    n_pairs: int,
    n_cases: int,
    note: str,
) -> Induction:
    tried = [
        Induced(instruction=_text(item), score=None if scores is None else scores[index])
        for index, item in enumerate(candidates)
    ]
    if scores is not None:
        tried.sort(key=lambda item: (-(item.score or 0.0), len(item.instruction)))
    return Induction(
        tried=tuple(tried), n_pairs=n_pairs, n_cases=n_cases, note=note, spent=session.ledger.spent
    )


def _text(candidate: Candidate) -> str:
    [edit] = candidate.edits
    assert isinstance(edit, Replace)
    return edit.text.strip()
