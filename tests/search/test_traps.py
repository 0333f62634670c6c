"""Traps: which of the new sentences broke cases, and what a vain hunt leaves as it was."""

from __future__ import annotations

import asyncio

from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.origins import Origin
from promptyard.search.memory import Memory
from promptyard.search.settings import AutoSettings
from promptyard.search.traps import TrapHunter
from promptyard.search.working_line import WorkingLine
from promptyard.testing.search_world import RULES, WorldContext

TRAP = "Leave out what is not certain."
NEW = ("Be brief.", RULES["names"], TRAP)


class Trapped(WorldContext):
    """The trap spoils dates and units, each of which has a sentence of its own."""

    def passes(self, candidate: Candidate, case: Case) -> bool:
        spoilt = TRAP in candidate.program.prompt.text and case.tags[0] in ("dates", "units")
        return super().passes(candidate, case) and not spoilt


def origin(bucket: str, text: str) -> Origin:
    return Origin(
        atom=Atom(kind="append", region="system", text=text), buckets=(bucket,), generator="reflect"
    )


def hunted(context: WorldContext, n_broken: int) -> tuple[list[str], Memory]:
    old = [origin(name, text) for name, text in RULES.items() if name != "names"]
    new = [origin("names", text) for text in NEW]
    made = compose(context.baseline.program, [item.atom for item in (*old, *new)])
    line = WorkingLine(Candidate(program=made.program, edits=made.edits), (*old, *new))
    memory = Memory()

    async def work() -> WorkingLine:
        rows = await context.run(line.candidate, context.train[30:42], purpose="fresh")
        broken = [row for row in rows if not row.trial.passed][:n_broken]
        return await TrapHunter(context, AutoSettings(), memory).among(line, new, rows, broken)

    left = asyncio.run(work())
    return [item.atom.text for item in left.origins], memory


def test_the_new_sentence_that_broke_cases_is_found_among_the_new_ones() -> None:
    context = Trapped()
    left, memory = hunted(context, 5)
    assert left == [text for name, text in RULES.items() if name != "names"] + list(NEW[:2])
    assert memory.strikes[origin("names", TRAP).atom.key] == AutoSettings().strikes_before_ban
    # Twelve fresh cases, five broken ones a halving, and what failed run again without it.
    assert context.n_calls <= 12 + 2 * 5 + 6


def test_a_single_broken_case_is_luck_and_starts_no_hunt() -> None:
    context = Trapped()
    left, memory = hunted(context, 1)
    assert TRAP in left
    assert not memory.strikes
    assert context.n_calls == 12


def test_where_no_new_sentence_is_to_blame_all_of_them_stay() -> None:
    class Weary(WorldContext):
        """Any new sentence is one too many for the dates."""

        def passes(self, candidate: Candidate, case: Case) -> bool:
            many = candidate.program.prompt.text.count(".") > 4
            return super().passes(candidate, case) and not (many and case.tags[0] == "dates")

    left, memory = hunted(Weary(), 5)
    assert left[3:] == list(NEW)
    assert not memory.strikes
