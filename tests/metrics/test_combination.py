"""Combinations say what their checks say, whatever the order, and ask no more than they need."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptyard.errors import BudgetExceeded, CheckSkipped, ConfigError, JudgeError, MetricError
from promptyard.metrics import METRICS, MetricFactory
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.nested import with_nested
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion
from promptyard.records.prompts import Program, Prompt
from promptyard.records.scores import JudgeStamp, Score

from .judges import JudgeOf, verdict

CASE = Case(id="c1", input={})
ANSWER = Completion(text="an answer")

Word = Literal["pass", "fail", "error", "skip"]


@dataclass
class Told:
    """A check that comes out as its options say, and notes that it was run."""

    spec: CheckSpec
    log: list[str]

    def __post_init__(self) -> None:
        self.name = self.spec.id or "told"
        self.asks_judge = bool(self.spec.options.get("judge"))
        self.severity = "soft"
        self.dimension = "judge" if self.asks_judge else "accuracy"

    async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
        self.log.append(self.name)
        await asyncio.sleep(0)
        said = self.spec.options["is"]
        if said == "error":
            raise JudgeError("broken", kind="judge_parse")
        if said == "skip":
            raise CheckSkipped("unsupported: told")
        if said == "over":
            raise BudgetExceeded("used up")
        value = float(said == "pass") if isinstance(said, str) else float(said)
        tags = () if value == 1.0 else (f"tag_{self.name}",)
        stamp = JudgeStamp(model="m", prompt_hash="h", verdict="pass") if self.asks_judge else None
        reason = "" if value == 1.0 else f"{self.name} said no"
        return (Score(metric=self.name, value=value, tags=tags, reason=reason, judge=stamp),)


def told(word: object, *, judge: bool = False, name: str = "told", **common: Json) -> Json:
    return {"type": "told", "is": word, "judge": judge, "id": name, **common}


def built(kind: str, checks: Sequence[Json], **options: Json) -> tuple[Metric, list[str]]:
    log: list[str] = []
    table: Mapping[str, MetricFactory] = {**METRICS, "told": lambda spec, _: Told(spec, log)}
    spec = CheckSpec(type=kind, options={"checks": list(checks), **options})
    (metric,) = build_metrics([spec], MetricContext(), table)
    return metric, log


def outcome(kind: str, checks: Sequence[Json], **options: Json) -> tuple[Word, list[str]]:
    metric, log = built(kind, checks, **options)
    try:
        scores = asyncio.run(metric.score(CASE, ANSWER))
    except CheckSkipped:
        return "skip", log
    except MetricError:
        return "error", log
    return ("pass" if min(score.value for score in scores) == 1.0 else "fail"), log


WORDS = st.sampled_from(["pass", "fail", "error", "skip"])
PARTS = st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=5)


def truth(words: Sequence[str], k: int) -> set[bool]:
    """What a count of passes comes to under every way in which the unknown might have come out."""
    unknown = [index for index, word in enumerate(words) if word in {"error", "skip"}]
    found: set[bool] = set()
    for guesses in itertools.product([True, False], repeat=len(unknown)):
        passed = [word == "pass" for word in words]
        for index, guess in zip(unknown, guesses, strict=True):
            passed[index] = guess
        found.add(sum(passed) >= k)
    return found


@given(PARTS, st.data())
def test_a_count_is_decided_exactly_where_no_unknown_can_change_it(
    parts: list[tuple[str, bool]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(parts)))
    words = [word for word, _ in parts]
    possible = truth(words, k)
    expected = {True: "pass", False: "fail"}[possible.pop()] if len(possible) == 1 else None
    if expected is None:
        expected = "error" if "error" in words else "skip"
    checks = [told(word, judge=judge, name=f"n{i}") for i, (word, judge) in enumerate(parts)]
    found, log = outcome("k_of_n", checks, k=k)
    assert found == expected
    assert len(log) == len(set(log))
    if k == len(parts):
        assert outcome("all_of", checks) == (found, log)
    if k == 1:
        assert outcome("any_of", checks) == (found, log)


@given(PARTS, st.data())
def test_no_judge_is_asked_once_the_outcome_is_settled(
    parts: list[tuple[str, bool]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(parts)))
    checks = [told(word, judge=judge, name=f"n{i}") for i, (word, judge) in enumerate(parts)]
    _, log = outcome("k_of_n", checks, k=k)
    ordered = sorted(range(len(parts)), key=lambda index: parts[index][1])
    assert log == [f"n{index}" for index in ordered[: len(log)]]
    unrun = [index for index in ordered if f"n{index}" not in log]
    words = ["error" if index in unrun else parts[index][0] for index in range(len(parts))]
    before = [
        "error" if index == ordered[len(log) - 1] else words[index] for index in range(len(words))
    ]
    assert len(truth(before, k)) == 2  # the last one that was run was needed


@pytest.mark.parametrize("kind", ["all_of", "any_of", "weighted"])
@pytest.mark.parametrize("judge", [True, False])
def test_a_hard_check_gates_whatever_the_others_say(kind: str, judge: bool) -> None:
    gate = told("fail", name="gate", judge=judge, severity="hard")
    others = [told("pass", name="soft"), told("pass", name="judge", judge=True)]
    found, log = outcome(kind, [*others, gate])
    assert found == "fail"
    assert "judge" not in log
    unknown = told("error", name="gate", judge=judge, severity="hard")
    assert outcome(kind, [*others, unknown])[0] == "error"


def scores_of(kind: str, checks: Sequence[Json], **options: Json) -> Sequence[Score]:
    metric, _ = built(kind, checks, **options)
    return asyncio.run(metric.score(CASE, ANSWER))


def test_findings_keep_what_was_wrong_and_are_filed_under_the_combination() -> None:
    checks = [told("fail", name="a"), told("fail", name="b"), told("pass", name="c")]
    found = scores_of("any_of", checks[:2])
    assert [score.tags for score in found] == [("tag_a",), ("tag_b",)]
    assert [score.reason for score in found] == ["a: a said no", "b: b said no"]
    assert {score.metric for score in found} == {"any_of"}
    assert [score.weight for score in found] == [0.5, 0.5]
    assert len(scores_of("all_of", checks)) == 1  # the first failure settles it


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=5))
def test_a_weighted_mean_is_the_mean(parts: list[tuple[float, float]]) -> None:
    checks = [told(value, name=f"n{i}", weight=w) for i, (value, w) in enumerate(parts)]
    expected = sum(value * w for value, w in parts) / sum(w for _, w in parts)
    found = scores_of("weighted", checks)
    assert min(score.value for score in found) == pytest.approx(expected)
    assert sum(score.weight for score in found) == pytest.approx(1)


def test_judges_of_a_mean_are_asked_side_by_side_unless_there_is_a_threshold() -> None:
    checks = [told("pass", name="a", judge=True), told("pass", name="b", judge=True)]
    metric, log = built("weighted", [told("pass", name="c"), *checks])
    asyncio.run(metric.score(CASE, ANSWER))
    assert log == ["c", "a", "b"]
    _, log = outcome("weighted", checks, threshold=0.5)
    assert log == ["a"]


def test_what_ends_a_run_is_not_swallowed() -> None:
    for kind in ("any_of", "weighted"):
        checks = [told("over", name="a", judge=True), told("pass", name="b", judge=True)]
        with pytest.raises(BudgetExceeded):
            outcome(kind, checks)


def test_an_error_says_whose_it_is_and_keeps_its_kind() -> None:
    metric, _ = built("all_of", [told("skip"), told("error"), told("pass")])
    with pytest.raises(JudgeError, match="'all_of' cannot be decided: broken") as raised:
        asyncio.run(metric.score(CASE, ANSWER))
    assert raised.value.kind == "judge_parse"


def test_an_inverted_combination_turns_pass_and_fail_round_and_no_error() -> None:
    assert outcome("not:any_of", [told("pass")])[0] == "fail"
    assert outcome("not:any_of", [told("fail"), told("fail")])[0] == "pass"
    assert outcome("not:any_of", [told("error"), told("fail")])[0] == "error"
    assert outcome("not:any_of", [told("skip"), told("fail")])[0] == "skip"


def test_what_a_combination_is_follows_from_what_is_in_it() -> None:
    plain, _ = built("all_of", [told("pass")])
    judging, _ = built("all_of", [told("pass", judge=True)])
    both, _ = built("all_of", [told("pass"), told("pass", judge=True)])
    asks = [getattr(metric, "asks_judge", None) for metric in (plain, judging, both)]
    assert asks == [False, True, True]
    assert [getattr(item, "after", None) for item in (plain, judging)] == ["none", "hard"]
    dimensions = [getattr(item, "dimension", None) for item in (plain, judging, both)]
    assert dimensions == ["accuracy", "judge", "accuracy"]
    found = scores_of("all_of", [told("fail"), told("pass", judge=True)])
    assert found[0].dimension == "accuracy"


def test_it_runs_after_the_checks_without_a_judge() -> None:
    specs = [
        CheckSpec(type="all_of", options={"checks": [{"type": "llm_rubric", "rubric": "r"}]}),
        CheckSpec(type="is_json"),
    ]
    metrics = build_metrics(specs, MetricContext())
    assert [metric.name for metric in metrics] == ["is_json", "all_of"]


def test_a_judge_inside_is_another_instrument_than_the_judge_alone() -> None:
    judge = JudgeOf(lambda data, outside: verdict("pass"))
    rubric: Json = {"type": "llm_rubric", "rubric": "r", "repeat_share": 0}

    def stamp(kind: str, options: Mapping[str, Json]) -> JudgeStamp | None:
        spec = CheckSpec(type=kind, options=options)
        (metric,) = build_metrics([spec], MetricContext(judge=judge))
        return asyncio.run(metric.score(CASE, ANSWER))[0].judge

    alone = stamp("llm_rubric", {"rubric": "r", "repeat_share": 0})
    inverted = stamp("not:llm_rubric", {"rubric": "r", "repeat_share": 0})
    inside = stamp("all_of", {"checks": [rubric]})
    other = stamp("all_of", {"checks": ["not:is_json", rubric]})
    stamps = [alone, inverted, inside, other]
    assert all(item is not None and item.verdict == "pass" for item in stamps)
    assert len({item.prompt_hash for item in stamps if item is not None}) == 4
    assert stamp("all_of", {"checks": [rubric]}) == inside


def test_a_program_reaches_the_checks_inside() -> None:
    class OfAProgram:
        name = "of_a_program"

        def __init__(self, text: str = "") -> None:
            self.text = text

        def for_program(self, program: Program) -> OfAProgram:
            return OfAProgram(program.prompt.text)

        async def score(self, case: Case, completion: Completion) -> Sequence[Score]:
            return (Score(metric=self.name, value=float("say so" in self.text), tags=("t",)),)

    spec = CheckSpec(type="all_of", options={"checks": [{"type": "any_of", "checks": ["bound"]}]})
    table: Mapping[str, MetricFactory] = {**METRICS, "bound": lambda spec, context: OfAProgram()}
    (metric,) = build_metrics([spec], MetricContext(), table)
    program = Program.single(Prompt.from_text("user:\nsay so: {{x}}\n"))
    bound = getattr(metric, "for_program", None)
    assert bound is not None
    assert asyncio.run(metric.score(CASE, ANSWER))[0].value == 0.0
    assert asyncio.run(bound(program).score(CASE, ANSWER))[0].value == 1.0


def test_it_grades_an_unfinished_answer_where_everything_in_it_does() -> None:
    class OfFinishes(Told):
        grades_finishes = frozenset({"length"})

    log: list[str] = []
    table: Mapping[str, MetricFactory] = {
        **METRICS,
        "finish": lambda spec, _: OfFinishes(spec, log),
        "told": lambda spec, _: Told(spec, log),
    }

    def finishes(*types: str) -> object:
        checks = [{"type": name, "is": "pass"} for name in types]
        spec = CheckSpec(type="any_of", options={"checks": checks})
        (metric,) = build_metrics([spec], MetricContext(), table)
        return getattr(metric, "grades_finishes", None)

    assert finishes("finish", "finish") == {"length"}
    assert finishes("finish", "told") == frozenset()


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        ([1], "checks[0]: must be the name of a check or have a 'type'"),
        ([{"value": 1}], "checks[0]: must be the name of a check or have a 'type'"),
        ([{"type": "is_json", "severity": "fatal"}], "checks[0].severity: Input should be"),
        (["is_json", {"type": "is_json", "weight": 0}], "checks[1].weight: Input should be"),
        ({"type": "is_json"}, "option 'checks' must be a list of checks"),
        (None, "option 'checks' must be a list of checks"),
    ],
)
def test_a_wrong_entry_is_an_error_of_one_line(checks: Json, message: str) -> None:
    spec = CheckSpec(type="all_of", options={"checks": checks})
    with pytest.raises(ConfigError) as raised:
        build_metrics([spec], MetricContext())
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_checks_at_every_depth_are_found() -> None:
    inner: Json = {"type": "any_of", "checks": ["my_plugin", {"type": "not:other"}]}
    spec = CheckSpec(type="all_of", options={"checks": ["is_json", inner]})
    names = [found.type for found in with_nested([spec])]
    assert names == ["all_of", "is_json", "any_of", "my_plugin", "not:other"]
