"""Where failures are likely mended: what the user says, then rules; unclear is said as unclear."""

from __future__ import annotations

import pytest

from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, FinishReason
from promptyard.records.prompts import Program, Prompt, Step, WorkflowSpec
from promptyard.records.scores import GradedCase, Score, StepVisit, Trial
from promptyard.signals.buckets import bucket_failures
from promptyard.signals.tags import KINDS
from promptyard.signals.targets import (
    SECTION_WORDS,
    Failure,
    near_places,
    place_of,
    step_at_fault,
    target_of,
)
from support.stations import LABEL_PROMPT

LABELS = Program.single(Prompt.from_text(LABEL_PROMPT))
SUPPORT = Program.single(
    Prompt.from_text(
        "system:\nSummarise, product and all.\n\n## Task {#task}\nList events.\n\n"
        "## Evidence policy {#evidence}\nState facts.\n\n"
        "## Output schema {#schema}\nFields: status, product_id.\n\n"
        "## Privacy\nTell nobody.\n\n## Tools\nCall them.\n\n## Length\nBe brief.\n\n"
        "## Status {#locked-one .locked}\nstatus is open.\n\nuser:\n{{t}}\n"
    )
)


def section(program: Program, tag: str, field: str | None = None, expected: str | None = None):
    return target_of(program, Failure(tag, field, expected)).section


@pytest.mark.parametrize(
    ("tag", "field", "wanted"),
    [
        ("unsupported_fact", None, "evidence"),
        ("unsupported_fact", "status", "evidence"),
        ("wrong_citation", None, "evidence"),
        ("invented_value", "status", "evidence"),
        ("invalid_json", None, "schema"),
        ("invalid_enum", "status", "schema"),
        ("missing_required_field", "product", "schema"),
        ("missing_fact", None, "task"),
        ("missing_value", None, "task"),
        ("wrong_value", "status", "schema"),
        ("wrong_value", "product", "system"),
        ("secret_leak", None, "privacy"),
        ("missing_refusal", None, "privacy"),
        ("invalid_tool_args", None, "tools"),
        ("too_long", None, "length"),
    ],
)
def test_a_kind_of_failure_points_at_the_section_that_is_made_for_it(
    tag: str, field: str | None, wanted: str
) -> None:
    assert section(SUPPORT, tag, field) == ("main", wanted)


def prompt(*titles: str) -> Program:
    parts = "".join(f"\n## {title}\nText of {title}.\n" for title in titles)
    return Program.single(Prompt.from_text(f"system:\nHello.\n{parts}\nuser:\n{{{{t}}}}\n"))


def test_where_no_section_fits_none_is_named() -> None:
    assert section(prompt("Cabins", "Ropes"), "wrong_value") is None
    assert target_of(prompt("Cabins"), Failure("low_score")).step == "main"


def test_where_several_sections_fit_equally_none_is_named() -> None:
    assert section(prompt("Sources of the east", "Sources of the west"), "wrong_citation") is None
    two = Program.single(Prompt.from_text("system:\n## A\nset id\n\n## B\nset id\n\nuser:\n{{t}}"))
    assert section(two, "wrong_value", "id") is None


def test_a_field_is_named_as_a_word() -> None:
    provided = Program.single(
        Prompt.from_text("system:\nAs provided.\n\n## B\nset id\n\nuser:\n{{t}}")
    )
    assert section(provided, "wrong_value", "id") == ("main", "b")


def test_the_only_section_is_the_target_whatever_fails() -> None:
    one = Program.single(Prompt.from_text("system:\nSort.\n\nuser:\n{{t}}\n"))
    assert section(one, "anything") == ("main", "system")


def test_a_label_points_at_the_section_that_lists_it() -> None:
    assert section(LABELS, "wrong_value", None, "top_up") == ("main", "labels")
    both = Program.single(
        Prompt.from_text(
            "system:\nAnswer `refund` rarely.\n\n## B\n- refund: money back\n\nuser:\n{{t}}"
        )
    )
    assert section(both, "wrong_value", None, "refund") == ("main", "b")


def test_locked_sections_and_those_without_a_marked_span_are_no_target() -> None:
    locked = Program.single(Prompt.from_text("system:\n## A {.locked}\nx\n"))
    assert section(locked, "wrong_value") == ("main", "system")
    text = "system:\nA.\n\n## Format\nB.\n\n## C\n<edit>C.</edit>\n\nuser:\n{{t}}"
    assert section(Program.single(Prompt.from_text(text)), "invalid_json") == ("main", "c")
    closed = Program.single(Prompt.from_text("## A {.locked}\n{{x}}"))
    assert section(closed, "wrong_value") in (None, ("main", "user"))


