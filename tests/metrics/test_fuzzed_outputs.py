"""Whatever a model answers, no metric crashes, hangs or gives a score outside [0, 1]."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptyard.errors import CheckSkipped, MetricError
from promptyard.metrics import METRICS
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, Request, ToolCallPart
from promptyard.records.scores import Score

from .case_table import Row, case_table, example_of, metric_of, table_names
from .grading import grade

GRADED = sorted(set(table_names().values()) - {"skip"})

# Times are measured here and chance is tried: both without the tracing of coverage.
pytestmark = pytest.mark.no_cover

TEN_MEGABYTES = 10_000_000
CPU_LIMIT_S = 30.0
"""Generous: the slowest takes three seconds. Of CPU: a machine with other work is as good."""

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

HOSTILE_TEXTS = st.sampled_from(
    [
        *(
            "",
            " \n\t",
            "\x00",
            "\x1b[2J",
            "\ud800",
            "\udfff\ud800",
            "\u202e\ufeff",
            "NaN",
            "-Infinity",
        ),
        *("null", "true", "1e999", "-0", "0x1F", "9" * 5000, "[" * 3000, '{"a":' * 3000, "`" * 99),
        *('{"a": 1, "a": 2}', '{"a": NaN}', '["\\ud800"]', '{"": {"": [[]]}}', "```json\n{}\n```"),
        *('{"a": "' + "\u0301" * 3000 + '"}', "[1][2]", "{{a}}", "%s %d {0} \\1 $1", "<script>"),
    ]
)
TEXTS = st.text(alphabet=st.characters(), max_size=40)  # all code points, surrogates included
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from("ab"), inner)
    ),
    max_leaves=12,
)
JSON_TEXTS = JSON_VALUES.map(json.dumps)  # NaN and Infinity are written as such


@st.composite
def cut_or_joined(draw: st.DrawFn) -> str:
    """Text that begins as JSON and goes on as something else."""
    parts = draw(st.lists(JSON_TEXTS | TEXTS | HOSTILE_TEXTS, min_size=1, max_size=3))
    text = draw(st.sampled_from(["", " ", "\n"])).join(parts)
    return text[: draw(st.integers(0, len(text)))]


OUTPUTS = HOSTILE_TEXTS | TEXTS | JSON_TEXTS | cut_or_joined()
CALLS = st.lists(
    st.builds(ToolCallPart, id=TEXTS, name=TEXTS | st.just("search"), arguments=OUTPUTS), max_size=3
)
COMPLETIONS = st.builds(
    Completion,
    text=OUTPUTS,
    tool_calls=CALLS.map(tuple),
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter", "other"]),
)


def _rows(name: str) -> Sequence[Row]:
    """The rows of a table whose metric can grade: one for each of its settings."""
    known: dict[str, Row] = {}
    for row in case_table(name).rows:
        if row.outcome in {"pass", "fail", "partial"}:
            known.setdefault(repr((row.settings, row.expected)), row)
    return list(known.values())


def _checked(metric: Metric, case: Case, completion: Completion) -> None:
    try:
        scores: Sequence[Score] = asyncio.run(metric.score(case, completion))
    except MetricError as error:
        said = str(error)
    else:
        assert scores
        said = "graded"
        for score in scores:
            assert math.isfinite(score.value)
            assert 0.0 <= score.value <= 1.0
            assert bool(score.tags) == (score.value < 1.0)
            assert len(score.reason) < 2000
            assert score.model_dump_json()  # what cannot be written cannot be stored
    assert said
    assert "\n" not in said


class Judge:
    """A judge that always says the same, whatever it is asked."""

    name = "scripted/judge"

    def __init__(self, reply: str) -> None:
        self._reply = reply

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        return Completion(text=self._reply, model=self.name)


def _metric(name: str, row: Row, data: st.DataObject) -> Metric:
    """Build the metric of a row; its judge says what it says there, or anything."""
    if not row.judge:
        return metric_of(case_table(name), row)
    scripted = st.sampled_from([json.dumps(item.reply) for item in row.judge])
    return metric_of(case_table(name), row, judge=Judge(data.draw(scripted | OUTPUTS)))


@pytest.mark.parametrize("name", GRADED)
@settings(deadline=None, derandomize=True, max_examples=40, suppress_health_check=SLOW)
@given(data=st.data())
def test_fuzzed_answers_are_graded_or_refused(name: str, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(_rows(name)))
    _checked(_metric(name, row, data), row.case, data.draw(COMPLETIONS))


@pytest.mark.parametrize("name", GRADED)
@settings(deadline=None, derandomize=True, max_examples=15, suppress_health_check=SLOW)
@given(data=st.data())
def test_fuzzed_expectations_are_graded_or_refused(name: str, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(_rows(name)))
    expected = data.draw(JSON_VALUES | st.fixed_dictionaries({"any_of": JSON_VALUES}))
    case = row.case.model_copy(update={"expected": expected})
    answer = data.draw(st.just(row.answer) | COMPLETIONS)
    _checked(_metric(name, row, data), case, answer)


LONG_TEXTS: dict[str, str] = {
    "words": "word and more " * (TEN_MEGABYTES // 14),
    "one word": "x" * TEN_MEGABYTES,
    "numbers": "[" + "12," * (TEN_MEGABYTES // 3) + "1]",
    "objects": '{"a": [' + '{"b": "c"},' * (TEN_MEGABYTES // 11) + '{"b": "d"}]}',
    "brackets": "[{" * (TEN_MEGABYTES // 2),
}


@pytest.mark.parametrize("kind", LONG_TEXTS)
@pytest.mark.parametrize("name", GRADED)
def test_ten_megabytes_are_graded_or_skipped_in_reasonable_time(name: str, kind: str) -> None:
    example = example_of(name)
    started = time.process_time()
    _checked(example.metric(name), example.passing.case, Completion(text=LONG_TEXTS[kind]))
    assert time.process_time() - started < CPU_LIMIT_S


@pytest.mark.parametrize(
    "name", ["equals", "contains", "f1", "levenshtein", "rouge_n", "rouge_l", "bleu", "chrf"]
)
def test_two_long_texts_are_compared_or_skipped_in_reasonable_time(name: str) -> None:
    started = time.process_time()
    one, other = LONG_TEXTS["words"], LONG_TEXTS["words"][:-1] + "!"
    skipped = False
    try:
        grade(name, one, expected=other)
    except CheckSkipped as error:
        skipped = error.kind == "too_large"
    assert skipped == (name in {"levenshtein", "rouge_l", "bleu", "chrf"})
    assert time.process_time() - started < CPU_LIMIT_S


def test_long_lists_are_compared_in_reasonable_time() -> None:
    items: Json = list(range(300_000))
    started = time.process_time()
    (score,) = grade("field_set", json.dumps(items[::-1]), expected=items)
    assert score.value == 1.0
    (unique,) = grade("unique", json.dumps([*items, 0]))
    assert unique.value == 0.0
    assert time.process_time() - started < CPU_LIMIT_S


def test_every_metric_is_fuzzed() -> None:
    assert {METRICS[name] for name in GRADED} == set(METRICS.values()) - {METRICS["skip"]}
