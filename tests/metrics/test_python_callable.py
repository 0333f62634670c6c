from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from promptyard.errors import MetricError
from promptyard.metrics.python_callable import metric_from_callable
from promptyard.records.cases import Case
from promptyard.records.messages import Completion
from promptyard.records.scores import Score

CASE = Case(id="c7", input={}, expected="yes")


def _graded(function: Callable[[Case, str], Any], output: str = "yes") -> tuple[Score, ...]:
    metric = metric_from_callable(function)
    return tuple(asyncio.run(metric.score(CASE, Completion(text=output))))


def _returning(value: Any) -> Callable[[Case, str], Any]:
    def my_metric(case: Case, output: str) -> Any:
        return value

    return my_metric


def _score(value: float, **fields: Any) -> Score:
    return Score(metric="judged", value=value, **fields)


@pytest.mark.parametrize(
    ("returned", "value", "tags", "reason"),
    [
        (1.0, 1.0, (), ""),
        (1, 1.0, (), ""),
        (True, 1.0, (), ""),
        (False, 0.0, ("low_score",), "my_metric gave 0"),
        (0.25, 0.25, ("low_score",), "my_metric gave 0.25"),
        ((0.5, "half of it"), 0.5, ("low_score",), "half of it"),
        ((0.5, None), 0.5, ("low_score",), "my_metric gave 0.5"),
        ((0.5, "tone", "rude"), 0.5, ("rude",), "tone"),
        ((0.5, "tone", ["rude", "long"]), 0.5, ("rude", "long"), "tone"),
        ((0.5, "tone", ()), 0.5, ("low_score",), "tone"),
        ((0.5, "tone", None), 0.5, ("low_score",), "tone"),
        ((1.0, "fine", ["rude"]), 1.0, (), "fine"),
        ((True, ""), 1.0, (), ""),
        (_score(0.3), 0.3, ("low_score",), "judged gave 0.3"),
        (_score(0.3, tags=("x",), reason="y"), 0.3, ("x",), "y"),
        ([_score(1.0)], 1.0, (), ""),
    ],
)
def test_what_a_callable_may_return(
    returned: Any, value: float, tags: tuple[str, ...], reason: str
) -> None:
    (score,) = _graded(_returning(returned))
    assert (score.value, score.tags, score.reason) == (value, tags, reason)


@pytest.mark.parametrize(
    "returned",
    [
        None, "1.0", float("nan"), float("inf"), -0.1, 1.1, 2, [], (), [0.5], (0.5,), [0.5, "x"],
        (0.5, 7), (0.5, "x", [3]), (0.5, "x", [""]), (0.5, "x", 7), ("x", "y"), (1.5, "x"),
        {"score": 1}, [_score(1.0), 0.5], (0.5, "a", (), "b"), 10**400, object(),
    ],
)  # fmt: skip
def test_anything_else_leaves_the_case_unscored(returned: Any) -> None:
    with pytest.raises(MetricError, match=r"^metric 'my_metric' returned .* for case 'c7'; return"):
        _graded(_returning(returned))


def test_several_scores_are_taken_as_they_are() -> None:
    scores = [_score(1.0, dimension="safety"), _score(0.0, tags=("x",), reason="y")]
    assert _graded(_returning(scores)) == tuple(scores)
    assert _graded(_returning(tuple(scores))) == tuple(scores)


def test_an_async_callable_is_awaited() -> None:
    async def my_metric(case: Case, output: str) -> tuple[float, str]:
        await asyncio.sleep(0)
        return float(output == case.expected), "compared"

    (score,) = _graded(my_metric)
    assert (score.metric, score.value, score.severity, score.dimension) == (
        "my_metric",
        1.0,
        "soft",
        "accuracy",
    )


def test_a_callable_that_raises_leaves_the_case_unscored_with_type_and_message() -> None:
    def my_metric(case: Case, output: str) -> float:
        raise KeyError("status\nline two")

    with pytest.raises(MetricError) as raised:
        _graded(my_metric)
    assert str(raised.value).startswith("metric 'my_metric' failed on case 'c7': KeyError: ")
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value.__cause__, KeyError)


def test_a_callable_may_refuse_a_case_in_its_own_words() -> None:
    def my_metric(case: Case, output: str) -> float:
        raise MetricError("no gold answer")

    with pytest.raises(MetricError, match=r"^no gold answer$"):
        _graded(my_metric)


def test_a_cancelled_callable_is_no_failure_of_the_metric() -> None:
    async def my_metric(case: Case, output: str) -> float:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        _graded(my_metric)


def test_the_name_is_that_of_the_function_or_its_class() -> None:
    class Length:
        def __call__(self, case: Case, output: str) -> float:
            return 1.0

    def scaled(factor: float, case: Case, output: str) -> float:
        return factor

    assert metric_from_callable(Length()).name == "Length"
    assert metric_from_callable(partial(scaled, 1.0)).name == "scaled"
