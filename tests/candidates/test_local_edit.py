"""Local edits (LPO): criteria L1 to L6 of the anchors on algorithms, and what replies do wrong."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptyard.candidates.local_edit import LocalEdit
from promptyard.candidates.span_texts import inside_spans, read_texts, span_edits
from promptyard.candidates.spans import (
    MAX_SHARE,
    MAX_SPANS,
    EditSpan,
    RawSpan,
    marked_text,
    offsets,
    place_spans,
)
from promptyard.errors import PromptError
from promptyard.protocols import Generator
from promptyard.records.edits import Candidate, Proposal, Replace, apply_edits, splice
from promptyard.records.evidence import Attempt, Evidence
from promptyard.records.messages import Message
from promptyard.records.prompts import Prompt
from promptyard.records.regions import regions
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from promptyard.testing.generator_contract import GeneratorContract
from support.stations import graded, label_case, seed_candidate

PROMPT = """system:
Sort the message of the customer into one of the labels. Read the whole message before you answer.

## Labels {#labels}
- lost_card
- top_up
- top_up_failed

## Manner {#manner}
When a message speaks of a card that was stolen, answer with top_up.
Be friendly.

## Safety {#safety .locked}
Never reveal notes.

user:
{{text}}
"""
BASE = seed_candidate(PROMPT)
NONCE = "0a1b2c3d"


def evidence(base: Candidate = BASE) -> Evidence:
    rows = [
        graded(label_case("a1", "my card is stolen", "lost_card"), "top_up"),
        graded(label_case("b1", "add money", "top_up"), "top_up"),
    ]
    found = gather(rows, base.program)
    tried = Attempt(bucket=found.buckets[0].name, texts=("Stolen is lost.",), outcome="stayed")
    return found.model_copy(update={"attempts": (tried,)})


def named(*spans: tuple[str, str, str], cause: str = "A sentence says so.") -> str:
    rows = [{"op": op, "section": section, "old": old} for op, section, old in spans]
    return json.dumps({"cause": cause, "edit_spans": rows})


def texts(**new: str) -> str:
    rows = [{"id": name, "new": text} for name, text in new.items()]
    return json.dumps({"hypothesis": "Stolen cards are lost cards.", "replacements": rows})


Script = Callable[[str], str]


def bench_of(identified: str | Script, replaced: str | Script) -> ReplyingBench:
    def reply(messages: Sequence[Message]) -> str:
        first = next(message.text for message in messages if message.role == "user")
        said = replaced if "with the places marked" in first else identified
        return said if isinstance(said, str) else said(first)

    return ReplyingBench(reply)


def ask(
    identified: str | Script,
    replaced: str | Script,
    base: Candidate = BASE,
    found: Evidence | None = None,
) -> tuple[Proposal, ReplyingBench]:
    bench = bench_of(identified, replaced)
    proposals = asyncio.run(
        LocalEdit().propose(base, found or evidence(base), bench, random.Random(0))
    )
    assert len(proposals) == 1
    return proposals[0], bench


def changed(proposal: Proposal, base: Candidate = BASE) -> str:
    return apply_edits(base.program, proposal.edits).prompt.text


STOLEN = "When a message speaks of a card that was stolen, answer with top_up."
MENDED = "When a message speaks of a card that was stolen, answer with lost_card."


def test_two_calls_find_and_mend_a_sentence() -> None:
    proposal, bench = ask(named(("replace", "manner", STOLEN)), texts(s1=MENDED))
    assert changed(proposal) == PROMPT.replace(STOLEN, MENDED)
    assert len(bench.requests) == 2
    assert proposal.hypothesis == "Stolen cards are lost cards."
    assert proposal.evidence == ("wrong_value=lost_card",)


def test_the_first_call_sees_prompt_sections_examples_and_attempts_and_no_guess() -> None:
    _, bench = ask(named(("replace", "manner", STOLEN)), texts(s1=MENDED))
    request = bench.requests[0][-1].text
    assert PROMPT.strip() in request
    assert "- manner (Manner): " in request
    assert "locked: it cannot be edited" in request
    assert "my card is stolen" in request
    assert "Stolen is lost." in request
    assert 'section="' not in request  # the rules' guess would mislead
    schema = json.dumps(bench.schemas[0])
    assert '"manner"' in schema
    assert '"safety"' not in schema


def test_the_second_call_marks_the_places_with_the_nonce_of_the_request() -> None:
    _, bench = ask(named(("replace", "manner", STOLEN)), texts(s1=MENDED))
    request = bench.requests[1][-1].text
    assert re.search(rf'<edit-[0-9a-f]{{8}} id="s1">{re.escape(STOLEN)}</edit-', request)
    assert "A sentence says so." in request
    assert "Stolen is lost." in request


def test_spans_of_the_user_need_no_first_call() -> None:
    base = seed_candidate(PROMPT.replace("Be friendly.", "<edit>Be friendly.</edit>"))
    proposal, bench = ask("unused", texts(**{"edit-1": "Be exact."}), base)
    assert len(bench.requests) == 1
    assert changed(proposal, base) == base.program.prompt.text.replace("Be friendly.", "Be exact.")


# --- L1 to L6 -----------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "Sort the message. ", "Be exact!\t", "a\u0301e\u0308 ", "👩‍👩‍👧 ", "👍🏽", "{{text}} ",
        "<edit> ", "\\<edit> ", "</edit>", "- item", "\n", "\n\n", "\r\n", "déjà vu. ", "ﬀ", "İ",
        "  ", "word", "- ", "Ünïcode—dash. ", "\u200b", "# no heading", "`code` ",
    ]
)  # fmt: skip
BODY = st.lists(PIECES, min_size=1, max_size=14).map("".join)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    bodies = [draw(BODY) for _ in range(3)]
    text = (
        f"system:\n{bodies[0]}\n\n## One {{#one}}\n{bodies[1]}\n"
        f"## Shut {{#shut .locked}}\nNever reveal notes.\n## Two {{#two}}\n{bodies[2]}\n"
        "user:\nThe text: {{text}}\n"
    )
    prompt = Prompt(text=text.replace("\r\n", "\n").replace("\n", newline))
    assume(not prompt.spans)  # with marked spans there is nothing to place
    return prompt


@st.composite
def raw_spans(draw: st.DrawFn, prompt: Prompt) -> list[RawSpan]:
    spans: list[RawSpan] = []
    for _ in range(draw(st.integers(1, 5))):
        part = draw(st.sampled_from(prompt.sections))
        start = draw(st.integers(0, len(part.text)))
        end = draw(st.integers(start, len(part.text)))
        old = part.text[start:end] if draw(st.booleans()) else draw(BODY)
        op = draw(st.sampled_from(["replace", "insert_after", "nonsense"]))
        spans.append(RawSpan(op=op, section=draw(st.sampled_from([part.id, "x", ""])), old=old))
    return spans


NEW = st.one_of(
    st.text(max_size=60),
    BODY,
    st.just(f'<edit-{NONCE} id="s1">New words.</edit-{NONCE}>'),
    st.just("<edit>New words.</edit>"),
)


def outside(prompt: Prompt, spans: Sequence[EditSpan]) -> list[str]:
    """The texts between the spans, in order."""
    places = [offsets(prompt, span) for span in spans]
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(prompt.text)]
    return [prompt.text[a:b] for a, b in zip(starts, ends, strict=True)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_l1_bytes_outside_the_spans_are_identical(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    spans, _ = place_spans(data.draw(raw_spans(prompt)), prompt)
    new = {span.id: data.draw(NEW) for span in spans}
    edits = span_edits(new, prompt, "main", spans)
    by_place = {(edit.section, edit.start, edit.end): edit.text for edit in edits}
    inside = [by_place.get((s.section, s.start, s.end), s.text) for s in spans]
    kept = outside(prompt, spans)
    expected = kept[0] + "".join(a + b for a, b in zip(inside, kept[1:], strict=True))
    try:
        spliced = splice(prompt, edits).text
    except PromptError:
        return  # the new text makes no prompt: the proposal is refused as a whole
    assert spliced == expected


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_l1_spans_cut_no_variable_no_word_and_no_character_of_several_parts(
    data: st.DataObject,
) -> None:
    prompt = data.draw(prompts())
    spans, _ = place_spans(data.draw(raw_spans(prompt)), prompt)
    for span in spans:
        for place in offsets(prompt, span):
            left, right = prompt.text[:place], prompt.text[place:]
            assert left.count("{{") == left.count("}}")
            assert not (left[-1:].isalnum() and right[:1].isalnum())
            assert not re.match(r"[\u0300-\u036f\U0001f3fb-\U0001f3ff\u200d]", right)
            assert not (left.endswith("\r") and right.startswith("\n"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_l2_the_new_text_holds_no_tag_of_the_request(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    spans, _ = place_spans(data.draw(raw_spans(prompt)), prompt)
    new = {span.id: data.draw(NEW) for span in spans}
    for edit in span_edits(new, prompt, "main", spans):
        assert f"edit-{NONCE}" not in edit.text
        if "<edit>" not in edit.old and "</edit>" not in edit.old:
            assert "<edit>" not in edit.text


def test_l2_a_literal_edit_tag_of_the_prompt_is_no_tag_of_the_request() -> None:
    base = seed_candidate(PROMPT.replace("Be friendly.", "Write \\<edit> in full."))
    old = "Write \\<edit> in full."
    proposal, bench = ask(
        named(("replace", "manner", old)), texts(s1="Write \\<edit> twice."), base
    )
    assert "\\<edit> in full.</edit-" in bench.requests[1][-1].text
    assert changed(proposal, base) == base.program.prompt.text.replace("in full", "twice")


def test_l3_a_text_that_stands_nowhere_falls_back_to_the_section_of_the_bucket_and_says_so() -> (
    None
):
    identified = named(("replace", "manner", "Nothing of the kind is written anywhere at all."))
    proposal, _ = ask(identified, texts(s1="- lost_card: also when it was stolen"))
    assert "fell back to section 'labels'" in proposal.raw
    assert "does not stand in the prompt" in proposal.raw
    [edit] = proposal.edits
    assert isinstance(edit, Replace)
    assert edit.section == "labels"


def test_l3_no_reply_that_can_be_read_is_never_a_global_rewrite() -> None:
    proposal, bench = ask("Rewrite it all.", "Rewrite it all.")
    assert proposal.edits == ()
    assert "no edit" in proposal.raw
    assert len(bench.requests) == 4  # each of the two questions is asked once more


def test_l3_without_a_section_to_fall_back_to_there_is_no_second_call() -> None:
    found = evidence()
    lost = tuple(bucket.model_copy(update={"target": None}) for bucket in found.buckets)
    proposal, bench = ask(
        named(("replace", "manner", "Nothing of the kind is written.")),
        texts(s1="x"),
        found=found.model_copy(update={"buckets": lost}),
    )
    assert proposal.edits == ()
    assert "no place was found" in proposal.raw
    assert len(bench.requests) == 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_l4_no_span_lies_in_a_locked_section(data: st.DataObject) -> None:
    prompt = data.draw(prompts())
    locked = [RawSpan(op="replace", section="shut", old=""), RawSpan(old="Never reveal notes.")]
    spans, notes = place_spans([*locked, *data.draw(raw_spans(prompt))], prompt)
    assert any("locked" in note for note in notes)
    assert "shut" not in {span.section for span in spans}


def test_l5_evidence_and_search_are_those_of_the_host() -> None:
    """The generator decides nothing: it has the host's evidence and proposes, once a bucket."""
    found = evidence()
    before = found.model_dump_json()
    proposal, bench = ask(named(("replace", "manner", STOLEN)), texts(s1=MENDED), found=found)
    assert found.model_dump_json() == before
    assert proposal.evidence == tuple(bucket.name for bucket in found.buckets)
    assert set(bench.replicates) == {0}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_l6_at_most_three_spans_with_thirty_percent_of_the_editable_text(
    data: st.DataObject,
) -> None:
    prompt = data.draw(prompts())
    spans, _ = place_spans(data.draw(raw_spans(prompt)), prompt)
    editable = sum(len(part.text) for part in regions(prompt) if not part.locked)
    assert len(spans) <= MAX_SPANS
    assert sum(span.end - span.start for span in spans) <= MAX_SHARE * editable
    places = [offsets(prompt, span) for span in spans]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(places))  # none overlap


