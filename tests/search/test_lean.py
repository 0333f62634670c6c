"""Leaving out what nothing needs: what cures stays, the rest goes, and only where few fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from promptyard.records.atoms import Atom, compose
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Attempt, Evidence, TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.auto import Auto
from promptyard.search.lean import Leaner, merged, no_worse
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine
from promptyard.testing.search_world import RULES, WorldContext

ONE_RULE = {"format": RULES["format"]}
IDLE = tuple(f"Idle sentence number {n}." for n in range(7))


def origin(text: str, *, kind: str = "append", anchor: str = "", bucket: str = "format") -> Origin:
    atom = Atom.model_validate({"kind": kind, "region": "system", "anchor": anchor, "text": text})
    return Origin(atom=atom, buckets=(bucket,), generator="reflect")


class OneFlaw(WorldContext):
    """Only the cases of one tag fail; `needs` are the sentences without which they do."""

    needs: Sequence[str] = (RULES["format"],)
    n_tags = 1

    def passes(self, candidate: Candidate, case: Case) -> bool:
        if case.tags[0] not in list(RULES)[: self.n_tags]:
            return True
        return all(text in candidate.program.prompt.text for text in self.needs)


def line_of(context: WorldContext, origins: Sequence[Origin]) -> WorkingLine:
    made = compose(context.baseline.program, [item.atom for item in origins])
    return WorkingLine(Candidate(program=made.program, edits=made.edits), tuple(origins))


def leaned(context: WorldContext, texts: Sequence[str]) -> tuple[list[str] | None, int]:
    """The texts that are left, and the calls that it cost."""
    line = line_of(context, [origin(text) for text in texts])

    async def work() -> WorkingLine | None:
        await context.run(context.baseline, context.train[:30], purpose="baseline")
        return await Leaner(context, AutoSettings()).lean(line)

    found = asyncio.run(work())
    calls = context.n_calls - 30
    if found is None:
        return None, calls
    assert (
        found.candidate.program.prompt.text
        == line_of(context, found.origins).candidate.program.prompt.text
    )
    return [item.atom.text for item in found.origins], calls


@pytest.mark.parametrize("at", [0, 3, 7])
def test_the_one_sentence_that_cures_is_left_wherever_it_stands(at: int) -> None:
    texts = [*IDLE[:at], RULES["format"], *IDLE[at:]]
    left, calls = leaned(OneFlaw(), texts)
    assert left == [RULES["format"]]
    assert calls <= 60


def test_two_sentences_that_cure_together_both_stay() -> None:
    context = OneFlaw()
    context.needs = (RULES["format"], "Never answer in two words.")
    left, _ = leaned(context, [RULES["format"], *IDLE[:4], "Never answer in two words."])
    assert left == [RULES["format"], "Never answer in two words."]


def test_a_line_without_anything_to_spare_stays() -> None:
    context = OneFlaw()
    context.needs = (RULES["format"], IDLE[0], IDLE[1])
    assert leaned(context, [RULES["format"], IDLE[0], IDLE[1]])[0] is None
    assert leaned(OneFlaw(), [RULES["format"], IDLE[0]])[0] is None, "two are few enough"


def test_with_many_kinds_of_failure_nothing_is_left_out_and_nothing_spent() -> None:
    class Many(WorldContext):
        def passes(self, candidate: Candidate, case: Case) -> bool:
            return candidate.id != self.baseline.id

        def evidence(
            self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
        ) -> Evidence:
            found = super().evidence(rows, base, attempts)
            buckets = tuple(
                bucket.model_copy(update={"tag": f"{bucket.tag}-{n % 2}", "case_ids": ids})
                for bucket in found.buckets
                for n, ids in enumerate((bucket.case_ids[::2], bucket.case_ids[1::2]))
                if ids
            )
            return found.model_copy(update={"buckets": buckets})

    left, calls = leaned(Many(), [RULES["format"], *IDLE])
    assert left is None
    assert calls <= 18, "no more than a look at what the line cures"


@pytest.mark.parametrize(
    ("origins", "left"),
    [
        ([("replace", "a.", "b."), ("replace", "b.", "c.")], [("replace", "a.", "c.")]),
        ([("append", "", "b."), ("replace", "b.", "c.")], [("append", "", "c.")]),
        ([("replace", "a.", "b."), ("delete", "b.", "")], [("delete", "a.", "")]),
        ([("append", "", "b."), ("delete", "b.", "")], []),
        (
            [("append", "", "b."), ("delete", "z.", "")],
            [("append", "", "b."), ("delete", "z.", "")],
        ),
        ([("append", "", "b."), ("insert_after", "b.", "c.")],) * 2,
    ],
)
def test_what_rewrites_a_sentence_of_the_search_is_joined_with_it(
    origins: Sequence[tuple[str, str, str]], left: Sequence[tuple[str, str, str]]
) -> None:
    given = [origin(text, kind=kind, anchor=anchor) for kind, anchor, text in origins]
    joined = merged(given)
    assert [(o.atom.kind, o.atom.anchor, o.atom.text) for o in joined] == list(left)
    seed = WorldContext().baseline.program
    seed = compose(seed, [origin("a.").atom, origin("z.").atom]).program
    assert (
        compose(seed, [o.atom for o in joined]).program
        == compose(seed, [o.atom for o in given]).program
    )


def test_a_line_that_is_plainly_worse_on_other_cases_is_refused() -> None:
    context = OneFlaw()
    whole = line_of(context, [origin(RULES["format"]), origin(IDLE[0])])
    worse = line_of(context, [origin(IDLE[0])])
    same = line_of(context, [origin(RULES["format"])])

    async def work() -> Mapping[str, bool]:
        settings, cases = AutoSettings(), context.train[30:]
        return {
            name: (await no_worse(context, settings, whole, item, cases))[0].taken
            for name, item in (("worse", worse), ("same", same))
        }

    assert asyncio.run(work()) == {"worse": False, "same": True}


def test_auto_ends_with_the_sentence_that_is_needed() -> None:
    """One reply brings idle sentences along; what is left in the end is the cure."""

    class Wordy(OneFlaw):
        async def propose(
            self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
        ) -> Sequence[Candidate]:
            found = await super().propose(generator, base, evidence, attempt=attempt)
            idle = [
                self._with_sentence(base, generator, bucket, text)
                for bucket in evidence.buckets
                for text in IDLE[:3]
                if text not in base.program.prompt.text
            ]
            return [*found, *idle]

    context = Wordy(n_cases=90, sentences=ONE_RULE)
    finalist = asyncio.run(Auto().search(context))
    assert finalist is not None
    text = finalist.program.prompt.text
    assert RULES["format"] in text
    assert not [item for item in IDLE if item in text]
