from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.prompts import Demo, Program, Prompt, Step, WorkflowSpec
from promptyard.reports.diff import DiffLine, prompt_diff
from reports.sample_run import BASELINE, FINALIST, SEED_TEXT


def single(text: str) -> Program:
    """Make a program of one prompt, read as it is."""
    return Program.single(Prompt(text=text))


def signs(lines: Sequence[DiffLine]) -> list[str]:
    """Write a diff with the usual signs."""
    marks = {"added": "+", "removed": "-", "same": " ", "folded": "~", "step": "@", "note": "!"}
    return [f"{marks[line.kind]}{line.text}" for line in lines]


def test_equal_programs_have_no_diff() -> None:
    assert prompt_diff(BASELINE, BASELINE) == ()


def test_the_two_versions_of_a_line_stand_together_and_show_what_changed() -> None:
    lines = prompt_diff(
        single("a\n- card_arrival\n- refund\nz"),
        single("a\n- card_arrival: already sent\n- refund: money back\nz"),
    )
    assert signs(lines) == [
        " a",
        "-- card_arrival",
        "+- card_arrival: already sent",
        "-- refund",
        "+- refund: money back",
        " z",
    ]
    added = lines[2]
    assert added.changed is not None
    assert added.text[slice(*added.changed)] == ": already sent"
    assert (lines[1].old_number, lines[1].new_number) == (2, None)
    assert (added.old_number, added.new_number) == (None, 2)


def test_lines_with_little_in_common_are_no_versions_of_each_other() -> None:
    lines = prompt_diff(single("Answer in one word."), single("Think before you speak."))
    assert [line.changed for line in lines] == [None, None]


def test_long_unchanged_parts_are_folded_and_counted() -> None:
    body = [f"line {n}" for n in range(1, 41)]
    lines = prompt_diff(
        single("\n".join(body)),
        single("\n".join([*body[:20], "something new", *body[20:]])),
    )
    assert signs(lines) == [
        "~17 unchanged lines",
        " line 18",
        " line 19",
        " line 20",
        "+something new",
        " line 21",
        " line 22",
        " line 23",
        "~17 unchanged lines",
    ]
    assert [line.count for line in lines if line.kind == "folded"] == [17, 17]


def test_demonstrations_are_short_and_those_not_shown_are_counted() -> None:
    lines = [line for line in prompt_diff(BASELINE, FINALIST) if line.demo]
    assert [line.text for line in lines] == [
        "Where is my card number 0? I ordered it 2 days ago. → card_arrival",
        "Where is my card number 1? I ordered it 3 days ago. → card_delivery_estimate",
        "Where is my card number 2? I ordered it 4 days ago. → pending_transfer",
        "… 37 more demonstrations (40 added here)",
    ]
    assert sum(line.count for line in lines) == 40


def test_the_answer_of_a_long_demonstration_stays_in_sight() -> None:
    demo = Demo(input={"text": "word " * 200}, output="card_arrival").line()
    lines = prompt_diff(
        single("system:\nSort.\nuser:\n{{text}}"),
        single(f"system:\nSort.\ndemos:\n{demo}\nuser:\n{{{{text}}}}"),
    )
    shown = next(line.text for line in lines if line.demo)
    assert shown.endswith("… → card_arrival")
    assert len(shown) < 150


def test_demonstrations_that_look_alike_when_shortened_still_differ() -> None:
    def text(ending: str) -> str:
        demo = Demo(input={"text": "word " * 60 + ending}, output="a").line()
        return f"system:\nSort.\ndemos:\n{demo}\nuser:\n{{{{text}}}}"

    kinds = [line.kind for line in prompt_diff(single(text("x")), single(text("y")))]
    assert kinds.count("removed") == kinds.count("added") == 1


