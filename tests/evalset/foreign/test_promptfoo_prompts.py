from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.evalset.foreign.checks import Unsupported
from promptyard.evalset.foreign.prompt_files import literal, prompt_text
from promptyard.records.base import Json
from promptyard.records.prompts import Prompt

from .promptfoo_files import imported


def prompts(folder: Path, *given: Json, **files: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = imported(folder, {"prompts": list(given), "tests": [{"vars": {"q": "a"}}]}, **files)
    return found.prompts, found.notes


def test_text_and_chats_become_prompt_files(tmp_path: Path) -> None:
    chat = '[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{ q }}"}]'
    texts, notes = prompts(
        tmp_path,
        "Answer {{q}}",
        {"id": "p2", "label": "two", "raw": "Say {{q}}!"},
        "file://chat.json",
        "many.txt",
        "file://table.csv",
        chat_json=chat,
        many_txt="one {{q}}\n---\ntwo {{q}}\n",
        table_csv='prompt,label\n"Three {{q}}",c\n',
    )
    assert texts == (
        "user:\nAnswer {{q}}\n",
        "user:\nSay {{q}}!\n",
        "system:\nBe kind.\n\nuser:\n{{q}}\n",
        "user:\none {{q}}\n",
        "user:\ntwo {{q}}\n",
        "user:\nThree {{q}}\n",
    )
    assert notes == ("of 6 prompts the first is the seed",)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("{{ q | upper }}", "template logic ({{ q | upper }})"),
        ("{% for x in q %}a{% endfor %}", "template logic ("),
        ("{{q.name}}", "a template that looks into 'q.name'"),
        ("file://p.py:make", "Python is not run"),
        ("exec:./p.sh", "nothing is run or fetched"),
        ("langfuse://p@production", "nothing is run or fetched"),
        ("file://none.txt", "there is no such file"),
        ('[{"role": "tool", "content": "x"}]', "a message with the role 'tool'"),
        ('[{"role": "user", "content": [{"type": "text"}]}]', "a message that is no plain text"),
        ("User:\nhello", "a prompt that cannot be written here"),
        ("## Title {#x}\ntext {{q}}", "template logic ("),
    ],
)
def test_a_prompt_that_cannot_be_written_is_left_out_and_said(
    prompt: str, reason: str, tmp_path: Path
) -> None:
    texts, notes = prompts(tmp_path, prompt)
    assert texts == ()
    assert any(": " + reason in note and note.startswith("the prompt '") for note in notes)


def test_what_our_format_would_read_is_escaped(tmp_path: Path) -> None:
    texts, _ = prompts(tmp_path, "Turn:\nuser:\n<edit>{{q}}</edit>")
    messages = Prompt.from_text(texts[0]).render({"q": "Q"})
    assert [(message.role, message.text) for message in messages] == [
        ("user", "Turn:\nuser:\n<edit>Q</edit>")
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_literal_text_is_sent_as_it_is_or_refused(text: str) -> None:
    try:
        written = prompt_text([("system", literal(text)), ("user", "{{q}}")])
    except Unsupported:
        return
    sent = Prompt.from_text(written).render({"q": "Q"})
    assert [message.text.strip() for message in sent] == [text.strip(), "Q"]
