"""Sections earn credit where their edits moved a kind of failure; the user's word stays."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from promptyard.records.atoms import Atom
from promptyard.records.edits import Candidate
from promptyard.records.evidence import Attempt, Bucket, Evidence, TrainTrial
from promptyard.records.origins import Effect, Origin
from promptyard.records.prompts import Demo
from promptyard.search.auto import Auto
from promptyard.search.credit import SectionCredit, kind_of
from promptyard.testing.search_world import RULES, WorldContext


def origin(section: str, before: int, after: int, bucket: str = "wrong_value:status") -> Origin:
    effect = Effect(n_cases=2, n_failing_before=before, n_failing_after=after)
    atom = Atom(kind="append", region=section, text="Be exact.")
    return Origin(atom=atom, buckets=(bucket,), generator="reflect", effect=effect)


def bucket(target: str | None, **changes: object) -> Bucket:
    found = Bucket(tag="wrong_value", field="status", case_ids=("1",))
    place = None if target is None else ("main", target)
    return found.model_copy(update={"target": place, **changes})


def credit(*rounds: Sequence[Origin]) -> SectionCredit:
    made = SectionCredit()
    for origins in rounds:
        made.note(origins)
    return made


def directed(made: SectionCredit, given: Bucket) -> str | None:
    target = made.directed(given).target
    return None if target is None else target[1]


def test_without_a_record_the_rules_stand() -> None:
    assert directed(credit(), bucket("schema")) == "schema"
    assert directed(credit(), bucket(None)) is None


def test_a_section_that_moved_this_kind_of_failure_is_preferred() -> None:
    made = credit([origin("policy", 2, 0)])
    assert directed(made, bucket(None)) == "policy"
    assert directed(made, bucket("schema")) == "policy"
    assert directed(made, bucket("policy")) == "policy"


def test_of_two_that_moved_it_the_more_reliable_one_is_preferred_and_the_rule_breaks_ties() -> None:
    made = credit([origin("a", 2, 0), origin("b", 2, 0)], [origin("b", 2, 2)], [origin("c", 2, 1)])
    assert directed(made, bucket(None)) in ("a", "c")
    assert directed(made, bucket("c")) == "c"
    assert directed(made, bucket("b")) in ("a", "c")


def test_a_target_that_was_tried_in_vain_twice_is_left_to_the_model() -> None:
    once = credit([origin("schema", 2, 2)])
    assert directed(once, bucket("schema")) == "schema"
    twice = credit([origin("schema", 2, 2)], [origin("schema", 2, 2)])
    assert directed(twice, bucket("schema")) is None


def test_several_sentences_of_one_round_count_once() -> None:
    made = credit([origin("schema", 2, 2), origin("schema", 2, 2)])
    assert directed(made, bucket("schema")) == "schema"


def test_what_was_not_measured_is_no_record() -> None:
    unmeasured = origin("schema", 2, 2).model_copy(update={"effect": None})
    made = credit([unmeasured], [origin("schema", 0, 0)], [origin("schema", 0, 0)])
    assert directed(made, bucket("schema")) == "schema"
    assert not made.tried


def test_other_kinds_of_failure_have_records_of_their_own() -> None:
    made = credit([origin("policy", 2, 0, "unsupported_fact")])
    assert directed(made, bucket("schema")) == "schema"
    assert kind_of("wrong_value:status=open (not what is asked)") == "wrong_value:status"


def test_the_users_word_stays() -> None:
    made = credit([origin("policy", 2, 0)], *[[origin("schema", 2, 2)]] * 3)
    assert directed(made, bucket("schema", pinned=True)) == "schema"
    assert directed(made, bucket(None, pinned=True, by_demos=True)) is None


class Sections(WorldContext):
    """Records which targets the generator is asked about; all buckets want demonstrations if so."""

    by_demos = False

    def __init__(
        self,
        sentences: Mapping[str, str] | None = None,
        generators: Sequence[str] = ("reflect",),
    ) -> None:
        super().__init__(sentences=sentences, generators=generators)
        self.targets: list[tuple[str, str] | None] = []
        self.shown: list[int] = []

    async def compose(
        self,
        atoms: Sequence[Atom],
        demos: Sequence[Demo] | None = None,
        *,
        generator: str,
        buckets: Sequence[str] = (),
    ) -> Candidate | None:
        self.shown.append(len(demos or ()))
        return await super().compose(atoms, demos, generator=generator, buckets=buckets)

    def evidence(
        self, rows: Sequence[TrainTrial], base: Candidate, attempts: Sequence[Attempt] = ()
    ) -> Evidence:
        found = super().evidence(rows, base, attempts)
        changes = {"target": ("main", "wrong"), "by_demos": self.by_demos}
        return found.model_copy(
            update={"buckets": tuple(item.model_copy(update=changes) for item in found.buckets)}
        )

    async def propose(
        self, generator: str, base: Candidate, evidence: Evidence, *, attempt: int = 0
    ) -> Sequence[Candidate]:
        if generator == "reflect":
            self.targets += [item.target for item in evidence.buckets]
        return await super().propose(generator, base, evidence, attempt=attempt)


def test_the_search_asks_with_the_credit_of_stored_versions() -> None:
    context = Sections()
    context.past_origins = tuple(origin("system", 2, 0, tag) for tag in RULES)
    asyncio.run(Auto().search(context))
    assert set(context.targets) == {("main", "system")}


def test_the_search_learns_from_its_own_rounds() -> None:
    context = Sections(sentences={name: f"In vain about {name}." for name in RULES})
    asyncio.run(Auto().search(context))
    assert context.targets[: len(RULES)] == [("main", "wrong")] * len(RULES)
    # The scripted sentences all stand in the section `system` and move nothing: no credit for it.
    assert ("main", "system") not in context.targets


def test_buckets_that_the_user_gives_to_demonstrations_are_shown_and_not_asked_about() -> None:
    context = Sections(generators=("reflect", "demos"))
    context.by_demos = True
    asyncio.run(Auto().search(context))
    assert context.shown[0] == 2 * len(RULES)
    first_question = context.asked.index("run slice 8") if "run slice 8" in context.asked else 2
    assert not [item for item in context.asked[:first_question] if item == "propose reflect"]