def test_every_step_of_a_program_is_compared_by_name() -> None:
    def program(draft: str, *others: tuple[str, str]) -> Program:
        steps = [("draft", draft), ("check", "Check it."), *others]
        return Program(
            steps=tuple(Step(name=n, prompt=Prompt(text=t)) for n, t in steps),
            workflow=WorkflowSpec(name="chain", options={"retries": len(others)}),
        )

    lines = prompt_diff(program("Write."), program("Write well.", ("polish", "Polish it.")))
    assert signs(lines) == [
        '!workflow: chain {"retries": 0} → chain {"retries": 1}',
        "@step draft",
        "-Write.",
        "+Write well.",
        "@step check: unchanged",
        "@step polish",
        "+Polish it.",
    ]


def test_changes_outside_the_lines_are_noted() -> None:
    assert signs(prompt_diff(single("a\nb\n"), single("a\r\nb\r\n"))) == ["!only line ends differ"]
    old = Program.single(Prompt(text="a", files={"s.json": {"type": "object"}}))
    assert signs(prompt_diff(old, single("a"))) == ["!the file s.json differs"]


def test_steps_in_another_order_are_noted() -> None:
    steps = (Step(name="a", prompt=Prompt(text="A")), Step(name="b", prompt=Prompt(text="B")))
    turned = Program(steps=(steps[1], steps[0]))
    assert signs(prompt_diff(Program(steps=steps), turned)) == [
        "@step a: unchanged",
        "@step b: unchanged",
        "!the order of the steps: a, b → b, a",
    ]


def test_hidden_characters_are_written_out() -> None:
    lines = prompt_diff(single("pay"), single("\x1b[2Jpay \u202e"))
    assert lines[-1].text == "<U+001B>[2Jpay <U+202E>"


def test_a_prompt_that_cannot_be_read_is_compared_all_the_same() -> None:
    lines = prompt_diff(single("---\nname: a"), single("---\nname: b"))
    assert [line.kind for line in lines] == ["same", "removed", "added"]


def test_the_edited_seed_shows_its_three_changes() -> None:
    lines = prompt_diff(BASELINE, FINALIST)
    removed = [line.text for line in lines if line.kind == "removed"]
    assert removed == [
        "Read the message and name the topic that it is about.",
        "- pending_transfer",
    ]
    assert "A fee named in the message decides." in [
        line.text for line in lines if line.kind == "added"
    ]


LINES = st.lists(
    st.sampled_from(["a", "b", "c", "", "long line of words", "long line"]), max_size=12
)


@given(LINES, LINES)
def test_both_prompts_can_be_read_out_of_their_full_diff(old: list[str], new: list[str]) -> None:
    lines = prompt_diff(single("\n".join(old)), single("\n".join(new)), context_lines=100)
    if "\n".join(old) == "\n".join(new):
        assert lines == ()
        return
    if any(line.kind == "note" for line in lines):
        return
    before = [line for line in lines if line.kind in ("same", "removed")]
    after = [line for line in lines if line.kind in ("same", "added")]
    assert "\n".join(line.text for line in before) == "\n".join(old).removesuffix("\n")
    assert "\n".join(line.text for line in after) == "\n".join(new).removesuffix("\n")
    assert [line.old_number for line in before] == list(range(1, len(before) + 1))
    assert [line.new_number for line in after] == list(range(1, len(after) + 1))


@given(LINES, LINES, st.integers(0, 4))
def test_folding_loses_no_line(old: list[str], new: list[str], context: int) -> None:
    lines = prompt_diff(single("\n".join(old)), single("\n".join(new)), context_lines=context)
    if not any(line.kind in ("added", "removed") for line in lines):
        return
    n_old = sum(line.count for line in lines if line.kind in ("same", "removed", "folded"))
    assert n_old == len("\n".join(old).removesuffix("\n").split("\n")) or not "\n".join(old)


def test_a_large_prompt_is_compared_in_time() -> None:
    first = SEED_TEXT + "".join(f"- rule {n}\n\n" for n in range(1000))
    second = SEED_TEXT + "".join(f"- rule {n + n % 2}\n\n" for n in range(1000))
    assert len(prompt_diff(single(first), single(second))) > 1000
