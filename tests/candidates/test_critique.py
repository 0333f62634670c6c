"""Critique: groups of errors, reasons, rewrites, other words (criteria P1, P2, P4, P5, PE2)."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence

import pytest

from promptyard.candidates.critique import Critique, error_groups
from promptyard.candidates.critique_reply import read_critique
from promptyard.protocols import Generator
from promptyard.records.edits import Candidate, Proposal, Replace, apply_edits
from promptyard.records.evidence import Evidence
from promptyard.records.messages import Message
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from promptyard.testing.generator_contract import GeneratorContract
from support.replying import fenced, nonce_of, texts_of, to_text
from support.stations import graded, label_case, seed_candidate, train_trial

BASE = seed_candidate()
N_CASES = 40


def evidence(n_wrong: int = 20) -> Evidence:
    """Cases 0 .. n_wrong - 1 fail, the rest pass."""
    rows = [
        graded(label_case(f"c{n}", f"text {n}", "top_up"), "lost_card" if n < n_wrong else "top_up")
        for n in range(N_CASES)
    ]
    return gather(rows, BASE.program).model_copy(update={"target": ("main", "labels")})


def optimizer(request: str) -> str:
    """Analyse, reason, rewrite or paraphrase, by what is asked for."""
    nonce = nonce_of(request)
    number = sum(request.encode())  # texts differ as requests do
    if "find out why" in request:
        n_examples = request.count("</example-")
        analyses = "".join(
            f'<analysis-{nonce} number="{n}">wrong: {n}</analysis-{nonce}>\n'
            for n in range(1, n_examples + 1)
        )
        return f"{analyses}<reason-{nonce}>Cause {number}.</reason-{nonce}>"
    return fenced(request, f"- lost_card\n- top_up: {number}\n- top_up_failed")


def ask(
    found: Evidence, reply: Callable[[str], str] = optimizer, base: Candidate = BASE
) -> tuple[list[Proposal], ReplyingBench]:
    bench = ReplyingBench(to_text(reply))
    return list(asyncio.run(Critique().propose(base, found, bench, random.Random(3)))), bench


def errors_in(request: str) -> list[str]:
    rows = [json.loads(line) for line in request.splitlines() if line.startswith('{"input"')]
    assert all(row["got"] != row["expected"] for row in rows)
    return sorted(row["input"]["text"] for row in rows)


def of_kind(bench: ReplyingBench, word: str) -> list[str]:
    return [request for request in texts_of(bench) if word in request]


def test_p1_four_groups_of_at_most_four_cases_that_were_answered_wrongly() -> None:
    _, bench = ask(evidence())
    groups = [errors_in(request) for request in of_kind(bench, "find out why")]
    assert [len(group) for group in groups] == [4, 4, 4, 4]
    assert len({text for group in groups for text in group}) == 16


@pytest.mark.parametrize(
    ("n_wrong", "sizes"), [(1, [1]), (4, [4]), (5, [1, 4, 4, 4]), (6, [2, 4, 4, 4])]
)
def test_p1_few_errors_give_fewer_or_overlapping_groups_none_twice(
    n_wrong: int, sizes: list[int]
) -> None:
    groups = error_groups(evidence(n_wrong).failures, random.Random(0))
    assert sorted(map(len, groups)) == sizes
    shown = [frozenset(row.case.id for row in group) for group in groups]
    assert len(set(shown)) == len(shown)


def test_p2_each_rewrite_sees_the_errors_and_analyses_that_made_its_reason() -> None:
    _, bench = ask(evidence())
    made: dict[str, list[str]] = {}
    for request in of_kind(bench, "find out why"):
        made[read_critique(optimizer(request), nonce_of(request), 1).reasons[0]] = errors_in(
            request
        )
    rewrites = of_kind(bench, "The reason to mend")
    assert len(rewrites) == 4
    for request in rewrites:
        nonce = nonce_of(request)
        reason = json.loads(request.split(f"<reason-{nonce}>\n")[1].split("\n")[0])
        assert errors_in(request) == made.pop(reason)
        assert request.count('{"analysis": "wrong: ') == 4
    assert made == {}


def test_two_paraphrases_of_every_new_text_and_of_the_old_one() -> None:
    proposals, bench = ask(evidence())
    asked = of_kind(bench, "into other words")
    assert len(asked) == 2 * (4 + 1)
    assert sum("- lost_card\n- top_up\n- top_up_failed" in request for request in asked) == 2
    assert sorted(bench.replicates) == [0] * (4 + 4 + 5) + [1] * 5
    assert len(proposals) == 4 + 2 * 5
    assert all(proposal.edits for proposal in proposals)


def test_p4_only_the_target_part_changes() -> None:
    proposals, _ = ask(evidence())
    before = BASE.program.prompt.sections
    for proposal in proposals:
        after = apply_edits(BASE.program, proposal.edits).prompt.sections
        changed = [old.id for old, new in zip(before, after, strict=True) if old != new]
        assert changed == ["labels"]


def test_p4_also_where_its_text_occurs_twice() -> None:
    body = "- lost_card\n- top_up\n- top_up_failed\n"
    base = seed_candidate(f"system:\n## First\n{body}\n## Second\n{body}\nuser:\n{{{{text}}}}\n")
    found = evidence().model_copy(update={"target": ("main", "second")})
    for proposal in ask(found, base=base)[0]:
        (edit,) = proposal.edits
        assert isinstance(edit, Replace)
        text = apply_edits(base.program, proposal.edits).prompt.text
        assert text.startswith(f"system:\n## First\n{body}\n## Second\n")
        assert text.count("- top_up: ") == 1


def test_p5_no_errors_ask_for_nothing() -> None:
    proposals, bench = ask(evidence(0))
    assert proposals == []
    assert texts_of(bench) == []


def test_pe2_the_layout_is_shown_verbatim_with_the_place_of_the_input() -> None:
    _, bench = ask(evidence())
    part = "- lost_card\n- top_up\n- top_up_failed"
    before, after = BASE.program.prompt.text.strip("\n").split(part)
    for request in [*of_kind(bench, "find out why"), *of_kind(bench, "The reason to mend")]:
        nonce = nonce_of(request)
        layout = f"<layout-{nonce}>\n{before}<part-{nonce}/>{after}\n</layout-{nonce}>"
        assert layout in request
        assert "user:\n{{text}}\n</layout" in request
        assert f'<prompt id="{nonce}">\n{part}\n</prompt>' in request


def test_pe2_the_questions_are_answered_of_each_example_before_anything_is_rewritten() -> None:
    def sloppy(request: str) -> str:
        reply = optimizer(request)
        if "That could not be used" in request or "find out why" not in request:
            return reply
        return reply[reply.index("<reason-") :]

    _, bench = ask(evidence(4), sloppy)
    again = of_kind(bench, "That could not be used")
    assert len(again) == 1
    assert "4 examples want an analysis each, the reply has 0" in again[0]
    first = texts_of(bench).index(again[0])
    rewrites = [n for n, text in enumerate(texts_of(bench)) if "The reason to mend" in text]
    assert rewrites
    assert min(rewrites) > first
    for question in ("Is the answer correct", "describe the task", "Must the part", "what exactly"):
        assert question in texts_of(bench)[0]


def test_a_second_reply_without_analyses_will_do_and_one_without_reasons_is_dropped() -> None:
    def bare(request: str) -> str:
        reply = optimizer(request)
        return reply[reply.index("<reason-") :] if "find out why" in request else reply

    proposals, _ = ask(evidence(4), bare)
    assert [bool(p.edits) for p in proposals] == [True] * 5

    def silent(request: str) -> str:
        return "" if "find out why" in request else optimizer(request)

    proposals, bench = ask(evidence(4), silent)
    assert [bool(p.edits) for p in proposals] == [False, True, True]  # the old text in other words
    assert proposals[0].raw.startswith("no reason between")
    assert of_kind(bench, "The reason to mend") == []


def test_a_reason_in_prose_is_quoted_to_the_rewriter_without_another_call() -> None:
    def prose(request: str) -> str:
        return 'It says "none" of\nrefunds.' if "find out why" in request else optimizer(request)

    proposals, bench = ask(evidence(4), prose)
    (rewrite,) = of_kind(bench, "The reason to mend")
    assert '"It says \\"none\\" of refunds."' in rewrite
    assert of_kind(bench, "That could not be used") == []
    assert all(proposal.edits for proposal in proposals)


def test_reasons_that_repeat_are_one() -> None:
    reply = "<reason-0a1b2c3d>Same.</reason-0a1b2c3d>" * 3 + "<reason-0a1b2c3d>Other.</reason>"
    assert read_critique(reply, "0a1b2c3d", 4).reasons == ("Same.", "Other.</reason>")


def test_proposals_come_in_the_order_of_the_groups_whatever_answers_first() -> None:
    first, second = ask(evidence())[0], ask(evidence())[0]
    assert first == second


def test_errors_are_the_failing_rows_alone() -> None:
    row = train_trial(label_case("x", "hi", "top_up"), "lost_card")
    assert error_groups([row], random.Random(0)) == [(row,)]


class TestCritique(GeneratorContract):
    def generator(self) -> Generator:
        return Critique()

    def base(self) -> Candidate:
        return BASE

    def evidence(self) -> Evidence:
        return evidence()

    def reply(self, messages: Sequence[Message]) -> str:
        return optimizer("\n\n".join(message.text for message in messages))
