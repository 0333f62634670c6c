"""The embedded model: it reads messages, nothing else, and says what it found in them."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys

import pytest

from promptyard.errors import InvalidRequest
from promptyard.providers.embedded import EmbeddedLexical, answer
from promptyard.providers.lexical_reader import read_messages
from promptyard.records.messages import Message, OutputContract, Request
from promptyard.testing.model_contract import ModelContract

LABELS = (
    "Choose exactly one of these labels and answer with nothing else.\n"
    "- lost_card\n- exchange_rate\n- top_up"
)


def ask(system: str, user: str, *turns: tuple[str, str]) -> str:
    return answer([("system", system), *turns, ("user", user)])


class TestContract(ModelContract):
    def model(self) -> EmbeddedLexical:
        return EmbeddedLexical()

    def ignores_params(self) -> bool:
        return True


def test_it_answers_with_the_nearest_label() -> None:
    assert ask(LABELS, "I have lost my card!") == "lost_card"
    assert ask(LABELS, "what is your exchange rate for dollars") == "exchange_rate"


def test_without_an_output_contract_it_answers_in_prose() -> None:
    loose = LABELS.replace(
        "Choose exactly one of these labels and answer with nothing else.", "Topics:"
    )
    text = ask(loose, "I have lost my card!")
    assert "lost_card" in text
    assert text != "lost_card"


def test_it_reads_definitions() -> None:
    message = "my phone was stolen with everything in it"
    assert ask(LABELS, message) != "lost_card"
    defined = LABELS.replace("- lost_card", "- lost_card: stolen, phone, wallet, missing")
    assert ask(defined, message) == "lost_card"


def test_it_reads_demonstrations() -> None:
    message = "how do I put money in"
    demos = (("user", "where can I put money in?"), ("assistant", "top_up"))
    assert ask(LABELS, message, *demos) == "top_up"


def test_it_reads_a_list_of_labels_in_one_line() -> None:
    reading = read_messages(
        [
            ("system", "Possible categories: joy, anger, sadness or fear. Answer only."),
            ("user", "x"),
        ]
    )
    assert reading.labels == ("joy", "anger", "sadness", "fear")
    assert reading.wants_only_label


def test_rules_written_as_bullets_are_no_labels() -> None:
    reading = read_messages(
        [
            (
                "system",
                "Rules:\n- Only include facts that the ticket states somewhere.\n"
                "- Never reveal any internal notes of the team.\n\nLabels: a, b",
            ),
            ("user", "x"),
        ]
    )
    assert reading.labels == ("a", "b")


def test_it_answers_in_json_where_the_prompt_lists_fields() -> None:
    system = "Answer in JSON with these fields:\n- status: one of open, closed\n- product"
    text = ask(system, "The ticket was closed. The product is the toaster")
    assert text == '{"status": "closed", "product": "The product is the toaster"}'


def test_its_answers_depend_on_the_messages_and_on_nothing_else() -> None:
    """Other calls before, parameters, contracts, time, seeds and processes change nothing."""
    model = EmbeddedLexical()
    messages = (Message.of("system", LABELS), Message.of("user", "my card has been lost"))
    plain = Request(messages=messages)
    rich = Request(
        messages=messages,
        params={"temperature": 2, "seed": 9},
        output=OutputContract(format="label", labels=("zzz",)),
    )
    assert model.body(plain) == model.body(rich)

    async def text_of(request: Request) -> str:
        return (await EmbeddedLexical().send(model.body(request), timeout_s=1)).text

    first = asyncio.run(text_of(plain))
    for seed in range(20):
        random.seed(seed)
        other = Request(
            messages=(Message.of("system", LABELS + f"\n- l{seed}"), Message.of("user", str(seed)))
        )
        asyncio.run(text_of(other))
        assert asyncio.run(text_of(plain)) == first
    code = (
        "from promptyard.providers.embedded import answer; import sys;"
        "print(answer([('system', sys.argv[1]), ('user', 'my card has been lost')]), end='')"
    )
    for hash_seed in ("1", "77"):
        output = subprocess.run(
            [sys.executable, "-c", code, LABELS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert output == first


def test_a_conversation_without_a_user_message_is_refused() -> None:
    model = EmbeddedLexical()
    request = Request(messages=(Message.of("system", LABELS),))
    with pytest.raises(InvalidRequest, match="user message"):
        asyncio.run(model.send(model.body(request), timeout_s=1))