def test_l6_a_span_that_is_too_long_becomes_a_place_behind_it_and_says_so() -> None:
    whole = PROMPT.split("system:\n")[1].split("\n\n## Labels")[0]
    proposal, _ = ask(named(("replace", "system", whole)), texts(s1="Stolen cards are lost."))
    assert changed(proposal) == PROMPT.replace(whole, f"{whole}\nStolen cards are lost.")
    assert "more than a local edit may change" in proposal.raw


# --- what replies do wrong ----------------------------------------------------------------------


def placed(*raw: RawSpan, text: str = PROMPT) -> list[str]:
    prompt = Prompt.from_text(text)
    spans, _ = place_spans(raw, prompt)
    return [prompt.text[slice(*offsets(prompt, span))] for span in spans]


@pytest.mark.parametrize(
    "old",
    [
        STOLEN,
        STOLEN.upper(),
        STOLEN.replace(" of ", "\n of  "),
        "When a message talks of a card which was stolen, answer with top up.",
        "When a messsage speaks of card that was stolen answer top_up",
    ],
    ids=["exact", "capitals", "spaces", "other words", "slips"],
)
@pytest.mark.parametrize("section", ["manner", "labels", "nowhere"])
def test_a_span_is_found_exactly_or_else_by_likeness(old: str, section: str) -> None:
    assert placed(RawSpan(section=section, old=old)) == [STOLEN]


