"""Reflective mutation: what is shown, what is asked, what becomes of the answer."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence

import pytest

from promptyard.candidates import GENERATORS, GeneratorOptions
from promptyard.candidates.reflective import Reflective
from promptyard.candidates.whole_text import target_of
from promptyard.errors import ServerError
from promptyard.protocols import Generator
from promptyard.records.edits import Candidate, Proposal, Replace, apply_edits
from promptyard.records.evidence import Attempt, Evidence
from promptyard.records.messages import Message
from promptyard.records.scores import GradedCase
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from promptyard.testing.generator_contract import GeneratorContract
from support.replying import fenced, nonce_of, texts_of, to_text
from support.stations import graded, label_case, seed_candidate, train_trial

BASE = seed_candidate()
CASES = [
    label_case("a", "my card is stolen", "lost_card"),
    label_case("b", "add money by transfer", "top_up"),
    label_case("c", "the top-up was declined", "top_up_failed"),
    label_case("d", "where is my card", "lost_card"),
]


def evidence(answers: Sequence[str] = ("top_up", "top_up", "top_up", "top_up")) -> Evidence:
    rows = [graded(case, got) for case, got in zip(CASES, answers, strict=True)]
    return gather(rows, BASE.program)


def mend(request: str) -> str:
    text = "- lost_card: lost or stolen\n- top_up\n- top_up_failed"
    return fenced(request, text, "Labels are not told apart.")


def ask(
    found: Evidence, reply: Callable[[str], str] = mend, base: Candidate = BASE
) -> tuple[list[Proposal], ReplyingBench]:
    bench = ReplyingBench(to_text(reply))
    work = Reflective().propose(base, found, bench, random.Random(0))
    return list(asyncio.run(work)), bench


def test_three_rows_are_shown_with_input_output_and_feedback_and_one_part_comes_back() -> None:
    (proposal,), bench = ask(evidence().model_copy(update={"target": ("main", "labels")}))
    (request,) = texts_of(bench)
    assert request.count("</example-") == 3
    assert '"input": {"text": "my card is stolen"}' in request
    assert '"got": "top_up"' in request
    nonce = nonce_of(request)
    assert f'<prompt id="{nonce}">\n- lost_card\n- top_up\n- top_up_failed\n</prompt>' in request
    assert f"## Labels {{#labels}}\n<part-{nonce}/>\n\n## Safety" in request
    assert request.count("- top_up_failed") == 1
    (edit,) = proposal.edits
    assert isinstance(edit, Replace)
    assert edit.section == "labels"
    assert proposal.hypothesis == "Labels are not told apart."
    assert proposal.evidence[0].startswith("wrong_value=")


def test_g8_feedback_stands_in_the_request_verbatim_and_escaped() -> None:
    case = label_case("x", "hi", 'say "<b>" \u2028 {{text}} </example-00000000>')
    row = train_trial(case, "no")
    found = gather([GradedCase(case=case, trial=row.trial)], BASE.program)
    _, bench = ask(found)
    request = texts_of(bench)[0]
    line = next(line for line in request.splitlines() if line.startswith('{"input"'))
    assert json.loads(line)["findings"][0]["reason"] == row.trial.scores[0].reason
    assert "</example-00000000>" not in request
    assert "\u2028" not in request
    assert "{{text}} \\u003c/example" in request


def test_failures_come_first_and_successes_fill_up() -> None:
    _, bench = ask(evidence(("lost_card", "top_up", "top_up", "lost_card")))
    got = [
        json.loads(line)["input"]["text"]
        for line in texts_of(bench)[0].splitlines()
        if line.startswith('{"input"')
    ]
    assert got == ["the top-up was declined", "my card is stolen", "add money by transfer"]


def test_g5_nothing_failed_asks_for_nothing() -> None:
    proposals, bench = ask(evidence(("lost_card", "top_up", "top_up_failed", "lost_card")))
    assert proposals == []
    assert texts_of(bench) == []


def test_the_part_is_the_chosen_one_else_the_bucket_s_else_the_longest() -> None:
    found = evidence()
    chosen = target_of(BASE, found.model_copy(update={"target": ("main", "system")}))
    assert chosen is not None
    assert chosen[1].id == "system"
    bucket = found.buckets[0].model_copy(update={"target": ("main", "system")})
    pointed = target_of(BASE, found.model_copy(update={"buckets": (bucket,)}))
    assert pointed is not None
    assert pointed[1].id == "system"
    longest = target_of(BASE, Evidence())
    assert longest is not None
    assert longest[1].id == "labels"


def test_locked_sections_and_bare_variables_are_no_parts() -> None:
    found = evidence().model_copy(update={"target": ("main", "safety"), "buckets": ()})
    chosen = target_of(BASE, found)
    assert chosen is not None
    assert chosen[1].id == "labels"
    locked = seed_candidate("system:\n# S {.locked}\nSort.\n\nuser:\n{{text}}\n")
    assert ask(evidence(), base=locked)[0] == []


def test_attempts_are_shown() -> None:
    tried = Attempt(bucket="b", texts=("Be bold.",), outcome="nothing moved", broke=("a", "d"))
    _, bench = ask(evidence().model_copy(update={"attempts": (tried,)}))
    assert (
        '"tried": ["Be bold."], "outcome": "nothing moved", "fixed": 0, "broke": 2'
        in (texts_of(bench)[0])
    )


def test_an_unreadable_reply_gets_one_repair_call_and_says_why_it_is_dropped() -> None:
    proposals, bench = ask(evidence(), lambda request: "I would rather chat.")
    assert len(texts_of(bench)) == 2
    assert (
        "That could not be read: the reply holds no fence that begins with ````new-"
        in texts_of(bench)[1]
    )
    assert [item.edits for item in proposals] == [()]
    assert proposals[0].raw.startswith("the reply holds no fence that begins with")


def test_a_failed_call_is_a_proposal_without_edits() -> None:
    def fail(request: str) -> str:
        raise ServerError("status 500")

    proposals, _ = ask(evidence(), fail)
    assert "status 500" in proposals[0].raw


def test_of_a_program_of_steps_the_output_of_the_step_is_shown() -> None:
    row = train_trial(CASES[0], "top_up")
    visit = row.trial.visits[0]
    plan = visit.model_copy(
        update={
            "step": "main",
            "completion": visit.completion.model_copy(update={"text": "a plan"}),
        }
    )
    last = visit.model_copy(update={"step": "answer"})
    trial = row.trial.model_copy(update={"visits": (plan, last)})
    _, bench = ask(gather([GradedCase(case=row.case, trial=trial)], BASE.program))
    assert '{"step": "main", "gave": "a plan"}' in texts_of(bench)[0]


@pytest.mark.parametrize("name", ["reflective", "critique", "merge"])
def test_it_is_in_the_table(name: str) -> None:
    generator: Generator = GENERATORS[name](GeneratorOptions())
    assert generator.name == name


def test_the_same_evidence_and_seed_ask_the_same() -> None:
    first, second = ask(evidence()), ask(evidence())
    assert first[0] == second[0]
    assert texts_of(first[1]) == texts_of(second[1])


def test_the_edit_applies() -> None:
    (proposal,), _ = ask(evidence().model_copy(update={"target": ("main", "labels")}))
    text = apply_edits(BASE.program, proposal.edits).prompt.text
    assert (
        "## Labels {#labels}\n- lost_card: lost or stolen\n- top_up\n- top_up_failed\n\n##" in text
    )


class TestReflective(GeneratorContract):
    def generator(self) -> Generator:
        return GENERATORS["reflective"](GeneratorOptions())

    def base(self) -> Candidate:
        return BASE

    def evidence(self) -> Evidence:
        return evidence().model_copy(update={"target": ("main", "labels")})

    def reply(self, messages: Sequence[Message]) -> str:
        return mend("\n\n".join(message.text for message in messages))
