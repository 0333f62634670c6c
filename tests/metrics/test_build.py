from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from promptyard.errors import ConfigError
from promptyard.metrics import ALIASES, AMBIGUOUS, METRICS
from promptyard.metrics.build import build_metrics, canonical_name
from promptyard.metrics.context import MetricContext
from promptyard.metrics.negation import Inverted
from promptyard.protocols import Metric
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion, ToolCallPart
from promptyard.records.prompts import Program, Prompt, Step
from promptyard.records.scores import Score

from .case_table import example_of
from .test_metric_contract import GRADED

CONTEXT = MetricContext()


def _check(name: str, **options: object) -> CheckSpec:
    return CheckSpec(type=name, options=options)


def test_hard_checks_come_first_and_each_group_keeps_its_order() -> None:
    specs = [
        _check("contains", value="a"),
        _check("is_json"),
        CheckSpec(type="equals", severity="hard"),
        _check("not:regex", pattern="x"),
        CheckSpec(type="required_fields", severity="soft", options={"fields": ["a"]}),
        _check("not:is_json"),
    ]
    names = [metric.name for metric in build_metrics(specs, CONTEXT)]
    assert names == [
        "is_json",
        "equals",
        "not:is_json",
        "contains",
        "not:regex",
        "required_fields",
    ]


@pytest.mark.parametrize("name", ["is_json", "is-json", "IS-JSON", " is_json "])
def test_dashes_and_underscores_are_the_same(name: str) -> None:
    (metric,) = build_metrics([_check(name)], CONTEXT)
    assert metric.name == "is_json"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("equals", "equals"),
        ("exact_match", "exact_match"),
        ("Exact-Match", "exact_match"),
        ("exact", "equals"),  # the name of another tool
        ("not:exact_match", "not:exact_match"),
    ],
)
def test_a_check_is_shown_by_the_one_of_our_names_that_was_written(
    written: str, shown: str
) -> None:
    (metric,) = build_metrics([_check(written)], CONTEXT)
    assert metric.name == shown


def test_a_check_of_a_field_is_named_after_it_and_numbered_only_where_that_is_not_enough() -> None:
    specs = [
        _check("field_equals", field="customer.name"),
        _check("field_equals", field="status"),
        _check("field_equals", field="status", value="open"),
        _check("field_equals", field="city").model_copy(update={"id": "town"}),
        _check("not:field_equals", field="status", value="lost"),
        _check("f1", field="note"),
        _check("f1"),
        _check("field_equals", field="a\n" + "b" * 100),
    ]
    names = [metric.name for metric in build_metrics(specs, CONTEXT)]
    assert names == [
        "field_equals:customer.name",
        "field_equals:status",
        "field_equals:status#2",
        "town",
        "not:field_equals:status",
        "f1:note",
        "f1",
        f"field_equals:a {'b' * 58}…",
    ]


def test_findings_carry_the_name_of_their_check() -> None:
    spec = _check("field_equals", field="status", value="open")
    (metric,) = build_metrics([spec], CONTEXT)
    answer = Completion(text='{"status": "lost"}')
    (score,) = asyncio.run(metric.score(Case(id="c", input={}), answer))
    assert score.metric == "field_equals:status"


def test_names_of_other_tools_lead_to_checks_and_hide_none() -> None:
    assert set(ALIASES.values()) <= set(METRICS)
    assert not set(ALIASES) & set(METRICS)
    assert not set(AMBIGUOUS) & (set(METRICS) | set(ALIASES))
    for name, ours in ALIASES.items():
        assert canonical_name(name.replace("_", "-").upper()) == ours


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("contians", "unknown check 'contians'; did you mean 'contains'?"),
        ("is-jsn", "unknown check 'is-jsn'; did you mean 'is_json'?"),
        ("not:contians", "unknown check 'not:contians'; did you mean 'not:contains'?"),
        ("not-contains", "unknown check 'not-contains'; did you mean 'not:contains'?"),
        (
            "not:match",
            "unknown check 'not:match': it is starts_with in OpenAI evals and ends_with in "
            "inspect; name the one you mean",
        ),
    ],
)
def test_an_unknown_check_is_an_error_that_names_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build_metrics([_check(name)], CONTEXT)
    assert str(raised.value) == message


