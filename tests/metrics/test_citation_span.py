"""Laws of `citation_span`, and what no table can show: large inputs, many findings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.metrics.citation_span import MAX_CITATIONS, MAX_FINDINGS
from promptyard.metrics.sources import REMEMBERED_CHARS, Remembered, Sources, spaced
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.scores import Score

from .grading import grade

SOURCE = "App crashes on login since 4.2."


def _grade(answer: Json, given_input: Mapping[str, Json], **options: Json) -> Sequence[Score]:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return grade("citation_span", text, given=given_input, options={"source": "doc", **options})


@given(st.text(min_size=1), st.data())
def test_every_part_of_a_source_is_a_quote_of_it(source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source) - 1))
    end = data.draw(st.integers(start + 1, len(source)))
    quote = source[start:end]
    (score,) = _grade([{"quote": quote}], {"doc": source})
    assert score.value == float(bool(spaced(quote)))
    (score,) = _grade([{"start": start, "end": end}], {"doc": source}, offsets="strict")
    assert score.value == float(bool(spaced(quote)))


@given(st.lists(st.text("ab ", max_size=6), min_size=2, max_size=4), st.data())
def test_what_passes_for_one_source_stands_in_that_source(
    texts: list[str], data: st.DataObject
) -> None:
    joined = "".join(texts)
    start = data.draw(st.integers(0, len(joined)))
    quote = joined[start : data.draw(st.integers(start, len(joined)))]
    for number, text in enumerate(texts, 1):
        (score,) = _grade([{"source": number, "quote": quote}], {"doc": texts})
        assert score.value == float(bool(spaced(quote)) and spaced(quote) in spaced(text))


@given(st.text(min_size=1))
def test_the_normal_form_of_a_source_is_a_quote_of_it(source: str) -> None:
    quote = spaced(source)
    (score,) = _grade([quote], {"doc": source})
    assert score.value == float(bool(quote))


def test_a_wrong_quote_is_told_where_it_really_stands() -> None:
    docs: Json = {"P1": SOURCE, "P2": "Costs fell."}
    (score,) = _grade([{"source": "P2", "quote": "crashes"}], {"doc": docs})
    assert score.reason == "the quote \"crashes\" is not in the source 'P2'; it is in 'P1'"


def test_many_wrong_citations_are_fifty_findings_that_share_one_weight() -> None:
    scores = _grade(["no"] * 200, {"doc": SOURCE})
    assert len(scores) == MAX_FINDINGS
    assert sum(score.weight for score in scores) == pytest.approx(1.0)
    assert {score.severity for score in scores} == {"hard"}


def test_more_citations_than_anybody_reads_are_wrong() -> None:
    (score,) = _grade(["App"] * (MAX_CITATIONS + 1), {"doc": SOURCE})
    assert score.tags == ("wrong_citation",)
    assert score.path == f"/{MAX_CITATIONS}"


def test_the_tag_of_the_check_renames_its_findings() -> None:
    spec = CheckSpec(type="citation_span", tag="evidence", options={"source": "doc"})
    scores = grade(spec, '["no"]', given={"doc": SOURCE})
    assert [score.tags for score in scores] == [("evidence",)]


def test_an_unpaired_surrogate_in_the_source_can_be_quoted() -> None:
    (score,) = _grade('["bad \\ud800 byte"]', {"doc": "a bad \ud800 byte"})
    assert score.value == 1.0


def test_sources_are_normalised_once_a_case_and_not_kept_beyond_their_budget() -> None:
    made: list[Json] = []

    def make(value: Json) -> str:
        made.append(value)
        return str(value)

    kept = Remembered(make, budget=10, size_of=len)
    first, second, third = ("a" * 4,), ("b" * 1,), "c" * 11
    for value in (first, first, second, third, third, first):
        kept.of(value)
    assert made == [first, second, third, third, first]
    case = Case(id="c1", input={"doc": SOURCE})
    sources = Sources(["doc"])
    assert sources.of(case) is sources.of(case)
    assert len(SOURCE) < REMEMBERED_CHARS


@pytest.mark.parametrize("mark", ["\u0300\u0327", "a", "ﬁ "])
def test_huge_sources_and_answers_are_graded(mark: str) -> None:
    source = mark * (4_000_000 // len(mark)) + "b"
    scores = _grade(["b", source[-1000:], "c" * 1000], {"doc": source})
    assert [score.path for score in scores] == ["/2"]
