from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptyard.errors import ConfigError
from promptyard.metrics.rule_evaluation import Absent, Evaluation, Mistyped
from promptyard.metrics.rule_syntax import RuleError, parse_rule
from promptyard.records.base import Json

from .grading import grade

ANSWER: Json = {"a": 1, "b": -2.5, "t": "text", "n": None, "f": False, "xs": [1, 2], "o": {"k": 1}}


def _holds(rule: str, answer: Json = ANSWER) -> bool:
    return Evaluation(answer).truth(parse_rule(rule))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            '{"start": 2, "end": 1}',
            'the rule "start <= end" does not hold: start is 2; end is 1',
        ),
        ('{"start": 2}', "the rule \"start <= end\" reads 'end', which is missing"),
        (
            '{"start": 2, "end": "x"}',
            'the rule "start <= end" cannot be checked: start <= end needs numbers, not "x"',
        ),
    ],
)
def test_a_reason_says_what_was_read(output: str, reason: str) -> None:
    (score,) = grade("cross_field", output, options={"expression": "start <= end"})
    assert score.reason == reason


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("start <", "cannot be read: invalid syntax"),
        ("(start", "cannot be read"),
        ("start)", "cannot be read"),
        ("a implies", "needs something on both sides of 'implies'"),
        ("sqrt(a) > 1", "cannot call 'sqrt'; known: exists, default, field, len"),
        ("len(a, b) > 1", "gives 'len' 2 values"),
        ("field(a) == 1", "needs a name in quotes in 'field'"),
        ("xs[a] == 1", "needs a number or a name in quotes between brackets"),
        ("xs[0:1] == 1", "needs a number or a name in quotes between brackets"),
        ("a if b else c", "cannot have 'IfExp'"),
        ("a ** b == 1", "cannot have 'Pow'"),
        ("a is b", "cannot have 'Is'"),
        ("a := 1", "cannot be read"),
        ("lambda: 1", "cannot have 'Lambda'"),
        ("[x for x in xs] == xs", "cannot have 'ListComp'"),
        ("b'x' == t", "cannot have the constant b'x'"),
        ("f'{t}' == t", "cannot have 'JoinedStr'"),
        ("len(*xs) == 1", "cannot have 'Starred'"),
        ("len(x=xs) == 1", "cannot call 'len'"),
        ("t.upper() == t", "cannot call '?'"),
        ("a; b", "cannot be read"),
        ("x" * 3000, "is longer than 2000 characters"),
        ("(" * 900 + "a" + ")" * 900, "cannot be read"),
        ("-" * 90 + "a > 0", "is nested deeper than 60 levels"),
    ],
)
def test_what_is_no_rule_is_an_error_of_one_line(rule: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        grade("cross_field", "{}", options={"expression": rule})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "rule",
    [
        "f implies f implies f",
        "(f implies t == 'x') and a == 1",
        "len([1, (2), 3]) == 3",
        "max(xs) == max(1, 2) == 2",
        "min(xs) == 1 and min(b, a) == b",
        "round(b) == -2 and round(1.25, 1) == 1.2 and abs(b) == 2.5",
        "lower('TEXT') == t and 'ex' in t and 'no' not in t",
        "'k' in o and o.k == o['k'] == 1",
        "n == null and n != false and n != 0",
        "not exists(z) and exists(n) and default(z, null) == null",
        "7 % 4 == 3 and 7 / 2 == 3.5 and 2 - 3 == -1",
        "len(t) == 4 and len(o) == 1 and len([]) == 0",
        "t\n ==  'text'",
        "'a  b' != 'a b'",
        "sum([]) == 0",
        "xs == [1, 2.0] and xs != [2, 1]",
        "10000000000000000000001 != 10000000000000000000000",
        "true or z == 1",
    ],
)
def test_rules_that_hold(rule: str) -> None:
    assert _holds(rule)


@pytest.mark.parametrize(
    "rule",
    [
        *("len(a) == 1", "sum(t) == 1", "sum([t]) == 1", "max([]) == 1", "lower(a) == 'a'"),
        *("t < a", "a in b", "a + t == 1", "1 % 0 == 0", "a / 0 == 1", "not a", "a"),
        *("n or true", "f < true"),
    ],
)
def test_operations_that_do_not_go_with_a_value(rule: str) -> None:
    with pytest.raises(Mistyped):
        _holds(rule)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        *(("z == 1", "z"), ("o.z == 1", "o.z"), ("xs[2] == 1", "xs[2]"), ("t.z == 1", "t.z")),
        *(("z or true", "z"), ("sum(xs.k) == 1", "xs.k"), ("field('o.z') == 1", "o.z")),
    ],
)
def test_a_field_that_is_not_there_is_named(rule: str, path: str) -> None:
    with pytest.raises(Absent) as raised:
        _holds(rule)
    assert str(raised.value) == path


@settings(deadline=None)
@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 9))
def test_arithmetic_is_that_of_numbers(one: int, other: int, third: int) -> None:
    answer = {"x": one, "y": other, "z": third}
    assert _holds(f"x + y * z == {one + other * third}", answer)
    assert _holds("x < y", answer) == (one < other)
    assert _holds("x < y implies y > z", answer) == (one >= other or other > third)
    assert _holds("(x + y) / z * z - x - y < 1 / 1000000", answer)


@settings(deadline=None)
@given(st.text(alphabet="abnt()[]<>=!+-*/%.,'\" 019\n#{}", max_size=30))
def test_any_text_is_a_rule_or_says_why_not(text: str) -> None:
    said = ""
    try:
        assert isinstance(Evaluation(ANSWER).truth(parse_rule(text)), bool)
    except (RuleError, Absent, Mistyped) as error:
        said = str(error) or "\n"
    assert "\n" not in said
