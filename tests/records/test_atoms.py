"""Local edits are local by construction: laws of atoms and their composition, on drawn prompts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.atoms import Atom, atoms_of, compose
from promptyard.records.edits import Edit, Replace, SetDemos, SetSection, apply_edits
from promptyard.records.prompts import Program, Prompt
from promptyard.records.regions import region_of, regions
from promptyard.records.sentences import folded, pieces_of, says, sentences
from support.prompt_texts import LOCKED, a_region, changes, open_regions, prompts, sentence

MAIN = "system"


def program(text: str) -> Program:
    return Program.single(Prompt.from_text(f"{MAIN}:\n{text}"))


def said(prompt: Prompt) -> Counter[str]:
    """Every sentence of a prompt file, headings and role lines included."""
    return Counter(folded(piece.text) for piece in pieces_of(prompt.text))


def composed(start: Program, *atoms: Atom) -> str:
    return compose(start, atoms).program.prompt.text


def atom(kind: str, anchor: str = "", text: str = "", region: str = MAIN) -> Atom:
    return Atom.model_validate({"kind": kind, "region": region, "anchor": anchor, "text": text})


@given(st.data())
def test_only_the_named_sentences_and_the_white_space_beside_them_change(
    data: st.DataObject,
) -> None:
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    atoms = data.draw(changes(prompt))
    made = compose(Program.single(prompt), atoms)
    gone = {folded(item.anchor) for item in atoms if item.kind in ("replace", "delete")}
    new = {folded(item.text) for item in atoms}
    open_ids = {item.section for item in open_regions(prompt)}
    for edit in made.edits:
        assert isinstance(edit, Replace)
        assert edit.section in open_ids
        assert {folded(text) for text in sentences(edit.old)} <= gone
        assert {folded(text) for text in sentences(edit.text)} <= new
    # Outside of the edits every byte is the seed's: what is cut out and put in is all there is.
    at, after = 0, made.program.prompt.text
    bodies = {item.id: prompt.layout.section(item.id) for item in prompt.sections}
    for edit in sorted_edits(prompt, made.edits):
        body = bodies[edit.section]
        assert body is not None
        start, end = body.body + edit.start, body.body + edit.end
        kept = prompt.text[at:start]
        assert after.startswith(kept + edit.text)
        after, at = after[len(kept) + len(edit.text) :], end
    assert after == prompt.text[at:]


def sorted_edits(prompt: Prompt, edits: tuple[Edit, ...]) -> list[Replace]:
    own = [edit for edit in edits if isinstance(edit, Replace)]
    starts = {item.id: item.body for item in prompt.layout.sections}
    return sorted(own, key=lambda e: (starts[e.section] + e.start, starts[e.section] + e.end))


@given(st.data())
def test_every_named_change_is_made(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    atoms = data.draw(changes(prompt))
    before = said(prompt)
    after = said(compose(Program.single(prompt), atoms).program.prompt)
    wanted = before.copy()
    for item in atoms:
        if item.kind in ("replace", "delete"):
            wanted[folded(item.anchor)] -= 1
        if item.text:
            wanted[folded(item.text)] += 1
    assert after == +wanted


@given(st.data())
def test_atoms_of_edits_say_what_the_edits_say(data: st.DataObject) -> None:
    """Edits may cut through sentences, glue them together and rewrite whole sections."""
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    start = Program.single(prompt)
    edits: list[Edit] = []
    for number, region in enumerate(open_regions(prompt)):
        low, high = sorted(data.draw(st.integers(0, len(region.text))) for _ in range(2))
        text = " ".join(data.draw(sentence(2000 + 10 * number + n)) for n in range(2))
        edit = Replace(
            section=region.section,
            start=region.start + low,
            end=region.start + high,
            old=region.text[low:high],
            text=data.draw(st.sampled_from(("", "x", text, f"\n{text}\n", f" {text} "))),
        )
        edits.append(edit)
    direct = apply_edits(start, edits).prompt
    if [item.id for item in regions(direct)] != [item.id for item in regions(prompt)]:
        return  # an edit that makes a heading of what follows is for the validators to judge
    made = compose(start, atoms_of(start, edits)).program.prompt
    assert set(said_in_regions(made)) == set(said_in_regions(direct))


def said_in_regions(prompt: Prompt) -> Counter[str]:
    return Counter(folded(text) for item in regions(prompt) for text in sentences(item.text))


@given(st.data())
def test_a_composition_can_be_taken_for_edits_and_back(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    start = Program.single(prompt)
    made = compose(start, data.draw(changes(prompt)))
    assert apply_edits(start, made.edits) == made.program
    again = compose(start, atoms_of(start, made.edits)).program.prompt
    assert said(again) == said(made.program.prompt)


@given(st.data())
def test_composing_twice_changes_nothing_more(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    atoms = data.draw(changes(prompt))
    once = compose(Program.single(prompt), atoms).program
    again = compose(once, atoms)
    assert again.program == once
    assert again.placed == ()


@given(st.data())
def test_deleting_what_was_inserted_gives_the_bytes_back(data: st.DataObject) -> None:
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    start = Program.single(prompt)
    region = data.draw(a_region(prompt))
    new = data.draw(sentence(1000).filter(lambda text: text[-1] in ".!?"))
    anchors = [piece.text for piece in pieces_of(region.text)]
    inserted = atom("append", "", new, region.id)
    if anchors and data.draw(st.booleans()):
        inserted = atom("insert_after", data.draw(st.sampled_from(anchors)), new, region.id)
    taken_out = atom("delete", new, region=region.id)
    together = compose(start, [inserted, taken_out])
    assert together.program == start
    one_by_one = compose(compose(start, [inserted]).program, [taken_out])
    assert one_by_one.program.prompt.text == prompt.text


@given(st.data())
def test_inserting_what_was_deleted_says_the_same_again(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    region = data.draw(a_region(prompt))
    pieces = [piece.text for piece in pieces_of(region.text)]
    at = data.draw(st.integers(0, max(0, len(pieces) - 1)))
    if not pieces or pieces[at].startswith("```"):
        return
    back = atom("insert_after", pieces[at - 1] if at else "", pieces[at], region.id)
    without = compose(Program.single(prompt), [atom("delete", pieces[at], region=region.id)])
    again = compose(without.program, [back])
    assert said(again.program.prompt) == said(prompt)


@given(st.data())
def test_changes_of_different_sentences_can_be_made_in_any_order(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    start = Program.single(prompt)
    atoms = data.draw(changes(prompt))
    anchors = Counter(item.anchor for item in atoms if item.anchor)
    alone = [item for item in atoms if not item.anchor or anchors[item.anchor] == 1]
    shuffled = data.draw(st.permutations(alone))
    assert said(compose(start, alone).program.prompt) == said(
        compose(start, shuffled).program.prompt
    )


@given(st.data())
def test_a_locked_section_and_the_bytes_outside_marked_spans_never_change(
    data: st.DataObject,
) -> None:
    prompt = data.draw(prompts(spans=data.draw(st.booleans())))
    everywhere = [
        atom(kind, piece.text, text, region.id)
        for region in regions(prompt)
        for piece in pieces_of(region.text)
        for kind, text in (("delete", ""), ("insert_after", "New one."), ("replace", "Other one."))
        if region.section != "user"
    ]
    nearly = [item.model_copy(update={"region": LOCKED}) for item in everywhere]
    atoms = data.draw(st.lists(st.sampled_from([*everywhere, *nearly]), max_size=6))
    after = compose(Program.single(prompt), atoms).program.prompt
    locked = {item.id: item.text for item in prompt.sections if item.locked}
    assert {item.id: item.text for item in after.sections if item.locked} == locked
    if prompt.spans:
        assert [part for part, _ in outside(after)] == [part for part, _ in outside(prompt)]


def outside(prompt: Prompt) -> list[tuple[str, int]]:
    """What stands between the marked spans."""
    parts: list[tuple[str, int]] = []
    at = 0
    for span in prompt.layout.edit_spans:
        parts.append((prompt.text[at : span.start], at))
        at = span.end
    return [*parts, (prompt.text[at:], at)]


@given(st.text(alphabet="Ab.! \t\n\r-1é🙂。你\u0301", max_size=60))
def test_sentences_are_the_text_without_white_space_between_them(text: str) -> None:
    pieces = pieces_of(text)
    at = 0
    for piece in pieces:
        assert text[at : piece.start].strip() == ""
        assert text[piece.start : piece.end] == piece.text == piece.text.strip() != ""
        at = piece.end
    assert text[at:].strip() == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sort it. Be exact.", ["Sort it.", "Be exact."]),
        ("Use e.g. this one. v1.2 counts.", ["Use e.g. this one. v1.2 counts."]),
        ("Кратко. Не выдумывай.", ["Кратко.", "Не выдумывай."]),
        ("请简短回答。不要编造。", ["请简短回答。", "不要编造。"]),
        ("Élan. Über alles. Ça va.", ["Élan.", "Über alles.", "Ça va."]),
        ("Do it! 🙂 Always.", ["Do it!", "🙂 Always."]),
        ("- a\r\n- b\r\n", ["- a", "- b"]),
        ("1. Sort it. Be exact.\n2. Stop.", ["1. Sort it.", "Be exact.", "2. Stop."]),
        ("Wait. - or so", ["Wait. - or so"]),
    ],
)
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert [piece.text for piece in pieces_of(text)] == expected


def test_a_sentence_is_said_by_itself_and_not_by_a_longer_one() -> None:
    assert says(["Sort it.  Be  EXACT"], "- Be exact.")
    assert says(["A.\nB."], "B. A.")
    assert not says(["- top_up_failed"], "- top_up")
    assert not says(["Never answer no to a child."], "Never answer no.")
    assert not says(["Anything."], "")
    assert says(["Cafe\u0301 first."], "Café first.")


def test_an_item_that_is_the_beginning_of_another_is_added() -> None:
    assert composed(program("- top_up_failed\n"), atom("append", "", "- top_up")) == (
        "system:\n- top_up_failed\n- top_up\n"
    )


@pytest.mark.parametrize(
    ("body", "change", "after"),
    [
        ("A b. C d.\n", atom("insert_after", "A b.", "New."), "A b. New. C d.\n"),
        ("A b. C d.\n", atom("delete", "A b."), "C d.\n"),
        ("A b. C d.\n", atom("delete", "C d."), "A b.\n"),
        ("A b. C d.\n", atom("insert_after", "", "New."), "New. A b. C d.\n"),
        ("A b. C d.\n", atom("insert_after", "A b.", "no stop"), "A b.\nno stop\nC d.\n"),
        ("- a\n- b\n", atom("insert_after", "- a", "New."), "- a\n- New.\n- b\n"),
        ("- a\n  - b\n- c\n", atom("insert_after", "- b", "New."), "- a\n  - b\n  - New.\n- c\n"),
        ("- a\n  - b\n- c\n", atom("delete", "- b"), "- a\n- c\n"),
        ("- a\r\n- b", atom("append", "", "New."), "- a\r\n- b\r\n- New."),
        ("1. a\n2. b\n", atom("append", "", "New."), "1. a\n2. b\nNew.\n"),
        ("A.\n\nB.\n\nC.\n", atom("delete", "B."), "A.\n\nC.\n"),
        ("| a | b |\n| c | d |\n", atom("delete", "| a | b |"), "| c | d |\n"),
        ("A.\n", atom("replace", "gone.", "New."), "A.\nNew.\n"),
        ("A.\n", atom("delete", "gone."), "A.\n"),
        ("Keep ids; never guess.\n", atom("replace", "never guess", "ask"), "Keep ids; ask.\n"),
    ],
)
def test_where_a_change_goes(body: str, change: Atom, after: str) -> None:
    assert composed(program(body), change) == f"system:\n{after}"


def test_a_section_that_ends_with_the_file_gets_a_line_to_begin_on() -> None:
    start = Program.single(Prompt.from_text("user:\n{{x}}\n\n## Rules"))
    made = compose(start, [atom("append", "", "Be exact.", "rules")]).program
    assert made.prompt.text == "user:\n{{x}}\n\n## Rules\nBe exact."
    assert [item.id for item in made.prompt.sections] == ["user", "rules"]


def test_code_fences_of_a_rewritten_section_stay_in_pairs() -> None:
    start = program("A.\n")
    text = "A.\n```json\n{}\n```\nor\n```json\n[]\n```\n"
    atoms = atoms_of(start, [SetSection(section=MAIN, text=text)])
    assert composed(start, *atoms).count("```") == 4


def test_the_same_sentence_of_two_replies_is_added_once() -> None:
    start = program("A b.\n")
    assert composed(start, atom("append", "", "New."), atom("append", "", "- new")) == (
        "system:\nA b.\nNew.\n"
    )


def test_edits_that_are_no_text_have_no_atoms() -> None:
    demos = SetDemos(demos=())
    assert atoms_of(program("A.\n"), [demos]) == ()


def test_of_edits_that_collide_the_first_one_counts() -> None:
    start = program("A b c.\n")
    edits = [
        Replace(section=MAIN, start=0, end=6, old="A b c.", text="One."),
        Replace(section=MAIN, start=2, end=6, old="b c.", text="Two."),
    ]
    assert composed(start, *atoms_of(start, edits)) == "system:\nOne.\n"


def test_a_region_is_a_section_or_a_marked_span() -> None:
    plain = Prompt.from_text("system:\nA.\n\n## T\n\n## U {.locked}\nB.\n\nuser:\n{{x}}\n")
    assert [(item.id, item.locked) for item in regions(plain)] == [
        ("system", False),
        ("t", False),
        ("u", True),
        ("user", False),
    ]
    marked = Prompt.from_text("system:\nA <edit>b</edit> c.\n## T\n<edit></edit>\nuser:\n{{x}}")
    assert [(item.id, item.section, item.text) for item in regions(marked)] == [
        ("edit-1", "system", "b"),
        ("edit-2", "t", ""),
    ]
    for prompt in (plain, marked):
        for item in regions(prompt):
            body = next(part for part in prompt.sections if part.id == item.section).text
            assert body[item.start : item.start + len(item.text)] == item.text
    found = region_of(marked, "t")
    assert found is not None
    assert found.id == "edit-2"
    assert region_of(Prompt.from_text("## A {.locked}\n{{x}}"), "a") is None


def test_each_edit_keeps_atoms_of_its_own_beside_others() -> None:
    start = program("A b.\nC d.\n")
    edits = [
        Replace(section=MAIN, start=5, end=9, old="C d.", text=""),
        Replace(section=MAIN, start=9, end=9, old="", text="\nNew."),
    ]
    assert [(item.kind, item.anchor, item.text) for item in atoms_of(start, edits)] == [
        ("delete", "C d.", ""),
        ("append", "", "New."),
    ]


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_of_two_code_blocks_both_ends_never_go(fence: str) -> None:
    """An even number of fences is left, and yet the first block is never closed."""
    code = f"{fence}json\nx\n{fence}\n"
    start = program(f"{code}A.\n{code}\n## Safety {{#safety .locked}}\nB.\n")
    made = compose(start, [atom("delete", fence), atom("delete", fence), atom("delete", "A.")])
    assert [item.locked for item in made.program.prompt.sections] == [False, True]
    assert "A." not in made.program.prompt.text


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_half_a_code_fence_never_goes_and_never_comes(fence: str) -> None:
    """What follows would be taken for code: sections would lose their heads and their locks."""
    start = program(f"A.\n{fence}\nx\n{fence}\n\n## Safety {{#safety .locked}}\nB.\n")
    for change in (
        atom("delete", fence),
        atom("replace", fence, "New."),
        atom("append", "", fence),
    ):
        made = compose(start, [change, atom("append", "", "Kept.")]).program.prompt
        assert [(item.id, item.locked) for item in made.sections] == [
            (MAIN, False),
            ("safety", True),
        ]
        assert "Kept." in made.text
    gone = compose(start, [atom("delete", fence), atom("delete", "x"), atom("delete", fence)])
    assert gone.program.prompt.text == "system:\nA.\n\n## Safety {#safety .locked}\nB.\n"