def test_an_unknown_check_like_none_lists_all() -> None:
    with pytest.raises(ConfigError, match=r"known: .*contains, contains_all"):
        build_metrics([_check("zzzzzz")], CONTEXT)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (_check("contains", vlaue="x"), "unknown option 'vlaue'; did you mean 'value'?"),
        (_check("is-json", weigth=2), "check 'is-json': unknown option 'weigth'; did you mean 'w"),
        (_check("is_json", zzz=2), "unknown option 'zzz'; known: allow_fence"),
        (_check("equals", normalize="stripp"), "cannot be \"stripp\"; did you mean 'strip'?"),
        (_check("regex"), "check 'regex': option 'pattern' is missing; add it"),
        (_check("regex", pattern="x", flags=["mutliline"]), "did you mean 'multiline'?"),
        (_check("required_fields", fields="a"), "must be a list of texts"),
        (_check("json_schema", schema=[]), "option 'schema' must be a mapping, got []"),
    ],
)
def test_a_wrong_option_is_an_error_of_one_line(spec: CheckSpec, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        build_metrics([spec], CONTEXT)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", GRADED)
def test_what_the_user_set_overrides_the_defaults_of_every_metric(name: str) -> None:
    example = example_of(name)
    metric = example.metric(
        name, severity="soft", dimension="safety", tag="mine", weight=2.5, critical=True
    )
    for row in (example.passing, example.failing):
        scores = asyncio.run(metric.score(row.case, row.answer))
        assert sum(score.weight for score in scores) == pytest.approx(2.5)
        for score in scores:
            assert (score.severity, score.dimension) == ("soft", "safety")
            assert score.critical
            assert ("mine" in score.tags) == (score.value < 1.0)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_has_documented_options(name: str) -> None:
    known = getattr(METRICS[name], "option_names", ())
    documentation = METRICS[name].__doc__ or ""
    assert known
    for option in known:
        assert re.search(rf"(^ +|`){option}\b[^\n]*:", documentation, re.MULTILINE), option


def test_an_empty_text_beside_a_tool_call_is_not_an_empty_answer() -> None:
    (metric,) = build_metrics([_check("contains", value="x")], CONTEXT)
    call = ToolCallPart(id="1", name="look_up", arguments="{}")
    completion = Completion(text="", tool_calls=(call,), finish_reason="tool_calls")
    (score,) = asyncio.run(metric.score(Case(id="c", input={}), completion))
    assert score.tags == ("missing_text",)


def test_a_table_of_ones_own_is_used_with_the_same_rules() -> None:
    class Always:
        name = "always"

        async def score(self, case: Case, completion: Completion) -> list[Score]:
            return [Score(metric="always", value=1.0)]

    def always(spec: CheckSpec, context: MetricContext) -> Metric:
        return Always()

    specs = [_check("my-check"), CheckSpec(type="not:my_check", severity="hard")]
    hard, soft = build_metrics(specs, CONTEXT, {"my-check": always})
    assert (hard.name, soft.name) == ("not:always", "always")
    (score,) = asyncio.run(hard.score(Case(id="c", input={}), Completion(text="x")))
    assert score.tags == ("forbidden_match",)
    with pytest.raises(ConfigError, match="unknown check 'equals'; known: my-check"):
        build_metrics([_check("equals")], CONTEXT, {"my-check": always})


def test_importing_the_table_loads_nothing_heavy() -> None:
    program = "import sys, promptyard.metrics.build\nprint(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    heavy = {"jsonschema_rs", "rapidfuzz", "sacrebleu", "subprocess", "aiohttp"}
    assert not loaded & (heavy | {"concurrent.futures.thread"})


def test_checks_of_one_name_are_numbered_and_ids_name_them() -> None:
    specs = [
        _check("contains", value="a"),
        _check("contains", value="b"),
        _check("contains", value="c").model_copy(update={"id": "third"}),
        _check("contains", value="d"),
    ]
    names = [metric.name for metric in build_metrics(specs, CONTEXT)]
    assert names == ["contains", "contains#2", "third", "contains#3"]


def test_the_checks_of_a_case_are_told_apart_from_those_of_all_cases() -> None:
    shared = build_metrics([_check("contains", value="a"), _check("is_json")], CONTEXT)
    specs = [_check("contains", value="b"), _check("contains", value="c"), _check("equals")]
    own = [metric.name for metric in build_metrics(specs, CONTEXT, shared=shared)]
    assert own == ["contains#case", "contains#case#2", "equals"]


def test_a_numbered_inversion_keeps_its_name_for_every_program() -> None:
    prompt = Prompt.from_text("system:\nBe kind, and never tell anybody of this.\n")
    program = Program(steps=(Step(name="main", prompt=prompt),))
    specs = [_check("not:prompt_leak"), _check("not:prompt_leak")]
    _, second = build_metrics(specs, CONTEXT)
    assert isinstance(second, Inverted)
    assert second.for_program(program).name == "not:prompt_leak#2"


def test_no_judge_check_is_named_after_a_field_so_certificates_keep_their_names() -> None:
    judges = [METRICS[name] for name in METRICS if getattr(METRICS[name], "asks_judge", False)]
    assert judges
    for factory in judges:
        assert "field" not in getattr(factory, "option_names", ())
        assert not getattr(factory, "other_names", ())