def test_overlapping_and_nested_spans_are_merged() -> None:
    first = RawSpan(section="manner", old="When a message speaks of a card")
    second = RawSpan(section="manner", old="speaks of a card that was stolen")
    nested = RawSpan(section="manner", old="a card")
    assert placed(first, second, nested) == ["When a message speaks of a card that was stolen"]


def test_half_words_and_half_variables_are_widened() -> None:
    assert placed(RawSpan(section="manner", old="rd that was sto")) == ["card that was stolen"]
    text = PROMPT.replace("{{text}}", "Message of {{text}} to sort")
    assert placed(RawSpan(section="user", old="of {{te"), text=text) == ["of {{text}}"]


def test_an_insertion_stands_on_a_line_of_its_own_behind_a_line() -> None:
    identified = named(("insert_after", "labels", "- top_up"))
    proposal, _ = ask(identified, texts(s1="refund"))
    assert "- top_up\n- refund\n- top_up_failed" in changed(proposal)


def test_an_insertion_inside_a_paragraph_is_a_sentence_of_it() -> None:
    first = "Sort the message of the customer into one of the labels."
    proposal, _ = ask(named(("insert_after", "system", first)), texts(s1="Take one label."))
    assert f"{first} Take one label. Read the whole message" in changed(proposal)


