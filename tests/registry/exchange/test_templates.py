"""Templates of other tools: names become variables, logic is refused by name and line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import PromptError
from promptyard.registry.exchange.foreign import Settings, build_prompt
from promptyard.registry.exchange.templates import (
    SYNTAXES,
    Piece,
    double_braces,
    handlebars,
    jinja,
    mustache,
    single_braces,
)

X = Piece("variable", "x")


def text(value: str) -> Piece:
    return Piece("text", value)


def test_each_language_reads_its_variables() -> None:
    assert double_braces("a {{ x }} b") == [text("a "), X, text(" b")]
    assert jinja("{{x}}{# not sent #}!") == [X, text("!")]
    assert mustache("{{{x}}}{{&x}}{{! not sent }}") == [X, X]
    assert handlebars("{{x}}{{{x}}}{{!-- }} not sent --}}{{json x}}") == [X, X, X]
    assert single_braces("{x} {{x}} {{{x}}}") == [
        X, text(" "), text("{"), text("x"), text("}"), text(" "), text("{"), X, text("}"),
    ]  # fmt: skip


def test_dotprompts_own_helpers_open_messages() -> None:
    assert handlebars('{{role "system"}}a{{history}}{{ role \'user\' }}') == [
        Piece("role", "system"), text("a"), Piece("chat", "history"), Piece("role", "user"),
    ]  # fmt: skip
    assert handlebars("\\{{x}} {{x}}") == [text("{{x}}"), text(" "), X]


@pytest.mark.parametrize(
    ("language", "construct"),
    [
        ("jinja2", "{% if x %}"),
        ("jinja2", "{{ x | upper }}"),
        ("jinja2", "{{ x['a'] }}"),
        ("jinja2", "{{ x"),
        ("mustache", "{{#x}}"),
        ("mustache", "{{^x}}"),
        ("mustache", "{{/x}}"),
        ("mustache", "{{> part}}"),
        ("double", "{{first name}}"),
        ("double", "{{}}"),
        ("single", "{}"),
        ("single", "{0}"),
        ("single", "{x!r}"),
        ("single", "{x:>3}"),
        ("single", "}"),
        ("handlebars", "{{#if x}}"),
        ("handlebars", "{{#each x}}"),
        ("handlebars", "{{else}}"),
        ("handlebars", "{{/if}}"),
        ("handlebars", "{{> part}}"),
        ("handlebars", "{{media url=x}}"),
        ("handlebars", '{{section "code"}}'),
        ("handlebars", "{{@index}}"),
        ("handlebars", "{{this}}"),
        ("handlebars", "{{../x}}"),
        ("handlebars", "{{ifEquals x 1}}"),
        ("handlebars", "{{~x~}}"),
        ("handlebars", "{{x"),
    ],
)
def test_what_runs_logic_is_refused_by_name_and_line(language: str, construct: str) -> None:
    read = {**SYNTAXES, "handlebars": handlebars}[language]
    with pytest.raises(PromptError) as refused:
        read(f"one\ntwo\n{construct}", 5)
    assert str(refused.value).startswith(f"line 7: `{construct}` has no counterpart")


@pytest.mark.parametrize("language", [*SYNTAXES, "handlebars"])
@pytest.mark.parametrize("unit", ["{{", "{{a", "{{!--", "{{{", "}}", "{#", "{%", "{x}", "\\{{"])
def test_hostile_text_takes_no_longer_than_its_length(language: str, unit: str) -> None:
    read = {**SYNTAXES, "handlebars": handlebars}[language]
    start = time.process_time()
    try:
        read(unit * 200_000, 1)
    except PromptError as refused:
        assert len(str(refused)) < 300  # noqa: PT017 (refusing is as good as reading)
    assert time.process_time() - start < 5


@given(st.text(alphabet="ab {}\\#\n:sytemur<>/di", max_size=40))
def test_a_literal_text_comes_back_as_it_was_or_is_refused(source: str) -> None:
    try:
        pieces = double_braces(source)
        prompt = build_prompt([("user", pieces)], Settings())
    except PromptError:
        return
    values = {piece.value: "<value>" for piece in pieces if piece.kind == "variable"}
    shown = "".join(
        values.get(p.value, p.value) if p.kind == "variable" else p.value for p in pieces
    )
    (message,) = prompt.render(values)
    assert message.text.strip() == shown.strip()
