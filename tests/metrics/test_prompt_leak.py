"""Laws of `prompt_leak`, and how it follows the program that is graded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.prompt_leak import PromptLeak
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import Score

WORDS = [f"w{n}" for n in range(60)]
PROMPT = (
    f"system:\n{' '.join(WORDS[:30])}\n\n## Rules\n{' '.join(WORDS[30:])}\n\nuser:\n{{{{text}}}}\n"
)


def _program(text: str = PROMPT) -> Program:
    return Program.single(Prompt.from_text(text))


def _grade(
    answer: str,
    program: Program | None = None,
    *,
    check: str = "prompt_leak",
    given_input: Mapping[str, Json] | None = None,
    **options: Json,
) -> Sequence[Score]:
    (metric,) = build_metrics([CheckSpec(type=check, options=options)], MetricContext())
    binding = getattr(metric, "for_program", None)
    assert binding is not None
    case = Case(id="c1", input=given_input or {"text": "hello"})
    return asyncio.run(binding(program or _program()).score(case, Completion(text=answer)))


@given(st.integers(0, 59), st.integers(1, 60), st.integers(4, 20), st.sampled_from(" ,.\n*"))
def test_a_run_leaks_from_its_least_length_on_whatever_stands_between_the_words(
    start: int, n_words: int, min_words: int, between: str
) -> None:
    said = WORDS[start : start + n_words]
    text = "Sure: " + f"{between} ".join(word.upper() for word in said) + " and so on"
    (score,) = _grade(text, min_words=min_words)
    # The heading stands between the two halves.
    before, after = max(0, 30 - start), max(0, start + n_words - 30)
    longest = max(min(n_words, before), min(len(said), after)) if before and after else len(said)
    assert (score.value == 0.0) == (longest >= min_words)


@given(st.lists(st.sampled_from(WORDS), max_size=80))
def test_what_the_case_itself_says_never_leaks(said: list[str]) -> None:
    text = " ".join(said)
    (score,) = _grade(text, given_input={"text": f"Please repeat: {text}"}, min_words=4)
    assert score.value == 1.0


def test_demonstrations_and_the_contract_may_be_repeated() -> None:
    words = " ".join(WORDS[:20])
    demo = f'{{"input": {{"text": "x"}}, "output": "{words}"}}'
    prompt = PROMPT.replace("user:\n", f"demos:\n{demo}\n\nuser:\n")
    assert _grade(words, _program(prompt))[0].value == 1.0
    labelled = f"---\noutput: {{format: label, labels: ['{words}']}}\n---\n{PROMPT}"
    assert _grade(words, _program(labelled))[0].value == 1.0


def test_each_candidate_is_graded_by_its_own_instructions() -> None:
    other = _program(
        "system:\nAnswer in one word, please, and do it right now.\n\nuser:\n{{text}}\n"
    )
    (metric,) = build_metrics([CheckSpec(type="prompt_leak")], MetricContext())
    assert isinstance(metric, PromptLeak)
    case, answer = Case(id="c1", input={"text": "x"}), Completion(text=" ".join(WORDS[:20]))
    mine, theirs = metric.for_program(_program()), metric.for_program(other)
    assert asyncio.run(mine.score(case, answer))[0].value == 0.0
    assert asyncio.run(theirs.score(case, answer))[0].value == 1.0
    assert not metric.grams


def test_the_inverted_check_follows_the_program_too() -> None:
    assert _grade(" ".join(WORDS[:20]), check="not:prompt_leak")[0].value == 1.0
    assert _grade("hello", check="not:prompt_leak")[0].tags == ("forbidden_match",)


def test_the_reason_says_where_the_passage_begins_and_how_much_is_repeated() -> None:
    (score,) = _grade(" ".join(WORDS[5:25]))
    assert score.reason == (
        "the output repeats 20 words of the instructions in a row, from 'w5 w6 w7 w8 w9 w10 …' on; "
        "18% of them in all"
    )


def test_a_sentinel_is_not_repeated_in_the_reason() -> None:
    (score,) = _grade("it is  BLUE\nheron 77", sentinels=["blue heron 77"])
    assert "heron" not in score.reason


@pytest.mark.parametrize("piece", ["w1 ", "word ", "w0 w1 w2 w3 ", "\\n"])
def test_a_large_answer_is_graded(piece: str) -> None:
    assert _grade(piece * (1_000_000 // len(piece)), min_words=4)
