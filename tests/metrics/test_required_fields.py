from __future__ import annotations

import pytest

from promptyard.records.cases import CheckSpec

from .grading import grade


def test_there_is_one_finding_for_each_field_and_they_share_the_weight() -> None:
    spec = CheckSpec(type="required_fields", weight=3.0, options={"fields": ["a", "x.0.b", "c"]})
    scores = grade(spec, '{"a": 1, "x": [{"b": null}]}')
    assert [(s.field, s.path, s.tags) for s in scores] == [
        ("x.0.b", "/x/0/b", ("wrong_type",)),
        ("c", "/c", ("missing_required_field",)),
    ]
    assert sum(score.weight for score in scores) == pytest.approx(3.0)
    assert scores[0].reason == "the field 'x.0.b' is null; expected a value"
