"""Admission to the line: what is refused, what is kept of it, and what is handed out again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from promptyard.line.context import LineContext
from promptyard.line.session import Session
from promptyard.protocols import Bench
from promptyard.records.atoms import Atom
from promptyard.records.edits import Candidate, Edit, Proposal, Replace
from promptyard.records.evidence import Evidence
from promptyard.records.prompts import Demo
from promptyard.records.regions import regions
from promptyard.testing import ScriptedModel
from support.line_context import with_context

YES = ScriptedModel(lambda body: "yes")


class Fixed:
    """A generator that proposes the same edits each time."""

    name = "fixed"

    def __init__(self, *proposals: Sequence[Edit]) -> None:
        self._proposals = proposals

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        return [
            Proposal(generator=self.name, edits=tuple(edits), hypothesis="It helps.")
            for edits in self._proposals
        ]


def sentence(text: str) -> Replace:
    """Append a sentence to the system message."""
    end = len("Answer yes or no.")
    return Replace(section="system", start=end, end=end, old="", text=f" {text}")


MISPLACED = Replace(section="system", start=0, end=4, old="Nope", text="x")


async def kinds(context: LineContext, session: Session) -> list[str]:
    return [entry["kind"] for entry in await session.store.journal(session.header.id)][1:]


def test_of_a_refused_proposal_the_edits_that_stand_alone_are_kept(tmp_path: Path) -> None:
    generator = Fixed([sentence("Be brief."), MISPLACED, sentence("Think first.")])

    async def work(context: LineContext, session: Session) -> None:
        found = await context.propose("fixed", context.baseline, Evidence())
        assert [item.edits for item in found] == [
            (sentence("Be brief."),),
            (sentence("Think first."),),
        ]
        assert [item.code for item in context.trail.rejections] == ["splice"]
        assert await kinds(context, session) == ["rejected", "proposed", "proposed"]

    with_context(work, tmp_path / "s.db", YES, generators={"fixed": generator})


def test_a_proposal_of_one_refused_edit_leaves_nothing(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        assert await context.propose("fixed", context.baseline, Evidence()) == []
        assert await kinds(context, session) == ["rejected"]

    generators = {"fixed": Fixed([MISPLACED])}
    with_context(work, tmp_path / "s.db", YES, generators=generators)


def test_a_repeat_is_handed_out_again(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        first = await context.propose("fixed", context.baseline, Evidence())
        again = await context.propose("fixed", context.baseline, Evidence(), attempt=1)
        assert [item.id for item in again] == [item.id for item in first]
        assert len(first) == 1

    generators = {"fixed": Fixed([sentence("Be brief.")])}
    with_context(work, tmp_path / "s.db", YES, generators=generators)


def test_atoms_that_make_no_edit_compose_to_the_baseline_itself(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        gone = Atom(kind="delete", region=region(context), anchor="It stands nowhere.")
        assert await context.compose([gone], generator="auto") is context.baseline
        assert await kinds(context, session) == []

    with_context(work, tmp_path / "s.db", YES)


def test_a_composition_that_was_run_is_the_candidate_that_was_run(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        atoms = [Atom(kind="append", region=region(context), text="Be brief.")]
        made = await context.compose(atoms, generator="auto", buckets=("b",))
        assert made is not None
        assert await kinds(context, session) == ["composed"]
        await context.run(made, context.train[:1], purpose="fresh")
        assert await context.compose(atoms, generator="other") is made
        assert (await kinds(context, session)).count("composed") == 1

    with_context(work, tmp_path / "s.db", YES)


def test_a_composition_that_the_validators_refuse_is_none_and_told(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        smuggled = Atom(kind="append", region=region(context), text="{{other}}")
        assert await context.compose([smuggled], generator="auto") is None
        sealed = Demo(input={"text": "holdout 0"}, output="yes")
        assert await context.compose([], [sealed], generator="auto") is None
        assert [item.generator for item in context.trail.rejections] == ["auto", "auto"]
        assert await kinds(context, session) == ["rejected", "rejected"]

    with_context(work, tmp_path / "s.db", YES)


def test_candidates_are_joined_once(tmp_path: Path) -> None:
    async def work(context: LineContext, session: Session) -> None:
        parts = await context.propose("fixed", context.baseline, Evidence())
        joined = context.combine(parts)
        assert joined is not None
        assert joined.program.prompt.text.count("Be brief.") == 1
        assert joined.program.prompt.text.count("Think first.") == 1
        assert context.combine(parts) is None, "the same prompt is nothing new"
        assert context.combine(parts[:1]) is None, "one part is nothing to join"

    generators = {"fixed": Fixed([sentence("Be brief.")], [sentence("Think first.")])}
    with_context(work, tmp_path / "s.db", YES, generators=generators)


def region(context: LineContext) -> str:
    return regions(context.baseline.program.prompt)[0].id
