"""Blame: each line names who put it there, along the lineage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from promptyard.records.atoms import Atom, compose
from promptyard.records.blame import BlameEntry
from promptyard.records.origins import Effect, Origin
from promptyard.records.prompts import Demo, Program, Prompt
from promptyard.records.versions import PromptVersion
from promptyard.registry.blame import blame, lineage_of, standing

SEED = """system:
Answer the question. Be kind.

## Rules {#rules}
- Keep to the text.

user:
{{x}}
"""
PASSED = {"status": "pass", "sentence": "The candidate passes the gate."}


def origin(text: str, *, kind: Any = "append", anchor: str = "", run_id: str = "run-2") -> Origin:
    return Origin(
        atom=Atom(kind=kind, region="rules", anchor=anchor, text=text),
        buckets=("units",),
        case_ids=("c1", "c2"),
        generator="reflect",
        hypothesis="No unit is named.",
        run_id=run_id,
        effect=Effect(n_cases=4, n_failing_before=3, n_failing_after=0),
    )


def version(number: int, program: Program, origins: Sequence[Origin] = ()) -> PromptVersion:
    return PromptVersion(
        name="p",
        number=number,
        digest=program.id,
        program=program,
        author="seed" if number == 1 else "promptyard/auto/reflect",
        parent=number - 1 if number > 1 else None,
        run_id=f"run-{number}",
        hypothesis="Patches, together." if number > 1 else "",
        status="seed" if number == 1 else "passed",
        verdict=None if number == 1 else PASSED,
        origins=tuple(origins),
    )


def grown(*groups: Sequence[Origin], seed: str = SEED) -> list[PromptVersion]:
    """Make versions, each composed of the one before it, newest first."""
    versions = [version(1, Program.single(Prompt.from_text(seed)))]
    for number, origins in enumerate(groups, 2):
        before = versions[0]
        made = compose(before.program, [item.atom for item in origins]).program
        kept = standing((*origins, *before.origins), made)
        versions.insert(0, version(number, made, kept))
    return versions


def entries(versions: Sequence[PromptVersion], text: str) -> tuple[BlameEntry, ...]:
    return next(line for line in blame(versions).lines if text in line.text).entries


def test_lines_of_the_seed_say_so_and_blank_ones_say_nothing() -> None:
    found = blame(grown([origin("Give lengths in metres.")]))
    by_text = {line.text: line.entries for line in found.lines}
    assert by_text[""] == ()
    assert [entry.source for entry in by_text["Answer the question. Be kind."]] == ["seed"]
    assert by_text["Answer the question. Be kind."][0].version == 1
    assert [line.number for line in found.lines] == list(range(1, len(found.lines) + 1))


def test_a_sentence_of_a_search_names_bucket_cases_run_effect_and_decision() -> None:
    (entry,) = entries(grown([origin("Give lengths in metres.")]), "metres")
    assert (entry.source, entry.version, entry.generator) == ("edit", 2, "reflect")
    assert (entry.buckets, entry.case_ids) == (("units",), ("c1", "c2"))
    assert (entry.run_id, entry.hypothesis) == ("run-2", "No unit is named.")
    assert entry.effect is not None
    assert (entry.effect.n_failing_before, entry.effect.n_failing_after) == (3, 0)
    assert (entry.decision, entry.sentence) == ("pass", PASSED["sentence"])


def test_a_later_version_keeps_what_its_parent_said_of_sentences_that_still_stand() -> None:
    first = [origin("Give lengths in metres."), origin("Round to one digit.")]
    second = [
        origin("Write dates first.", run_id="run-3"),
        origin(
            "Round to two digits.", kind="replace", anchor="Round to one digit.", run_id="run-3"
        ),
    ]
    versions = grown(first, second)
    (kept,) = entries(versions, "metres")
    assert (kept.version, kept.run_id) == (2, "run-2")
    (replaced,) = entries(versions, "two digits")
    assert (replaced.version, replaced.replaced) == (3, "Round to one digit.")
    assert "one digit" not in str(versions[0].origins[0:1])
    assert len(versions[0].origins) == 3, "the sentence that was replaced has no origin left"


def test_of_several_sentences_in_a_line_each_has_its_own_origin() -> None:
    found = entries(
        grown([origin("Be brief.", kind="insert_after", anchor="Answer the question.")]), "Be brief"
    )
    assert [(entry.text, entry.source) for entry in found] == [
        ("Answer the question.", "seed"),
        ("Be brief.", "edit"),
        ("Be kind.", "seed"),
    ]


def test_a_deletion_is_listed_until_its_sentence_is_back() -> None:
    gone = origin("", kind="delete", anchor="Keep to the text.")
    versions = grown([gone])
    (removed,) = blame(versions).removed
    assert (removed.replaced, removed.version) == ("Keep to the text.", 2)
    assert standing([gone], versions[1].program) == ()


def test_what_no_origin_explains_belongs_to_the_first_version_that_has_it() -> None:
    rewritten = Program.single(Prompt.from_text(SEED.replace("Be kind.", "Be stern.")))
    later = Program.single(Prompt.from_text(rewritten.prompt.text.replace("Answer", "Solve")))
    lineage = [version(3, later), version(2, rewritten), version(1, grown()[0].program)]
    found = entries(lineage, "Be stern.")
    assert [(entry.source, entry.version) for entry in found] == [("version", 3), ("version", 2)]
    assert (found[1].run_id, found[1].hypothesis) == ("run-2", "Patches, together.")


def test_demonstrations_name_their_case_source_and_version() -> None:
    base = grown([origin("Give lengths in metres.")])
    demo = Demo(input={"x": "how long?"}, output="2 m", source="bootstrap", case_id="train7")
    shown = compose(base[0].program, [], ("main", (demo,))).program
    versions = [version(3, shown, base[0].origins), *base]
    (entry,) = entries(versions, "how long?")
    assert (entry.source, entry.version, entry.run_id) == ("demo", 3, "run-3")
    assert (entry.case_ids, entry.demo_source) == (("train7",), "bootstrap")


def test_a_lineage_follows_parents_and_not_numbers() -> None:
    first, second, third = reversed(grown([origin("One more.")], [origin("And one.")]))
    branch = third.model_copy(update={"number": 4, "parent": 1})
    found = lineage_of(branch, [first, second, third, branch])
    assert [item.number for item in found] == [4, 1]


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=60), max_size=4))
def test_every_line_of_any_prompt_is_blamed_once(body: str, added: list[str]) -> None:
    text = "system:\n" + body.replace("{{", "").replace("<", "") + "\nuser:\n{{x}}\n"
    program = Program.single(Prompt(text=text))
    found = blame([version(1, program, [origin(item) for item in added])])
    assert "\n".join(line.text for line in found.lines).split() == text.split()
    assert all(line.entries or not line.text.strip() for line in found.lines)
