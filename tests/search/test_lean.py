"""Leaving out what nothing needs: what cures stays, the rest goes, and only where few fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from promptyard.records.atoms import Atom, compose
from promptyard.records.base import content_hash
from promptyard.records.cases import Case
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Attempt, Evidence, TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.auto import Auto
from promptyard.search.checks import Ruling
from promptyard.search.lean import Leaner, near, no_worse
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
    bucket = {text: name for name, text in RULES.items()}
    line = line_of(context, [origin(text, bucket=bucket.get(text, "format")) for text in texts])

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


class OneRare(OneFlaw):
    """As `OneFlaw`; a case of another kind fails, too, and `cure` or luck makes it pass."""

    cure = ""
    salt = 0

    def passes(self, candidate: Candidate, case: Case) -> bool:
        if case.id != "t001":
            return super().passes(candidate, case)
        text = candidate.program.prompt.text
        return self.cure in text if self.cure else int(content_hash([self.salt, text]), 16) % 2 == 0


def test_what_a_rare_failure_needs_is_put_back() -> None:
    context = OneRare()
    context.cure = RULES["units"]
    left, calls = leaned(context, [*IDLE[:3], RULES["units"], RULES["format"], *IDLE[3:]])
    assert left == [RULES["units"], RULES["format"]]
    assert calls <= 90


def test_a_failure_that_luck_cures_keeps_no_sentence() -> None:
    """Luck is drawn anew with every prompt; looked at are draws in which the line has it."""
    texts = [RULES["format"], *IDLE]
    found: list[Sequence[str] | None] = []
    for salt in range(60):
        context = OneRare()
        context.salt = salt
        line = line_of(context, [origin(text) for text in texts])
        case = context.train[1]
        if context.passes(line.candidate, case) and not context.passes(context.baseline, case):
            found.append(leaned(context, texts)[0])
    assert len(found) >= 10
    assert sum(left != [RULES["format"]] for left in found) <= 1


def test_a_line_is_checked_on_further_cases_while_it_is_behind() -> None:
    class Unlucky(OneFlaw):
        """The first cases of the check fail with every shorter prompt."""

        def passes(self, candidate: Candidate, case: Case) -> bool:
            is_short = IDLE[0] not in candidate.program.prompt.text
            return not (is_short and case.id in self.unlucky)

        unlucky: Sequence[str] = ()

    def ruling(n_unlucky: int, task_calls: int | None = None) -> Ruling:
        context = Unlucky(n_cases=72, task_calls=task_calls)
        context.unlucky = [case.id for case in context.train[:n_unlucky]]
        whole = line_of(context, [origin(text) for text in (RULES["format"], *IDLE)])
        lean = line_of(context, whole.origins[:1])
        found = no_worse(context, AutoSettings(), whole, lean, context.train)
        return asyncio.run(found)[0]

    assert (ruling(0).taken, ruling(0).n_cases) == (True, 24)
    assert (ruling(2).taken, ruling(2).n_cases) == (True, 72)
    assert (ruling(5).taken, ruling(5).n_cases) == (False, 72)
    assert (ruling(5, 100).taken, ruling(5, 100).n_cases) == (False, 50)
    none = ruling(0, 20)
    assert (none.taken, none.n_cases) == (False, 0), "nothing is left out unchecked"


def test_the_check_compares_with_a_copy_that_was_not_chosen_by_its_luck() -> None:
    context = OneFlaw()
    whole = line_of(context, [origin(text) for text in (RULES["format"], *IDLE)])
    lean = line_of(context, whole.origins[:1])
    copy = asyncio.run(near(context, whole, lean))
    assert copy.program == line_of(context, whole.origins[:-1]).candidate.program
    one_less = line_of(context, whole.origins[:-1])
    assert asyncio.run(near(context, whole, one_less)) == whole.candidate


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