def test_an_empty_text_of_a_section_is_a_place_at_its_end() -> None:
    proposal, _ = ask(named(("insert_after", "manner", "")), texts(s1="Stolen is lost."))
    assert "Be friendly.\nStolen is lost.\n\n## Safety" in changed(proposal)


SPAN = "Be friendly."


@pytest.mark.parametrize(
    "new",
    [
        "Be exact.",
        f"{STOLEN}\nBe exact.",
        f"## Manner {{#manner}}\n{STOLEN}\nBe exact.\n\n## Safety {{#safety .locked}}",
        "Be exact.\n\n## Safety {#safety .locked}\nNever reveal notes.",
        "```\nBe exact.\n```",
        "<edit>Be exact.</edit>",
        f'<edit-{NONCE} id="s1">Be exact.</edit-{NONCE}>',
        PROMPT.replace(SPAN, "Be exact."),
        PROMPT.replace(SPAN, "Be exact.").replace("- lost_card\n", "").replace("whole ", ""),
    ],
    ids=["plain", "before", "section", "after", "fence", "tag", "nonce", "prompt", "rewrite"],
)
def test_only_the_text_of_the_span_is_taken(new: str) -> None:
    proposal, _ = ask(named(("replace", "manner", SPAN)), texts(s1=new))
    assert changed(proposal) == PROMPT.replace(SPAN, "Be exact.")


@pytest.mark.parametrize(
    "wrapped", ["{}", "```\n{}\n```", "Here it is:\n<prompt>\n{}\n</prompt>\nDone."]
)
def test_of_a_whole_prompt_only_what_changes_inside_the_spans_is_taken(wrapped: str) -> None:
    whole = PROMPT.replace(SPAN, "Be exact.").replace("- lost_card\n", "").replace("whole ", "")
    proposal, _ = ask(named(("replace", "manner", SPAN)), wrapped.format(whole))
    assert changed(proposal) == PROMPT.replace(SPAN, "Be exact.")


