"""Tables of graded examples, one YAML file a metric; its reference page shows the same rows.

A row says what is graded (`input`, `expected`, and the answer as text in `output` or whole in
`completion`), with which `options`, and what comes of it: `pass`, `fail` (a value of 0), `partial`
(a value in between), `error` (the case cannot be graded), `skip`, or `refused` (the options are
wrong). Beside it may stand the `tags`, `field`, `path` and `value` of the first finding that is
not 1, and the `kind` of an error or skip. `judge` lists what the judge model replies, as
`{when: text in the request, reply: ..., finish_reason: ...}`, and `n_asked` how often it is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field
from ruamel.yaml import YAML

from promptyard.errors import CheckSkipped, ConfigError, MetricError
from promptyard.metrics import METRICS
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.protocols import Judge, Metric
from promptyard.records.base import Json, Record
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import (
    Completion,
    FinishReason,
    OutputContract,
    Request,
    Tool,
    ToolCallPart,
)
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import Score

TABLES = Path(__file__).parent / "tables"
FEWEST_ROWS = 12

Outcome: TypeAlias = Literal["pass", "fail", "partial", "error", "skip", "refused"]


class JudgeReply(Record):
    """What the judge says where `when` occurs in what it is asked; everywhere without `when`."""

    reply: Json
    when: str = ""
    finish_reason: FinishReason = "stop"


class Row(Record):
    """One graded example."""

    note: str
    options: Mapping[str, Json] = Field(default_factory=dict)
    check: Mapping[str, Json] = Field(default_factory=dict)
    input: Mapping[str, Json] = Field(default_factory=dict)
    expected: Json = None
    rubric: str | None = None
    output: str = ""
    completion: Mapping[str, Json] | None = None
    prompt: str | None = None
    judge: tuple[JudgeReply, ...] = ()
    n_asked: int | None = None
    outcome: Outcome
    kind: str | None = None
    tags: tuple[str, ...] | None = None
    field: str | None = None
    path: str | None = None
    value: float | None = None

    @property
    def settings(self) -> Json:
        """What the metric itself is made of: rows that share it can be graded by one metric."""
        return [dict(self.options), dict(self.check), self.prompt, bool(self.judge)]

    @property
    def case(self) -> Case:
        """The case that is graded."""
        return Case(id="c1", input=self.input, expected=self.expected, rubric=self.rubric)

    @property
    def answer(self) -> Completion:
        """The answer that is graded."""
        given = dict(self.completion or {"text": self.output})
        calls = [
            ToolCallPart(
                id=f"call_{number}",
                name=call["name"],
                arguments=(
                    call["arguments"]
                    if isinstance(call["arguments"], str)
                    else json.dumps(call["arguments"])
                ),
            )
            for number, call in enumerate(given.pop("tool_calls", ()))
        ]
        return Completion.model_validate({"text": "", **given, "tool_calls": tuple(calls)})


class CaseTable(Record):
    """The examples of one metric, and what its prompt says beside them."""

    metric: str
    output: OutputContract = OutputContract()
    tools: tuple[Tool, ...] = ()
    rows: tuple[Row, ...] = Field(min_length=FEWEST_ROWS)


class RepliesOf:
    """A judge that answers by what it is asked: the same question, the same verdict."""

    name = "scripted/judge"

    def __init__(self, replies: Sequence[JudgeReply]) -> None:
        self.n_asked = 0
        self._replies = tuple(replies)

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        """Return the first reply whose `when` occurs in the request."""
        del replicate
        self.n_asked += 1
        asked = "\n".join(message.text for message in request.messages)
        for item in self._replies:
            if item.when in asked:
                text = item.reply if isinstance(item.reply, str) else json.dumps(item.reply)
                return Completion(text=text, model=self.name, finish_reason=item.finish_reason)
        raise AssertionError(f"the table has no reply for what the judge was asked: {asked}")


@lru_cache
def case_table(name: str) -> CaseTable:
    """Read the table of one metric."""
    loaded: Any = YAML(typ="safe", pure=True).load(  # pyright: ignore[reportUnknownMemberType] (untyped library)
        (TABLES / f"{name}.yaml").read_text(encoding="utf-8")
    )
    return CaseTable.model_validate(loaded)


def table_names() -> dict[str, str]:
    """Map each metric to its table: that of the first name of its class."""
    first: dict[object, str] = {}
    return {name: first.setdefault(factory, name) for name, factory in METRICS.items()}


@dataclass(frozen=True)
class Example:
    """One metric with an answer that passes and one that fails: the contract suite needs both."""

    table: CaseTable
    passing: Row
    failing: Row

    def metric(self, name: str, **common: Any) -> Metric:
        """Build the metric under a name of its own; `common` are keys that every check has."""
        judge = JudgeOfRows((self.passing, self.failing)) if self.passing.judge else None
        return metric_of(self.table, self.passing, name, judge=judge, **common)


class JudgeOfRows:
    """A judge of several rows: it answers by the row whose answer it is shown."""

    name = RepliesOf.name

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = sorted(rows, key=lambda row: -len(row.answer.text))

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        """Reply as the row says, in whose answer the longest text occurs in the request."""
        asked = "\n".join(message.text for message in request.messages)
        for row in self._rows:
            shown = (row.answer.text, json.dumps(row.answer.text)[1:-1])
            if any(text in asked for text in shown):
                return await RepliesOf(row.judge).ask(request, replicate=replicate)
        raise MetricError("the table has no reply for what the judge was asked")


def example_of(name: str) -> Example:
    """Take the first row that passes, and the first that fails under the same settings."""
    table = case_table(table_names()[name])
    for passing in (row for row in table.rows if row.outcome == "pass"):
        for failing in (row for row in table.rows if row.outcome == "fail"):
            if passing.settings == failing.settings:
                return Example(table, passing, failing)
    raise AssertionError(f"the table of '{name}' has no two rows that pass and fail alike")


def metric_of(
    table: CaseTable,
    row: Row,
    name: str | None = None,
    *,
    judge: Judge | None = None,
    **common: Any,
) -> Metric:
    """Build the metric as a row describes it. Raises ConfigError where its options are wrong."""
    spec = CheckSpec(type=name or table.metric, options=row.options, **{**row.check, **common})
    judge = judge or (RepliesOf(row.judge) if row.judge else None)
    context = MetricContext(table.output, table.tools, judge, folder=TABLES)
    (metric,) = build_metrics([spec], context)
    binding = getattr(metric, "for_program", None)
    if binding is not None and row.prompt is not None:
        metric = binding(Program.single(Prompt.from_text(row.prompt)))
    return metric


def outcome_of(table: CaseTable, row: Row) -> tuple[Outcome, Sequence[Score]]:
    """Grade a row and say what came of it, as a row says it."""
    judge = RepliesOf(row.judge) if row.judge else None
    try:
        metric = metric_of(table, row, judge=judge)
    except ConfigError as error:
        return _told("refused", error, row), ()
    try:
        scores = asyncio.run(_scores(metric, row))
    except CheckSkipped as skipped:
        return _told("skip", skipped, row), ()
    except MetricError as error:
        return _told("error", error, row), ()
    finally:
        assert row.n_asked is None or row.n_asked == (judge.n_asked if judge else 0)
    assert scores
    lowest = min(score.value for score in scores)
    return ("pass" if lowest == 1.0 else "fail" if lowest == 0.0 else "partial"), scores


def _told(outcome: Outcome, error: Exception, row: Row) -> Outcome:
    assert str(error)
    assert "\n" not in str(error)
    assert row.kind in {None, getattr(error, "kind", None)}, error
    return outcome


async def _scores(metric: Metric, row: Row) -> Sequence[Score]:
    return await metric.score(row.case, row.answer)
