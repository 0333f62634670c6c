"""Rows of a search: what is kept, what is asked for again, and where a run is settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from promptyard.line.context import LineContext
from promptyard.line.observations import MAX_PROGRAMS, Observations, RowsInOrder
from promptyard.line.session import Session
from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import TrainTrial
from promptyard.records.regions import regions
from promptyard.records.scores import Trial
from promptyard.testing import ScriptedModel
from support.line_context import N_TRAIN, with_context


def variant(base: Candidate, number: int) -> Candidate:
    step = base.program.steps[0]
    atom = Atom(
        kind="append",
        step=step.name,
        region=regions(step.prompt)[0].id,
        text=f"Mind rule {number}.",
    )
    made = compose(base.program, [atom])
    return Candidate(program=made.program, parents=(base.id,), edits=made.edits)


def answer(body: Mapping[str, Any]) -> str:
    return "yes" if int(str(body["messages"][-1]["content"]).split()[-1]) % 3 else "no"


def test_a_row_that_was_dropped_is_answered_from_the_store_at_no_cost(tmp_path: Path) -> None:
    model = ScriptedModel(answer)

    async def work(context: LineContext, session: Session) -> None:
        candidates = [variant(context.baseline, number) for number in range(MAX_PROGRAMS + 4)]
        swept = [
            await context.run(candidate, context.train, purpose="sweep") for candidate in candidates
        ]
        paid = session.ledger.spent
        assert paid.task_calls == model.n_requests == len(candidates) * N_TRAIN
        again = await context.run(candidates[0], context.train, purpose="again")
        assert [(row.case.id, row.trial.score, row.trial.output) for row in again] == [
            (row.case.id, row.trial.score, row.trial.output) for row in swept[0]
        ]
        spent = session.ledger.spent
        assert spent.task_calls == model.n_requests == paid.task_calls
        assert spent.cached_calls == paid.cached_calls + N_TRAIN
        # Rows that are still kept are not even looked up.
        await context.run(candidates[-1], context.train, purpose="again")
        assert session.ledger.spent.cached_calls == spent.cached_calls
        # Scores are kept of all, whatever became of the rows.
        assert len(context.scores(candidates[1])) == N_TRAIN

    with_context(work, tmp_path / "s.db", model)


def test_what_is_kept_changes_nothing_about_where_a_run_is_settled(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> list[list[str]]:
        seen: list[list[str]] = []
        for n_known in (0, 2, 7, N_TRAIN):
            candidate = variant(context.baseline, n_known)
            await context.run(candidate, context.train[:n_known], purpose="known")
            asked: list[str] = []

            def settled(row: TrainTrial, asked: list[str] = asked) -> bool:
                asked.append(row.case.id)
                return len(asked) == 5

            rows = await context.run(candidate, context.train, purpose="race", settled=settled)
            assert [row.case.id for row in rows] == asked
            seen.append(asked)
        assert seen == [[case.id for case in context.train[:5]]] * 4
        return seen

    with_context(work, tmp_path / "s.db", ScriptedModel(answer))


CASES = [Case(id=f"c{n}", input={}, split="train") for n in range(6)]


def row(number: int) -> TrainTrial:
    trial = Trial(
        program_id="p", case_id=f"c{number}", split="train", status="scored", score=number / 10
    )
    return TrainTrial(case=CASES[number], trial=trial)


def known(*numbers: int) -> Mapping[str, TrainTrial]:
    return {f"c{number}": row(number) for number in numbers}


def numbers_of(rows: Sequence[TrainTrial]) -> list[int]:
    return [int(item.case.id[1:]) for item in rows]


def test_rows_are_asked_about_in_order_as_soon_as_those_before_them_are_there() -> None:
    asked: list[int] = []

    def settled(item: TrainTrial) -> bool:
        asked.extend(numbers_of([item]))
        return item.case.id == "c4"

    rows = RowsInOrder(CASES, known(0, 3), settled)
    assert (asked, [case.id for case in rows.missing]) == ([0], ["c1", "c2", "c4", "c5"])
    assert not rows.add(row(2))
    assert not rows.add(row(5))
    assert asked == [0]
    assert not rows.add(row(1))
    assert asked == [0, 1, 2, 3]
    assert rows.add(row(4))
    assert numbers_of(rows.rows()) == [0, 1, 2, 3, 4]


def test_where_known_rows_settle_it_nothing_is_missing() -> None:
    rows = RowsInOrder(CASES, known(0, 1), lambda item: item.case.id == "c1")
    assert rows.settled
    assert rows.missing == []
    assert numbers_of(rows.rows()) == [0, 1]


def test_without_a_question_all_rows_are_returned_in_order() -> None:
    rows = RowsInOrder(CASES, known(5), None)
    assert not rows.add(row(3))
    assert numbers_of(rows.rows()) == [3, 5]


def test_whole_rows_are_kept_of_the_latest_programs_and_scores_of_all() -> None:
    kept = Observations(CASES, max_programs=2)
    for name in ("a", "b", "a", "c"):
        kept.add(name, row(1))
    kept.add("a", row(2), replicate=1)
    assert kept.rows("b") == {}
    assert set(kept.rows("c")) == {"c1"}
    assert {name: round(kept.scores(name)["c1"], 3) for name in "abc"} == dict.fromkeys("abc", 0.1)
    assert "c2" not in kept.scores("a")
