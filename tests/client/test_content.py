"""Scorers see content, the disk sees it redacted, and only where it was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptyard.client import Promptyard
from support.manifests import ROLLOUT, manifest_of, write_manifest
from support.spools import lines_in, outcomes_in

SECRET = "sk-abcdefghijklmnopqrstuvwxyz123456"
NAN = float("nan")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    write_manifest(path, manifest_of(rollouts=[ROLLOUT]))
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def graded(
    source: Path, spool: Path, scorers: list[Callable[..., Any]], **fields: Any
) -> Iterator[Any]:
    with Promptyard(source, record_to=spool, scorers=scorers) as client:
        given: dict[str, Any] = {"output": f"it is {SECRET}", "inputs": {"question": "How?"}}
        given |= fields
        client.record(client.prompt("support"), **given)
        assert client.flush()
        (outcome,) = outcomes_in(spool)
        yield outcome
        yield client.status()["recording"]


def test_scorers_see_the_content_that_is_not_written(source: Path, spool: Path) -> None:
    def knows(inputs: Any, output: str) -> float:
        return float(inputs["question"] == "How?" and SECRET in output)

    def named(inputs: Any, output: str) -> dict[str, Any]:
        return {"short": len(output) < 100, "hard_failure": True}

    def nothing(inputs: Any, output: str) -> None:
        return None

    outcome, status = graded(source, spool, [knows, named, nothing])
    assert outcome.scores == {"score": 1.0, "short": 1.0}
    assert outcome.hard_failure is True
    assert outcome.output is None
    assert status["scorer_failures"] == 0


def test_what_the_application_says_itself_stands(source: Path, spool: Path) -> None:
    def scorer(inputs: Any, output: str) -> dict[str, Any]:
        return {"score": 0.1, "other": 0.2, "hard_failure": True}

    outcome, _ = graded(source, spool, [scorer], score=0.9, hard_failure=False)
    assert outcome.scores == {"score": 0.9, "other": 0.2}
    assert outcome.hard_failure is False


def bad_score(value: Any) -> Callable[[Any, str], Any]:
    return lambda inputs, output: value


@pytest.mark.parametrize("value", [NAN, 2.0, -1, "good", {"tone": NAN}, {"hard_failure": 1}, [1]])
def test_a_scorer_that_gives_no_score_is_counted_and_never_a_zero(
    source: Path, spool: Path, value: Any
) -> None:
    outcome, status = graded(source, spool, [bad_score(value)])
    assert outcome.scores == {}
    assert outcome.hard_failure is None
    assert status["scorer_failures"] == 1
    assert "scorer" in status["last_failure"]


def test_a_scorer_that_raises_is_counted_and_the_others_still_count(
    source: Path, spool: Path
) -> None:
    def broken(inputs: Any, output: str) -> float:
        raise KeyError("missing")

    outcome, status = graded(source, spool, [broken, bad_score(0.5)])
    assert outcome.scores == {"score": 0.5}
    assert status["scorer_failures"] == 1
    assert "broken" in status["last_failure"]


QUOTES = "Mrs Smith has a cold"
ERRORS = {
    f"ValidationError: input_value='{QUOTES}'": "ValidationError",
    f"openai.APITimeoutError('{QUOTES}')": "openai.APITimeoutError",
    "TimeoutError": "TimeoutError",
    QUOTES: "error",
    f"Error{QUOTES}": "error",
    f"the TimeoutError: {QUOTES}": "error",
    "x." * 100_000: "error",
    "é" * 100: "error",
}


@pytest.mark.parametrize("error", ERRORS, ids=range(len(ERRORS)))
def test_without_content_only_the_kind_of_an_error_is_written(
    source: Path, spool: Path, error: str
) -> None:
    outcome, _ = graded(source, spool, [], error=error)
    assert outcome.error == ERRORS[error]


def test_without_content_the_status_does_not_repeat_what_a_function_said(
    source: Path, spool: Path
) -> None:
    def quotes(inputs: Any, output: str) -> float:
        raise ValueError(f"cannot read {output}")

    _, status = graded(source, spool, [quotes], output=QUOTES)
    assert status["last_failure"] == "scorer quotes: ValueError"
    _, status = graded(source, spool / "2", [bad_score(QUOTES)], output=QUOTES)
    assert "Smith" not in json.dumps(status)
    with Promptyard(source, record_to=spool, language=lambda text: str(1 / len(text))) as client:
        client.record(client.prompt("support"), output="")
        assert client.flush()
        failure = client.status()["recording"]["last_failure"]
    assert failure == "the language function raised ZeroDivisionError"


def test_with_content_the_status_says_more_and_redacts_it(source: Path, spool: Path) -> None:
    def quotes(inputs: Any, output: str) -> float:
        raise ValueError(f"cannot read {output}")

    _, status = with_content(source, spool, None, f"see {SECRET}", scorers=[quotes])
    assert status["last_failure"] == "scorer quotes: ValueError('cannot read see [api key]')"


def with_content(source: Path, spool: Path, inputs: Any, output: str, **options: Any) -> Any:
    with Promptyard(source, record_to=spool, content=True, **options) as client:
        client.record(client.prompt("support"), inputs=inputs, output=output, error=f"e {SECRET}")
        assert client.flush()
        (outcome,) = outcomes_in(spool)
        return outcome, client.status()["recording"]


def test_content_is_redacted_before_it_is_written(source: Path, spool: Path) -> None:
    inputs = {"question": f"Use {SECRET} and {SECRET}.", "who": ["ann@example.org", {"n": 3}]}
    outcome, _ = with_content(source, spool, inputs, "Call +49 30 1234567, Ann@Example.org!")
    assert outcome.inputs == {
        "question": "Use [api key] and [api key].",
        "who": ["[email]", {"n": 3}],
    }
    assert outcome.output == "Call [phone], [email]!"
    assert outcome.error == "e [api key]"
    assert outcome.features["input_chars"] > 60  # of what was really there
    assert SECRET not in "".join(path.read_text() for path in spool.iterdir())


def test_personal_data_can_be_kept_and_secrets_cannot(source: Path, spool: Path) -> None:
    outcome, _ = with_content(
        source, spool, None, f"ann@example.org {SECRET}", redact_personal_data=False
    )
    assert outcome.output == "ann@example.org [api key]"


def test_the_own_rule_runs_after_the_built_in_ones(source: Path, spool: Path) -> None:
    seen: list[str] = []

    def redact(text: str) -> str:
        seen.append(text)
        return text.replace("Ann", "[name]")

    outcome, _ = with_content(source, spool, {"q": "Ann"}, f"Ann {SECRET}", redact=redact)
    assert (outcome.inputs, outcome.output) == ({"q": "[name]"}, "[name] [api key]")
    assert not [text for text in seen if SECRET in text]


def breaks(text: str) -> Any:
    raise ZeroDivisionError(text)


def returns_nothing(text: str) -> Any:
    return None


@pytest.mark.parametrize("redact", [breaks, returns_nothing, str.encode])
def test_content_that_cannot_be_redacted_is_dropped_and_counted(
    source: Path, spool: Path, redact: Any
) -> None:
    outcome, status = with_content(source, spool, {"q": "Ann"}, "Ann", redact=redact)
    assert outcome.inputs is outcome.output is None
    assert outcome.error == "error"  # it failed, whatever can be said of it
    assert "Ann" not in status["last_failure"]
    assert outcome.features["output_chars"] == 3
    assert status["redaction_failures"] == 2  # the content, and the error
    assert "cannot be redacted" in status["last_failure"]


NO_CONTENT: dict[str, Any] = {
    "an object": {"q": object()},
    "no number": {"q": NAN},
    "too long": {"q": "x " * 600_000},
    "a set": {"q": {1, 2}},
}


@pytest.mark.parametrize("kind", NO_CONTENT)
def test_content_that_is_no_json_or_too_long_is_dropped_and_counted(
    source: Path, spool: Path, kind: str
) -> None:
    outcome, status = with_content(source, spool, NO_CONTENT[kind], "fine")
    assert outcome.inputs is outcome.output is None
    assert status["content_dropped"] == 1


def test_lone_surrogates_are_written_as_json_can(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool, content=True) as client:
        prompt = client.prompt("support", subject="\ud800")
        client.record(prompt, output="a\ud800b", inputs={"q": "\udfff"})
        assert client.flush()
    (line,) = [line for line in lines_in(spool) if '"outcome"' in line]
    assert json.loads(line)["output"] == "a\ud800b"


def test_a_language_function_adds_a_feature(source: Path, spool: Path) -> None:
    with Promptyard(source, record_to=spool, language=lambda text: "en") as client:
        client.record(client.prompt("support"), output="hello")
        assert client.flush()
        (outcome,) = outcomes_in(spool)
    assert outcome.features["language"] == "en"
