from __future__ import annotations

from .grading import grade


def test_the_reason_shows_the_end_that_was_looked_at() -> None:
    long = "start " + "x" * 500 + " finish"
    (start,) = grade("starts_with", long, options={"value": "begin"})
    (end,) = grade("ends_with", long, options={"value": "end"})
    assert '"start xxx' in start.reason
    assert end.reason.endswith('xxx finish"')