@pytest.mark.parametrize(
    ("named", "failure", "wanted"),
    [
        ({"wrong_value": "length"}, Failure("wrong_value", "status"), "length"),
        (
            {"wrong_value:status": "tools", "wrong_value": "task"},
            Failure("wrong_value", "status"),
            "tools",
        ),
        ({"wrong_value:status": "tools"}, Failure("wrong_value", "product"), "system"),
        ({"rubric": "task"}, Failure("rubric:facts"), "task"),
        ({"rubric:facts": "task"}, Failure("rubric:facts"), "task"),
        ({"other": "task"}, Failure("invalid_json"), "schema"),
        ({"invalid_json": "main/length"}, Failure("invalid_json"), "length"),
    ],
)
def test_what_the_user_names_goes_before_every_rule(
    named: dict[str, str], failure: Failure, wanted: str
) -> None:
    target = target_of(SUPPORT, failure, named=named)
    assert target.section == ("main", wanted)
    assert target.pinned == (wanted not in ("schema", "system"))


def test_the_user_may_want_demonstrations() -> None:
    target = target_of(SUPPORT, Failure("missing_fact"), named={"missing_fact": "demos"})
    assert (target.section, target.pinned, target.by_demos) == (None, True, True)


def test_places_are_read_and_wrong_ones_get_the_nearest() -> None:
    assert place_of(SUPPORT, "schema") == ("main", "schema")
    assert place_of(SUPPORT, "locked-one") is None
    assert place_of(SUPPORT, "nowhere/schema") is None
    assert near_places(SUPPORT, "shema") == ["schema"]
    assert "demos" in near_places(SUPPORT, "xyzzy")
    assert place_of(CHAIN, "answer/system") == ("answer", "system")
    assert place_of(CHAIN, "system", "extract") == ("extract", "system")
    assert place_of(CHAIN, "system") == ("answer", "system")
    assert near_places(CHAIN, "extract/sytem") == ["extract/system"]


CHAIN = Program(
    steps=(
        Step(name="extract", prompt=Prompt.from_text("system:\nExtract.\n\nuser:\n{{text}}\n")),
        Step(name="sort", prompt=Prompt.from_text("system:\nSort.\n\nuser:\n{{extract}}\n")),
        Step(
            name="answer",
            prompt=Prompt.from_text(
                "---\noutput: {format: json}\n---\nsystem:\nAnswer.\n\nuser:\n{{sort}}\n"
            ),
        ),
    ),
    workflow=WorkflowSpec(name="chain"),
)


def row(
    *answers: str, expected: Json = None, finish: FinishReason = "stop", case_id: str = "c"
) -> GradedCase:
    names = [step.name for step in CHAIN.steps]
    visits = [
        StepVisit(step=name, completion=Completion(text=text, finish_reason=finish))
        for name, text in zip(names, answers, strict=False)
    ]
    score = Score(metric="m", value=0.0, tags=("wrong_value",), reason="r")
    return GradedCase(
        case=Case(id=case_id, input={"text": "Order 4711 by Jones"}, expected=expected),
        trial=Trial(
            program_id="p",
            case_id=case_id,
            split="train",
            status="scored",
            score=0.0,
            output=answers[-1],
            visits=tuple(visits),
            scores=(score,),
        ),
    )


@pytest.mark.parametrize(
    ("failing", "step"),
    [
        (row("4711", "", "{}"), "sort"),
        (row("4711", "4711", "no json"), "answer"),
        (row("4711", "47", '{"id": "47"}', expected={"id": "4711"}), "sort"),
        (row("4711", "4711", '{"id": "47"}', expected={"id": "4711"}), "answer"),
        (row("Order", "Order", '{"id": ""}', expected={"id": "4711"}), "extract"),
        (row("refund", "refund", '{"a": "refund"}', expected={"a": "invoice"}), "extract"),
        (row("x", "refund", '{"a": "refund"}', expected={"a": "invoice"}), "sort"),
        (row("x", "y", '{"a": "z"}', expected={"a": "invoice"}), "answer"),
        (row("x", "y", "{}"), "answer"),
        (row("x", "y", "{}", finish="length"), "extract"),
    ],
    ids=[
        "an empty answer",
        "a broken form",
        "lost on the way",
        "lost at the end",
        "never read out of the case",
        "mistaken at the start",
        "mistaken on the way",
        "nothing tells",
        "nothing is expected",
        "cut off",
    ],
)
def test_the_visits_tell_the_step_at_fault(failing: GradedCase, step: str) -> None:
    assert step_at_fault(CHAIN, [failing]) == step


def test_the_step_of_most_cases_is_that_of_the_bucket() -> None:
    lost = row("4711", "47", '{"id": "47"}', expected={"id": "4711"}, case_id="1")
    rows = [lost, row("x", "y", "{}", case_id="2"), lost]
    assert step_at_fault(CHAIN, rows) == "sort"
    assert step_at_fault(CHAIN, rows[:2]) == "answer"
    assert step_at_fault(CHAIN, []) == "answer"
    (bucket,) = bucket_failures([lost], CHAIN)
    assert (bucket.step, bucket.target) == ("sort", ("sort", "system"))
    (bucket,) = bucket_failures([lost], CHAIN, {"wrong_value": "answer/system"})
    assert (bucket.target, bucket.pinned) == (("answer", "system"), True)


def test_every_kind_has_words_and_every_word_a_kind() -> None:
    assert set(SECTION_WORDS) == {*KINDS, "task"}
