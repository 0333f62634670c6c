"""What no table can show of `citation_markers`: spans, many findings, large answers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from promptyard.metrics.citation_markers import MAX_FINDINGS
from promptyard.records.base import Json
from promptyard.records.scores import Score

from .grading import grade


def _grade(text: str, **options: Json) -> Sequence[Score]:
    options = {"source": "docs", **options}
    return grade("citation_markers", text, given={"docs": {"a": "x", "b": "y"}}, options=options)


def test_a_finding_says_where_in_the_answer_it_stands() -> None:
    text = "Revenue rose a lot [a][c]. But then the costs fell. The end is near now [b]."
    unknown, unmarked = _grade(text, every="sentence")
    assert unknown.span is not None
    assert text[slice(*unknown.span)] == "[c]"
    assert unmarked.span is not None
    assert text[slice(*unmarked.span)].strip() == "But then the costs fell."


@pytest.mark.parametrize("every", ["sentence", "paragraph", "answer", "none"])
def test_every_place_of_a_marked_text_passes_and_of_an_unmarked_one_is_found(every: str) -> None:
    marked = "One two three four [a].\n\nFive six seven eight. [b]\n\n"
    (score,) = _grade(marked * 100, every=every)
    assert score.value == 1.0
    scores = _grade(marked.replace("[a]", "").replace("[b]", "") * 10, every=every)
    assert len(scores) == {"sentence": 20, "paragraph": 20}.get(every, 1)


def test_there_are_at_most_fifty_findings_that_share_one_weight() -> None:
    scores = _grade("One two three four [c].\n" * 1000 + "five six seven eight", every="sentence")
    assert len(scores) == MAX_FINDINGS
    assert sum(score.weight for score in scores) == pytest.approx(1.0)


@pytest.mark.no_cover  # large, so that tracing is most of it
@pytest.mark.parametrize("every", ["sentence", "paragraph"])
@pytest.mark.parametrize(
    "text",
    ["." * 1_000_000 + "a", ".'" * 500_000, "\n " * 500_000, "[a" * 500_000, " " * 1_000_000],
)
def test_a_large_answer_is_graded(text: str, every: str) -> None:
    assert _grade(text, every=every)