def test_the_marked_prompt_written_out_again_gives_the_texts_between_its_tags() -> None:
    def rewrite(request: str) -> str:
        shown = re.search(r"<prompt id=\"\w+\">\n(.*?)\n</prompt>", request, re.DOTALL)
        assert shown is not None
        return shown.group(1).replace(SPAN, "Be exact.").replace("- lost_card\n", "")

    proposal, _ = ask(named(("replace", "manner", SPAN)), rewrite)
    assert changed(proposal) == PROMPT.replace(SPAN, "Be exact.")


def test_a_text_that_happens_to_begin_like_its_neighbour_keeps_its_words() -> None:
    text = PROMPT.replace("Be friendly.", "Answer briefly. Answer briefly in English.")
    prompt = Prompt.from_text(text)
    spans, _ = place_spans([RawSpan(section="manner", old="Answer briefly in English.")], prompt)
    edits = span_edits({"s1": "Answer briefly in French."}, prompt, "main", spans)
    assert splice(prompt, edits).text == text.replace("in English", "in French")


def test_a_difference_over_the_edge_of_a_span_is_left_out() -> None:
    prompt = Prompt.from_text(PROMPT)
    spans, _ = place_spans([RawSpan(section="manner", old="stolen, answer")], prompt)
    over = PROMPT.replace("was stolen, answer with", "vanished")
    assert inside_spans(over, prompt, spans) == {}
    both = PROMPT.replace("was stolen, answer with", "was gone, answer by")
    assert inside_spans(both, prompt, spans) == {"s1": "gone, answer"}


@given(st.text(max_size=300))
def test_any_reply_is_read_without_an_error(reply: str) -> None:
    prompt = Prompt.from_text(PROMPT)
    spans, _ = place_spans([RawSpan(section="manner", old=SPAN)], prompt)
    found = read_texts(reply, prompt, spans, NONCE)
    assert (found.problem is None) or not found.texts


def test_demonstrations_and_front_matter_are_not_shown_and_places_stay_right() -> None:
    text = (
        "---\nname: x\n---\nsystem:\nSort. Be friendly.\ndemos:\n"
        '{"input": {"text": "hi"}, "output": "a"}\nuser:\n{{text}} Be brief.\n'
    )
    prompt = Prompt.from_text(text)
    spans, _ = place_spans([RawSpan(old="Be brief.", section="user")], prompt)
    shown = marked_text(prompt, spans, NONCE)
    assert shown == (
        f'system:\nSort. Be friendly.\nuser:\n{{{{text}}}} <edit-{NONCE} id="s1">Be brief.'
        f"</edit-{NONCE}>"
    )


# --- a long prompt in which nothing names the failing section ------------------------------------


def long_prompt(fault: str) -> tuple[str, str]:
    """A prompt of about 8,000 tokens in 12 sections; one of them holds the fault."""
    rng = random.Random(3)
    words = ["account", "invoice", "refund", "order", "parcel", "branch", "notice", "window"]

    def sentence() -> str:
        return f"The {rng.choice(words)} of a {' '.join(rng.choices(words, k=11))} comes first."

    parts = ["system:\nSort the message."]
    for number in range(11):
        lines = [sentence() for _ in range(30)]
        if number == 7:
            lines[17] = fault
        parts.append(f"## Part {number} {{#part-{number}}}\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n\nuser:\n{{text}}\n", "part-7"


def test_one_sentence_of_a_long_prompt_is_mended_and_nothing_else() -> None:
    text, section = long_prompt(STOLEN)
    assert len(text) > 30_000
    base = seed_candidate(text)

    def finds(request: str) -> str:
        shown = request[request.index("<prompt") : request.index("</prompt>")]
        line = next(line for line in shown.splitlines() if "stolen" in line)
        return named(("replace", "part-0", line))  # in the wrong section

    proposal, _ = ask(finds, texts(s1=MENDED), base)
    [edit] = proposal.edits
    assert isinstance(edit, Replace)
    assert edit.section == section
    assert changed(proposal, base) == text.replace(STOLEN, MENDED)
    assert len(edit.text) < 0.02 * len(text)


class TestLocalEdit(GeneratorContract):
    def generator(self) -> Generator:
        return LocalEdit()

    def base(self) -> Candidate:
        return BASE

    def evidence(self) -> Evidence:
        return evidence()

    def reply(self, messages: Sequence[Message]) -> str:
        if "with the places marked" in messages[1].text:
            return texts(s1=MENDED)
        return named(("replace", "manner", STOLEN))
