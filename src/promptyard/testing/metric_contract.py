"""What every metric must do, as tests: subclass, say what passes and fails, run under pytest."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import get_args

from promptyard.errors import MetricError
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, Dimension, Severity
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

UNUSUAL_TEXTS: tuple[str, ...] = (
    "",
    " \n\t ",
    "\x00\x07",
    "naïve café, nai\u0308ve",
    "日本語 🧪 \u200b\u202e\ufeff",
    "an unpaired surrogate: \ud800",
    '{"unpaired": "\\ud800"}',
    "{{variable}} <edit> %s {0}",
    "null",
    "NaN",
    '{"a": NaN, "a": 1e999}',
    "9" * 5000,
    "[" * 50_000,
    "word " * 50_000,
    "e" + "\u0300\u0327" * 20_000,
    '{"items": [' + ",".join(["{}"] * 5_000) + "]}",
)
"""Answers that models have been seen to give, or might: each must be graded or refused."""

UNUSUAL_EXPECTATIONS: tuple[Json, ...] = (
    None,
    "",
    " ",
    "\ud800",
    1,
    True,
    [],
    {},
    {"any_of": []},
    {"any_of": "text"},
    [None],
    {"": {}},
)
"""What a case may expect by mistake; a metric that cannot use it raises MetricError."""


class MetricContract:
    """The contract of the seam `Metric`; a subclass whose name begins with Test is a suite.

        class TestMyMetric(MetricContract):
            def metric(self) -> Metric:
                return MyMetric()

            def passing(self) -> tuple[Case, Completion]:
                return Case(id="c", input={}, expected="yes"), Completion(text="yes")

            def failing(self) -> tuple[Case, Completion]:
                return Case(id="c", input={}, expected="yes"), Completion(text="no")

    Each test makes metrics of its own. A metric that asks a judge costs about 40 calls.
    """

    def metric(self) -> Metric:
        """Return a new metric."""
        raise NotImplementedError("a MetricContract suite says how to build its metric")

    def passing(self) -> tuple[Case, Completion]:
        """Return a case and an answer that the metric finds flawless."""
        raise NotImplementedError("a MetricContract suite gives an example that passes")

    def failing(self) -> tuple[Case, Completion]:
        """Return a case and an answer with which the metric finds something wrong."""
        raise NotImplementedError("a MetricContract suite gives an example that fails")

    def test_it_is_a_metric_with_a_name(self) -> None:
        """Reports and buckets are keyed by the name."""
        metric = self.metric()
        assert isinstance(metric, Metric)
        assert metric.name
        assert metric.name == metric.name.strip()

    def test_a_passing_answer_scores_one_and_has_no_tags(self) -> None:
        """Tags name what went wrong: nothing did."""
        scores = _grade(self.metric(), *self.passing())
        assert [score.value for score in scores] == [1.0] * len(scores)
        assert all(not score.tags for score in scores)

    def test_a_failing_answer_says_what_is_wrong(self) -> None:
        """Buckets need a tag, and a person needs a reason."""
        findings = [score for score in _grade(self.metric(), *self.failing()) if score.value < 1.0]
        assert findings
        for finding in findings:
            assert finding.tags
            assert all(tag and tag == tag.strip() for tag in finding.tags)
            assert finding.reason.strip()

    def test_scores_can_be_counted(self) -> None:
        """Values lie in [0, 1]; each score names its metric, its severity and its dimension."""
        for example in (self.passing(), self.failing()):
            metric = self.metric()
            scores = _grade(metric, *example)
            assert scores
            for score in scores:
                _assert_countable(score)

    def test_the_same_answer_gets_the_same_scores(self) -> None:
        """No hidden randomness, by the same metric and by a new one."""
        for example in (self.passing(), self.failing()):
            metric = self.metric()
            first = _grade(metric, *example)
            assert _grade(metric, *example) == first
            assert _grade(self.metric(), *example) == first

    def test_the_order_of_cases_does_not_matter(self) -> None:
        """A metric keeps nothing from one case to the next, also when cases overlap in time."""
        passing, failing = self.passing(), self.failing()
        examples = [failing, passing, failing, passing]
        alone = [_grade(self.metric(), *example) for example in examples]
        metric = self.metric()
        assert [_grade(metric, *example) for example in reversed(examples)] == alone[::-1]
        assert asyncio.run(_together(self.metric(), examples)) == alone

    def test_grading_leaves_the_case_as_it_was(self) -> None:
        """Cases are shared by all trials."""
        for case, completion in (self.passing(), self.failing()):
            before = case.model_copy(deep=True), completion.model_copy(deep=True)
            _grade(self.metric(), case, completion)
            assert (case, completion) == before

    def test_an_unusual_answer_is_graded_or_refused(self) -> None:
        """Empty, huge and broken answers end in scores or in MetricError, never in a crash."""
        metric = self.metric()
        case = self.passing()[0]
        for text in UNUSUAL_TEXTS:
            _assert_graded_or_refused(metric, case, Completion(text=text))

    def test_an_unusual_case_is_graded_or_refused(self) -> None:
        """A case that expects nothing, or something odd, is unscored rather than a crash."""
        metric = self.metric()
        case, completion = self.passing()
        for expected in UNUSUAL_EXPECTATIONS:
            odd = case.model_copy(update={"expected": expected})
            _assert_graded_or_refused(metric, odd, completion)


def _grade(metric: Metric, case: Case, completion: Completion) -> list[Score]:
    return asyncio.run(_together(metric, [(case, completion)]))[0]


async def _together(
    metric: Metric, examples: Sequence[tuple[Case, Completion]]
) -> list[list[Score]]:
    graded = await asyncio.gather(*(metric.score(*example) for example in examples))
    return [list(scores) for scores in graded]


def _assert_graded_or_refused(metric: Metric, case: Case, completion: Completion) -> None:
    refusal: MetricError | None = None
    scores: list[Score] = []
    try:
        scores = _grade(metric, case, completion)
    except MetricError as error:
        refusal = error
    assert scores if refusal is None else str(refusal)
    for score in scores:
        _assert_countable(score)
        assert bool(score.tags) == (score.value < 1.0)


def _assert_countable(score: Score) -> None:
    assert score.metric
    assert math.isfinite(score.value)
    assert 0.0 <= score.value <= 1.0
    assert score.weight > 0
    assert score.severity in get_args(Severity)
    assert score.dimension in get_args(Dimension)
    score.model_dump_json()  # what cannot be written cannot be stored
