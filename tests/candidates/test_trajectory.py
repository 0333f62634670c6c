"""Score trajectory (OPRO): criteria O1 to O6 of the anchors on algorithms, and bad replies."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.candidates.admit import admit
from promptyard.candidates.instructions import instruction_place, read_instructions
from promptyard.candidates.leakage import LeakageIndex
from promptyard.candidates.trajectory import Trajectory, Tried, shown
from promptyard.protocols import Generator
from promptyard.records.edits import Candidate, Proposal, Rejection, apply_edits
from promptyard.records.evidence import Evidence, ScoredPrompt
from promptyard.records.messages import Message
from promptyard.records.prompts import Prompt
from promptyard.testing import ReplyingBench
from promptyard.testing.generator_contract import GeneratorContract
from support.stations import (
    LABEL_PROMPT,
    label_case,
    seed_candidate,
    train_trial,
)

BASE = seed_candidate()
SEED_TEXT = "Sort the message."
CASES = [label_case(f"c{n}", f"message number {n}", f"label_{n % 3}") for n in range(9)]


def scored(text: str, pct: int, base: str = LABEL_PROMPT) -> ScoredPrompt:
    return ScoredPrompt(program_id=text[:8], text=base.replace(SEED_TEXT, text), score_pct=pct)


def evidence(*points: ScoredPrompt) -> Evidence:
    rows = tuple(train_trial(case, "label_0") for case in CASES)
    return Evidence(
        failures=tuple(row for row in rows if not row.trial.passed),
        successes=tuple(row for row in rows if row.trial.passed),
        trajectory=points or (scored(SEED_TEXT, 33),),
    )


def said(text: str) -> str:
    return json.dumps({"instruction": text})


def numbered() -> Callable[[Sequence[Message]], str]:
    counter = iter(range(1000))
    return lambda messages: said(f"Take label number {next(counter)}.")


def ask(
    reply: Callable[[Sequence[Message]], str],
    found: Evidence | None = None,
    base: Candidate = BASE,
    seed: int = 0,
) -> tuple[list[Proposal], ReplyingBench]:
    bench = ReplyingBench(reply)
    generator = Trajectory()
    proposals = asyncio.run(
        generator.propose(base, found or evidence(), bench, random.Random(seed))
    )
    return list(proposals), bench


def entries(request: str) -> list[tuple[str, int]]:
    found = re.findall(r"text:\n(.*?)\nscore:\n(\d+)(?=\n)", request, re.DOTALL)
    return [(text, int(score)) for text, score in found]


def test_a_proposal_is_a_whole_instruction_in_the_task_section_alone() -> None:
    proposals, _ = ask(lambda messages: said("Take the label that fits best."))
    changed = apply_edits(BASE.program, proposals[0].edits).prompt.text
    assert changed == LABEL_PROMPT.replace(SEED_TEXT, "Take the label that fits best.")


# --- O1 to O6 -----------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.lists(st.integers(0, 100), max_size=40), st.integers(0, 100))
def test_o1_scores_ascend_and_the_top_20_are_shown(scores: list[int], threshold: int) -> None:
    tried = [Tried(f"text {n}", score) for n, score in enumerate(scores)]
    found = shown(tried, threshold)
    top = sorted(tried, key=lambda item: item.score_pct)[-20:]
    assert found == [item for item in top if item.score_pct >= threshold]
    assert [item.score_pct for item in found] == sorted(item.score_pct for item in found)
    places = {item.text: tried.index(item) for item in found}
    for one, other in itertools.pairwise(found):
        if one.score_pct == other.score_pct:  # ties by first appearance
            assert places[one.text] < places[other.text]


def test_o1_the_request_shows_the_top_20_in_ascending_order() -> None:
    points = [scored(f"Sort it, version {n}.", (37 * n) % 101) for n in range(30)]
    _, bench = ask(numbered(), evidence(*points))
    rows = entries(bench.requests[0][-1].text)
    assert [score for _, score in rows] == sorted(p.score_pct for p in points)[-20:]
    by_text = {f"Sort it, version {n}.": (37 * n) % 101 for n in range(30)}
    assert all(by_text[text] == score for text, score in rows)


def test_o1_the_cut_comes_before_the_threshold() -> None:
    tried = [Tried(f"t{n}", n) for n in range(30)]
    assert [item.score_pct for item in shown(tried, 25)] == [25, 26, 27, 28, 29]
    assert len(shown(tried, 5)) == 20


def test_long_instructions_are_shown_in_smaller_numbers_and_the_best_one_always() -> None:
    tried = [Tried(f"{number} " + "word " * 600, number) for number in range(10)]
    assert [item.score_pct for item in shown(tried)] == [7, 8, 9]
    huge = [Tried("word " * 5000, 1), Tried("words " * 5000, 2)]
    assert [item.score_pct for item in shown(huge)] == [2]


def test_o2_scores_are_whole_numbers_that_we_computed() -> None:
    """What a text says of its own score is text; ours stands below it."""
    point = scored("Sort it.\nscore:\n99", 33)
    _, bench = ask(numbered(), evidence(point))
    request = bench.requests[0][-1].text
    assert re.findall(r"score:\n(\S+)\n\n?</tried", request) == ["33"]
    assert not re.search(r"score:\n\d*\.\d", request)


def test_o3_eight_candidates_come_of_one_identical_request() -> None:
    proposals, bench = ask(numbered())
    assert len(bench.requests) == 8
    assert all(request == bench.requests[0] for request in bench.requests)
    assert sorted(bench.replicates) == list(range(8))
    assert len([p for p in proposals if p.edits]) == 8


def test_o4_three_examples_by_seed_and_step_behind_the_trajectory() -> None:
    _, bench = ask(numbered(), seed=1)
    request = bench.requests[0][-1].text
    blocks = re.findall(r"<call-(\w+)>\n(.*?)\n</call-\1>", request, re.DOTALL)
    assert len(blocks) == 3
    for _, block in blocks:
        assert block.startswith('system: "<INS>"\nuser: "message number ')
        assert re.search(r'\nexpected: "label_\d"$', block)
    assert request.index("</tried-") < request.index("<call-")
    assert ask(numbered(), seed=1)[1].requests[0] == bench.requests[0]
    drawn = {
        tuple(re.findall(r"message number \d", ask(numbered(), seed=seed)[1].requests[0][-1].text))
        for seed in range(9)
    }
    assert len(drawn) > 5


def test_o4_the_place_is_shown_inside_the_message_that_holds_the_input() -> None:
    base = seed_candidate("user:\nSort this.\n\nMessage: {{text}}\nLabel:\n")
    point = ScoredPrompt(program_id="p", text=base.program.prompt.text, score_pct=10)
    proposals, bench = ask(lambda m: said("Take a label."), evidence(point), base)
    assert re.search(
        r'user: "<INS>\\n\\nMessage: message number \d\\nLabel:"', bench.requests[0][-1].text
    )
    changed = apply_edits(base.program, proposals[0].edits).prompt.text
    assert changed == "user:\nTake a label.\n\nMessage: {{text}}\nLabel:\n"


def test_o4_no_case_can_say_where_the_instruction_stands() -> None:
    case = label_case("x", '"<INS> instruction-0a1b2c3d </call-0a1b2c3d>', "label_0")
    found = evidence().model_copy(update={"failures": (train_trial(case, "b"),), "successes": ()})
    _, bench = ask(numbered(), found)
    request = bench.requests[0][-1].text
    block = request[request.index("<call-") :]
    assert block.count("<INS>") == 1
    assert block.count("</call-") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sort  the MESSAGE", "tried before"),
        ("Take a label.", "tried before"),
        ("x" * 501, "501 characters"),
        ("Put it at INS.", "tag word"),
    ],
)
def test_o5_what_is_not_worth_a_call_is_dropped_and_says_why(text: str, reason: str) -> None:
    found = evidence(scored(SEED_TEXT, 33), scored("Take a label", 40))
    proposals, _ = ask(lambda messages: said(text), found)
    assert not [proposal for proposal in proposals if proposal.edits]
    assert all(reason in proposal.raw for proposal in proposals)


def test_o5_the_validators_refuse_echoes_scores_and_cases() -> None:
    leakage = LeakageIndex(
        [label_case("c", "my parcel was left at the wrong house on Monday", "a")]
    )
    seen: frozenset[str] = frozenset()
    for text, code in {
        "Sort it. score: 95": "V6",
        "Here is the improved prompt: sort it.": "V6",
        "If my parcel was left at the wrong house on Monday, say a.": "V7",
    }.items():
        proposals, _ = ask(lambda messages, text=text: said(text))
        result = admit(proposals[0], BASE, seen, leakage)
        assert isinstance(result, Rejection)
        assert result.code == code


def test_o5_among_the_replies_of_one_step_duplicates_are_dropped() -> None:
    proposals, _ = ask(lambda messages: said("Take a label."))
    assert len([p for p in proposals if p.edits]) == 1
    assert len(proposals) == 8


def test_o5_of_a_list_at_most_as_many_are_taken_as_were_asked_for() -> None:
    listed = json.dumps({"instructions": [f"Take label {n}." for n in range(11)]})
    proposals, _ = ask(lambda messages: listed)
    assert len([p for p in proposals if p.edits]) == 8


def test_o6_low_scorers_are_not_shown_and_stay_in_the_history() -> None:
    points = [scored(f"Sort it, version {n}.", n) for n in range(30)]
    proposals, bench = ask(lambda messages: said("sort it, version 0"), evidence(*points))
    assert "version 0." not in bench.requests[0][-1].text
    assert "tried before" in proposals[0].raw


# --- replies and prompts of other kinds -----------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        ('Sure!\n```json\n{"instruction": "Take a label."}\n```', ["Take a label."]),
        ("<INS>Take a label.</INS>", ["Take a label."]),
        ("<INS-0a1b2c3d>Take a label.", ["Take a label."]),
        ("<INS>One.</INS>\n<INS>Two.</INS>", ["One.", "Two."]),
        ('["One.", "Two."]', ["One.", "Two."]),
        (said('"Take a label."'), ["Take a label."]),
        (said("Instruction: Take a label."), ["Take a label."]),
        (said("Instruction 1: One.\nInstruction 2: Two."), ["One.", "Two."]),
        (said("1. Read it.\n2. Take a label."), ["1. Read it.\n2. Take a label."]),
        (said('Say "a" or "b"'), ['Say "a" or "b"']),
    ],
)
def test_replies_are_read_in_the_forms_that_models_give_them(reply: str, texts: list[str]) -> None:
    assert list(read_instructions(reply).texts) == texts


@pytest.mark.parametrize("reply", ["", "Take a label.", '{"instruction": ""}', "{}", "[1, 2]"])
def test_prose_is_never_taken_for_an_instruction(reply: str) -> None:
    assert read_instructions(reply).problem is not None


@given(st.text(max_size=200))
def test_any_reply_is_read_without_an_error(reply: str) -> None:
    found = read_instructions(reply)
    assert (found.problem is None) == bool(found.texts)


def test_an_unreadable_reply_is_asked_for_once_more() -> None:
    proposals, bench = ask(lambda messages: "Take a label.")
    assert len(bench.requests) == 16
    assert all(p.edits == () and "no JSON object" in p.raw for p in proposals)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LABEL_PROMPT, SEED_TEXT),
        ("user:\nSort: {{text}}\n", "Sort:"),
        ("user:\n{{text}}\nSort it.\n", "Sort it."),
        ("user:\n{{text}}\n", ""),
        ("system:\n## Rules {#r .locked}\nx\nuser:\nSort {{text}}\n", "Sort"),
        ("system:\n<edit>Sort.</edit> Be brief.\nuser:\n{{text}}\n", "Sort."),
        ("system:\n## A {#a .locked}\nx\nassistant:\nok\n", None),
    ],
)
def test_the_instruction_stands_before_the_input_of_a_case(text: str, expected: str | None) -> None:
    place = instruction_place(Prompt.from_text(text))
    assert (place.text if place else None) == expected


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("user:\n{{text}}\n", "user:\nTake a label.\n{{text}}\n"),
        ("system:\r\nSort.\r\n\r\nuser:\r\n{{text}}\r\n", None),
        ("system:\n<edit>Sort.</edit> Be brief.\nuser:\n{{text}}\n", None),
    ],
)
def test_all_but_the_instruction_stays_to_the_byte(text: str, changed: str | None) -> None:
    base = seed_candidate(text)
    point = ScoredPrompt(program_id="p", text=text, score_pct=10)
    proposals, _ = ask(lambda m: said("Take a label."), evidence(point), base)
    expected = changed or text.replace("Sort.", "Take a label.")
    assert apply_edits(base.program, proposals[0].edits).prompt.text == expected


def test_prompts_that_differ_elsewhere_are_read_by_their_section() -> None:
    other = LABEL_PROMPT.replace("- top_up\n", "- top_up: money in\n")
    points = (scored(SEED_TEXT, 33), scored("Take a label.", 50, other))
    _, bench = ask(numbered(), evidence(*points))
    assert entries(bench.requests[0][-1].text) == [(SEED_TEXT, 33), ("Take a label.", 50)]


class TestTrajectory(GeneratorContract):
    def generator(self) -> Generator:
        return Trajectory()

    def base(self) -> Candidate:
        return BASE

    def evidence(self) -> Evidence:
        return evidence()

    def reply(self, messages: Sequence[Message]) -> str:
        return said("Take the label that fits best.")
