"""The worlds themselves: what prompts do in them, and that everything repeats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from search_worlds import PLANS, WORLD_NAMES, world_of
from search_worlds.cases import WorldCase
from search_worlds.phrases import Phrase, sentences
from search_worlds.plan import Plan, Skill
from search_worlds.shapes import Turn
from search_worlds.world import World

# They hold the simulated worlds, which are no part of what coverage is measured of.
pytestmark = pytest.mark.no_cover

SHORT_WORLDS = tuple(name for name in WORLD_NAMES if name != "crew-handbook")
LONG_WORLD = "crew-handbook"


def planted(plan: Plan) -> Iterator[tuple[Phrase, str]]:
    for skill in plan.skills:
        yield from ((Phrase("rule", skill.name), text) for text in skill.rules)
        yield from ((Phrase("vague", skill.name), text) for text in skill.vague)
        yield from ((Phrase("contrary", skill.name), text) for text in skill.contrary)
    for number, trap in enumerate(plan.traps):
        yield from ((Phrase("trap", str(number)), text) for text in trap.sentences)
    yield from ((Phrase("idle", ""), text) for text in plan.idle)


def answer(world: World, prompt: str, case: WorldCase, sample: int = 0) -> str:
    turns = (Turn("system", prompt), Turn("user", case.input))
    return world.task_model.reply(turns, sample)[0]


def measured(world: World, prompt: str) -> float:
    scores = [world.score(case, answer(world, prompt, case)).score for case in world.test]
    return sum(scores) / len(scores)


def best_without(world: World, skill: Skill) -> str:
    """The best prompt without everything that is said for one skill."""
    book = world.effects.phrasebook
    kept = [
        line
        for line in world.oracle_prompt.splitlines()
        if not any(phrase.key == skill.name for phrase in book.find(line.lstrip("- ")))
    ]
    return "\n".join(kept)


def chance(world: World, prompt: str, skill: str, n_demos: int = 0) -> float:
    return world.effects.chances(prompt, {skill: n_demos})[skill]


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_a_planted_sentence_says_what_it_is_planted_for_and_nothing_else(name: str) -> None:
    plan = PLANS[name]
    book = world_of(name).effects.phrasebook
    for phrase, text in planted(plan):
        assert len(sentences(text)) == 1, text
        found = book.find(sentences(text)[0])
        if phrase.kind == "vague":  # twins share their vague sentences
            assert phrase in found
            assert {item.kind for item in found} == {"vague"}
        else:
            assert found == {phrase}, text


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_every_skill_is_needed_by_some_case_and_fails_in_its_own_way(name: str) -> None:
    world = world_of(name)
    needed = {skill for case in (*world.train, *world.val, *world.test) for skill in case.wrongs}
    assert needed == {skill.name for skill in world.plan.skills}
    for case in world.train:
        for skill, wrong in case.wrongs.items():
            expected = case.gold if isinstance(case.gold, dict) else {"label": case.gold}
            assert world.plan.by_name[skill].field in wrong
            assert all(wrong[field] != expected[field] for field in wrong)


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_marks_and_signs_tell_what_a_reader_would_see(name: str) -> None:
    """A mistake fits the sign of its skill; the input of a case that needs a skill has its mark."""
    world = world_of(name)
    for case in world.train:
        for skill_name in case.wrongs:
            skill = world.plan.by_name[skill_name]
            assert not skill.marker or re.search(skill.marker, case.input), (skill_name, case.input)


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_a_world_repeats_exactly_and_another_seed_is_another_world(name: str) -> None:
    first, again = World(PLANS[name], 3), World(PLANS[name], 3)
    other = World(PLANS[name], 4)
    assert first.seed_prompt == again.seed_prompt
    assert first.train == again.train
    assert first.train != other.train
    assert [answer(first, first.seed_prompt, case) for case in first.val] == [
        answer(again, again.seed_prompt, case) for case in again.val
    ]


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_references_are_unique_over_the_splits(name: str) -> None:
    world = world_of(name)
    refs = [case.ref for case in (*world.train, *world.val, *world.test)]
    assert len(set(refs)) == len(refs) == 460


@pytest.mark.parametrize("name", SHORT_WORLDS)
@pytest.mark.parametrize("seed", range(5))
def test_seed_prompts_are_poor_and_the_best_prompt_is_nearly_perfect(name: str, seed: int) -> None:
    world = world_of(name, seed)
    assert 0.25 <= world.expected_score(world.seed_prompt) <= 0.55
    assert 0.97 <= world.expected_score(world.oracle_prompt) <= 0.996


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_the_expected_score_is_what_calls_measure(name: str) -> None:
    world = world_of(name, 2)
    for prompt in (world.seed_prompt, world.oracle_prompt):
        assert measured(world, prompt) == pytest.approx(world.expected_score(prompt), abs=0.035)


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_every_rule_raises_the_score_and_each_wording_of_it_does(name: str) -> None:
    world = world_of(name, 1)
    for skill in world.plan.skills:
        without = best_without(world, skill)
        scores = [world.expected_score(f"{without}\n{text}") for text in skill.rules]
        assert min(scores) > world.expected_score(without), skill.name


@pytest.mark.parametrize("name", SHORT_WORLDS)
def test_a_vague_sentence_helps_less_than_any_rule(name: str) -> None:
    world = world_of(name, 1)
    for skill in world.plan.skills:
        nothing = chance(world, "", skill.name)
        vague = [chance(world, text, skill.name) for text in skill.vague]
        ruled = [chance(world, text, skill.name) for text in skill.rules]
        assert nothing < min(vague)
        assert max(vague) < min(ruled)


def test_wordings_of_one_rule_compete() -> None:
    """Two sentences for one skill are together worse than the better of them."""
    world = world_of("clinic-notes", 0)
    drops = 0
    for skill in world.plan.skills:
        best = world.effects.best_wording(skill)
        for text in skill.rules:
            both = chance(world, f"{best}\n{text}", skill.name)
            assert both <= chance(world, best, skill.name)
            drops += both < chance(world, best, skill.name) - 0.05
    assert drops >= 2


@pytest.mark.parametrize("name", SHORT_WORLDS)
def test_a_trap_lifts_its_skills_and_damages_the_best_prompt(name: str) -> None:
    world = world_of(name, 0)
    best = world.expected_score(world.oracle_prompt)
    for trap in world.plan.traps:
        text = trap.sentences[0]
        for skill in trap.lifts:
            assert chance(world, text, skill) > chance(world, "", skill) + 0.3
        assert world.expected_score(f"{world.oracle_prompt}\n{text}") < best - 0.05


@pytest.mark.parametrize("name", WORLD_NAMES)
def test_harm_only_damages_and_idle_sentences_change_nothing(name: str) -> None:
    world = world_of(name, 0)
    for prompt in (world.seed_prompt, world.oracle_prompt):
        score = world.expected_score(prompt)
        for text in world.plan.harm:
            assert world.expected_score(f"{prompt}\n{text}") <= score
        for text in world.plan.idle:
            assert world.expected_score(f"{prompt}\n{text}") == pytest.approx(score, abs=1e-9)
    best = world.expected_score(world.oracle_prompt)
    for text in world.plan.harm:
        assert world.expected_score(f"{world.oracle_prompt}\n{text}") < best - 0.005


@pytest.mark.parametrize("name", SHORT_WORLDS)
def test_clashing_rules_hurt_each_other_until_both_are_there(name: str) -> None:
    world = world_of(name, 0)
    for clash in world.plan.clashes:
        for rule, victim in ((clash.one, clash.other), (clash.other, clash.one)):
            text = world.effects.best_wording(world.plan.by_name[rule])
            own = world.effects.best_wording(world.plan.by_name[victim])
            assert chance(world, text, victim) < chance(world, "", victim)
            assert chance(world, f"{text}\n{own}", victim) > 0.95


@pytest.mark.parametrize("name", SHORT_WORLDS)
def test_some_buckets_take_two_rules(name: str) -> None:
    """Skills share a tag and a symptom, and a rule for one of them leaves the other as it is."""
    world = world_of(name, 0)
    by_tag: dict[str, list[Skill]] = {}
    for skill in world.plan.skills:
        by_tag.setdefault(skill.tag, []).append(skill)
    twins = [skills for skills in by_tag.values() if len(skills) > 1]
    assert twins
    for one, other, *_ in twins:
        assert one.symptom == other.symptom
        text = world.effects.best_wording(one)
        assert chance(world, text, other.name) <= chance(world, "", other.name)
        assert any(one.name in case.wrongs for case in world.train)
        assert any(other.name in case.wrongs for case in world.train)


@pytest.mark.parametrize("name", SHORT_WORLDS)
def test_one_skill_takes_a_rule_and_a_demonstration(name: str) -> None:
    world = world_of(name, 0)
    (skill,) = [item for item in world.plan.skills if item.needs_demo]
    rule = world.effects.best_wording(skill)
    assert chance(world, rule, skill.name) < 0.7
    assert chance(world, "", skill.name, n_demos=3) < 0.7
    assert chance(world, rule, skill.name, n_demos=1) > 0.95


def test_demonstrations_are_read_in_turns_and_in_text_and_wrong_ones_teach_nothing() -> None:
    world = world_of("clinic-notes", 0)
    asked = world.test[0]
    shown = next(case for case in world.train if "urgency_scale" in case.wrongs)
    turns = (
        Turn("system", world.seed_prompt),
        Turn("user", shown.input),
        Turn("assistant", shown.gold_text),
        Turn("user", asked.input),
    )
    inside = f"{world.seed_prompt}\nExample:\n{shown.input}\nAnswer: {shown.gold_text}\n"
    assert isinstance(shown.gold, dict)
    wrong = json.dumps({**shown.gold, "urgency": "?"})
    for given, teaches in (
        (turns, True),
        ((Turn("system", inside), Turn("user", asked.input)), True),
        ((*turns[:2], Turn("assistant", wrong), turns[3]), False),
    ):
        question = world.task_model.question(given)
        assert question is not None
        assert question.case == asked
        assert question.n_demos.get("urgency_scale", 0) == teaches
        assert shown.input not in question.instruction
        assert '"urgency"' not in question.instruction


def test_attention_is_lost_to_length() -> None:
    world = world_of("lease-clauses", 0)
    padding = " ".join(f"Remark {number} says little of use." for number in range(2000))
    short, long = world.oracle_prompt, f"{world.oracle_prompt}\n{padding}"
    assert world.expected_score(long) < world.expected_score(short) - 0.1


def test_the_same_call_gives_the_same_answer_and_a_changed_prompt_draws_some_anew() -> None:
    world = world_of("lease-clauses", 1)
    changed = f"{world.seed_prompt}\n{world.plan.idle[0]}"
    first = [answer(world, world.seed_prompt, case) for case in world.test]
    assert first == [answer(world, world.seed_prompt, case) for case in world.test]
    flipped = sum(
        one != answer(world, changed, case) for one, case in zip(first, world.test, strict=True)
    )
    sampled = sum(
        one != answer(world, world.seed_prompt, case, sample=1)
        for one, case in zip(first, world.test, strict=True)
    )
    assert 0.02 * 300 < flipped < 0.4 * 300
    assert 0.02 * 300 < sampled < 0.4 * 300


def test_noisy_worlds_draw_more_of_the_luck_anew() -> None:
    flips: list[int] = []
    for name in ("freight-bills", "freight-bills+noisy"):
        world = world_of(name, 1)
        changed = f"{world.seed_prompt}\n{world.plan.idle[0]}"
        flips.append(
            sum(
                answer(world, world.seed_prompt, case) != answer(world, changed, case)
                for case in world.test
            )
        )
    assert flips[1] > 1.2 * flips[0]


def test_feedback_says_as_much_as_the_options_allow() -> None:
    for options, symptom, tagged in (
        ("", True, True),
        ("+terse", False, True),
        ("+notags", True, False),
        ("+notags+terse", False, False),
    ):
        world = world_of(f"freight-bills{options}", 0)
        case = next(case for case in world.train if "payer_role" in case.wrongs)
        assert isinstance(case.gold, dict)
        wrong = {**case.gold, **case.wrongs["payer_role"]}
        graded = world.score(case, str(wrong).replace("'", '"').replace("None", "null"))
        assert graded.score == pytest.approx(0.4)
        assert f'expected "{case.gold["payer"]}"' in graded.feedback
        assert ("a role was expected" in graded.feedback) == symptom
        assert graded.tags == (("payer:name_given",) if tagged else ())


def test_an_unknown_mistake_and_an_unreadable_answer_are_graded_too() -> None:
    world = world_of("freight-bills", 0)
    case = world.train[0]
    assert world.score(case, case.gold_text).score == 1.0
    assert world.score(case, "I cannot read this.") == (
        0.0,
        "The answer is no JSON object.",
        ("answer:no_object",),
    )
    assert "carrier:wrong" in world.score(case, "{}").tags


def test_a_wordy_label_with_a_wrong_label_inside_has_both_tags() -> None:
    world = world_of("lease-clauses", 0)
    case = next(case for case in world.test if {"label_only", "neglect"} <= set(case.wrongs))
    graded = world.score(case, "The clause is about upkeep.")
    assert set(graded.tags) == {"label:wordy", "label:fault"}
    assert graded.score == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_long_prompt_has_twelve_sections_and_one_wrong_sentence(seed: int) -> None:
    world = world_of(LONG_WORLD, seed)
    prompt = world.seed_prompt
    assert 7000 <= len(prompt) / 4 <= 9000
    assert prompt.count("\n## ") == 12
    phrases = [world.effects.phrasebook.find(text) for text in sentences(prompt)]
    kinds = [phrase.kind for found in phrases for phrase in found]
    assert kinds.count("rule") == 23
    assert kinds.count("contrary") == 1
    assert set(kinds) == {"rule", "contrary"}


@pytest.mark.parametrize("seed", range(10))
def test_one_small_edit_repairs_the_long_prompt(seed: int) -> None:
    world = world_of(LONG_WORLD, seed)
    skill, wrong = next(
        (skill, text)
        for skill in world.plan.skills
        for text in skill.contrary
        if text in world.seed_prompt
    )
    right = world.effects.best_wording(skill)
    repaired = world.seed_prompt.replace(wrong, right)
    before, after = (world.expected_score(text) for text in (world.seed_prompt, repaired))
    assert len(wrong) + len(right) < 0.02 * len(world.seed_prompt)
    assert before < 0.9
    assert after > max(0.93, before + 0.08)
    beside = world.expected_score(f"{world.seed_prompt}\n{right}")
    assert beside < after - 0.05  # the right sentence does little beside the wrong one
    section = world.seed_prompt[: world.seed_prompt.index(wrong)].rpartition("\n## ")[2]
    title = section.split("\n")[0].lower()
    feedback = " ".join((skill.tag, skill.symptom, skill.field)).lower()
    assert not set(re.findall(r"\w{4,}", title)) & set(re.findall(r"\w{4,}", feedback))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no world 'clinic'"):
        world_of("clinic")
    with pytest.raises(ValueError, match="no option"):
        world_of("clinic-notes+loud")
