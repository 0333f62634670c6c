"""What is told of a run: in its turn, to the journal, and as the best score so far."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promptyard.line.context import LineContext
from promptyard.line.session import Session
from promptyard.records.edits import Candidate
from promptyard.records.events import Noted
from promptyard.records.runs import Progress
from promptyard.search.pipeline import side_by_side
from promptyard.testing import ScriptedModel
from support.line_context import N_TRAIN, with_context


def by_number(body: Mapping[str, Any]) -> str:
    """Answer rightly to one case in two."""
    return "yes" if int(str(body["messages"][-1]["content"]).split()[-1]) % 2 else "no"


def test_what_is_said_side_by_side_is_heard_in_the_order_of_the_pieces(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        later = asyncio.Event()

        async def first() -> None:
            await later.wait()
            await context.emit(Noted(text="first"))

        async def second() -> None:
            await context.emit(Noted(text="second"))
            later.set()

        await side_by_side([first(), second()])
        journal = await session.store.journal(session.header.id)
        said = [entry["payload"]["text"] for entry in journal if entry["kind"] == "noted"]
        assert said == ["first", "second"]
        assert context.trail.notes == said

    with_context(work, tmp_path / "s.db", ScriptedModel(by_number))


def test_a_run_on_train_is_an_event_and_a_point_of_the_history(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        await context.run(context.baseline, context.train, purpose="baseline")
        (entry,) = context.trail.history
        assert (entry.stage, entry.n_cases, entry.score) == ("baseline", N_TRAIN, 0.5)
        assert entry.calls_so_far == N_TRAIN
        journal = await session.store.journal(session.header.id)
        (told,) = (item["payload"] for item in journal if item["kind"] == "screened")
        assert (told["purpose"], told["n_cases"], told["score"]) == ("baseline", N_TRAIN, 0.5)

    with_context(work, tmp_path / "s.db", ScriptedModel(by_number))


def test_the_best_score_rests_on_cases_that_were_not_chosen_for_their_failures(
    tmp_path: Path,
) -> None:
    shown = list[Progress]()

    async def work(context: LineContext, session: Session) -> None:
        await context.run(context.baseline, context.train, purpose="baseline")
        right = [case for case in context.train if int(case.id.removeprefix("train")) % 2]
        await context.run(context.baseline, right, purpose="screen")
        assert context.trail.best_score == 0.5
        await context.run(context.baseline, right, purpose="fresh")
        assert context.trail.best_score == 1.0

    with_context(work, tmp_path / "s.db", ScriptedModel(by_number), on_progress=shown.append)
    cases = [item for item in shown if item.phase == "baseline"]
    assert [item.done for item in cases] == list(range(1, N_TRAIN + 1))
    assert {item.total for item in cases} == {N_TRAIN}


def test_a_stage_is_told_with_the_calls_that_it_made(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        candidate = Candidate(program=context.baseline.program)
        await context.stage("full", [candidate])
        (summary,) = context.trail.stages
        assert summary.stage == "full"
        assert summary.calls == session.ledger.spent.task_calls == 2
        assert context.trail.outcomes["full"].summary == summary
        journal = await session.store.journal(session.header.id)
        kinds = [entry["kind"] for entry in journal][1:]
        assert kinds[-2:] == ["stage", "spent"]
        reports = await session.store.reports(session.header.id, "full")
        assert [report.program_id for report in reports] == [candidate.program.id]

    with_context(work, tmp_path / "s.db", ScriptedModel(by_number))
