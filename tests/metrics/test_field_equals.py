from __future__ import annotations

from collections.abc import Mapping

from promptyard.records.base import Json

from .grading import grade

FIELD: Mapping[str, Json] = {"field": "a"}


def test_the_finding_names_the_field_and_both_values() -> None:
    (score,) = grade(
        "field_equals",
        '{"a/b": {"c": "got"}}',
        expected={"a/b": {"c": "gold"}},
        options={"field": "a/b.c"},
    )
    assert (score.field, score.path, score.label) == ("a/b.c", "/a~1b/c", "got")
    assert score.reason == 'the field \'a/b.c\': expected "gold", got "got"'
    assert (score.severity, score.dimension) == ("soft", "accuracy")


def test_an_answer_that_is_no_json_is_not_filed_under_the_field() -> None:
    (score,) = grade("field_equals", "x", expected={"a": "x"}, options=FIELD)
    assert score.field is None
