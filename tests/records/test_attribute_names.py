"""The table of attribute names: alone, complete, and ordered by whose name counts first."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from promptyard.records import attribute_names as names
from promptyard.records.attribute_names import MEANINGS, OLD_COMPLETION, OLD_PROMPT, is_content

SOURCE = Path(__file__).resolve().parents[2] / "src" / "promptyard"
SPELLED = re.compile(
    r"(gen_ai|llm|langfuse|traceloop|openinference|feature_flag)\.[a-z_]+(\.[a-z_.]*)?"
    r"|promptyard\.(outcome\.id|rollout\.id|arm|prompt\.digest|resolution\.reason|subject)"
    r"|promptyard\.(hard_failure|run\.id|case\.id)"
    r"|(input|output)\.value|(error\.type|event\.name|service\.name|user\.id|enduser\.id)"
)


PRECEDENCE = ("own", "gen_ai", "old_gen_ai", "framework")
OLD = {
    "gen_ai.system",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
}
STANDARD = ("gen_ai.", "feature_flag.", "error.", "user.", "enduser.", "exception.")


def convention_of(name: str) -> str:
    """Whose name it is."""
    if name.startswith("promptyard."):
        return "own"
    numbered = re.match(rf"({re.escape(OLD_PROMPT)}|{re.escape(OLD_COMPLETION)})\d", name)
    if name in OLD or numbered:
        return "old_gen_ai"
    return "gen_ai" if name.startswith(STANDARD) else "framework"


def test_no_other_module_spells_an_attribute_name() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.value!r}"
        for path in SOURCE.rglob("*.py")
        if path.name != "attribute_names.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and SPELLED.fullmatch(node.value)
    ]
    assert not found, "\n".join(found)


def test_the_search_finds_the_names_of_the_table() -> None:
    listed = [name for meaning in MEANINGS.values() for name in meaning]
    unseen = [name for name in listed if not SPELLED.fullmatch(name)]
    assert not [name for name in unseen if not name.startswith("exception.")]


@pytest.mark.parametrize("meaning", MEANINGS)
def test_own_names_count_before_the_conventions_and_those_before_frameworks(meaning: str) -> None:
    ranks = [PRECEDENCE.index(convention_of(name)) for name in MEANINGS[meaning]]
    assert ranks == sorted(ranks)
    assert len(set(MEANINGS[meaning])) == len(ranks)


def test_the_names_of_the_conventions_are_those_that_opentelemetry_publishes() -> None:
    module = "opentelemetry.semconv._incubating.attributes.gen_ai_attributes"
    known = set(_texts(importlib.import_module(module)))
    ours = set(_texts(names))
    standard = {name for name in ours if name.startswith("gen_ai.") and not name.endswith(".")}
    younger = {names.PROMPT_VERSION, names.EVALUATION_RESULT}  # an attribute of 1.42, and an event
    assert standard - known == younger


def _texts(module: ModuleType) -> list[str]:
    texts: dict[str, object] = vars(module)
    return [value for key, value in texts.items() if key.isupper() and isinstance(value, str)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (names.PROMPT_NAME, False),
        (names.PROMPT_VERSION, False),
        (names.PROMPT_VARIABLE + "name", True),
        ("gen_ai.prompt.0.content", True),
        ("gen_ai.completion.1.content", True),
        ("llm.output_messages.0.message.content", True),
        ("input.value", True),
        ("langfuse.observation.output", True),
        ("user.email", True),
        ("llm.model_name", False),
        ("http.route", False),
    ],
)
def test_content_is_told_by_its_name(name: str, expected: bool) -> None:
    assert is_content(name) is expected
