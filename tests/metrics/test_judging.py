"""A judge as an instrument: what identifies it, what is asked twice, what is no verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from promptyard.errors import ConfigError, JudgeError, MetricError
from promptyard.metrics.judging import REPEAT_SHARE
from promptyard.protocols import Metric
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, Request, ToolCallPart
from promptyard.records.scores import JudgeStamp, Score

from .judged import CASE, JUDGE_CHECKS, JUDGED, judge_check
from .judges import JudgeOf, Script, claim, taken_apart, verdict

RIGHT = "It is Paris."


def always(reply: Json) -> Script:
    return lambda data, outside: reply


def score(metric: Metric, output: str = RIGHT, case: Case = CASE) -> Sequence[Score]:
    return asyncio.run(metric.score(case, Completion(text=output)))


def stamp_of(metric: Metric, case: Case = CASE) -> JudgeStamp:
    stamp = score(metric, case=case)[0].judge
    assert stamp is not None
    return stamp


def hash_of(name: str = "llm_rubric", *, model: str = "scripted/judge", **options: Json) -> str:
    judge = JudgeOf(JUDGED[name].script)
    judge.name = model
    return stamp_of(judge_check(name, judge, options)).prompt_hash


def test_every_score_names_the_instrument_that_gave_it() -> None:
    for name in JUDGE_CHECKS:
        stamp = stamp_of(judge_check(name, JudgeOf(JUDGED[name].script)))
        assert stamp.model == "scripted/judge"
        assert len(stamp.prompt_hash) == 16
        assert stamp.verdict in {"pass", "C", "5", "win", "1/1"}


def test_another_rubric_option_or_model_is_another_instrument() -> None:
    hashes = [
        hash_of(),
        hash_of(rubric="It names a capital."),
        hash_of(show=["input", "expected"]),
        hash_of(temperature=1),
        hash_of(temperature=None),
        hash_of(model="scripted/other"),
        hash_of("closed_qa", criterion=str(JUDGED["llm_rubric"].options["rubric"])),
        hash_of("factuality"),
        hash_of("factuality", scores={"A": 1}),
    ]
    assert len(set(hashes)) == len(hashes)


def test_what_does_not_change_what_it_says_does_not_change_the_instrument() -> None:
    judge = JudgeOf(JUDGED["llm_rubric"].script)
    named = judge_check("llm_rubric", judge, id="capital", tag="wrong", weight=2, severity="hard")
    assert {
        hash_of(),
        hash_of(repeat_share=1),
        hash_of(max_chars=5000),
        stamp_of(named).prompt_hash,
        stamp_of(named, CASE.model_copy(update={"rubric": "It is short."})).prompt_hash,
    } == {hash_of()}


def test_a_snapshot_that_the_server_names_is_part_of_the_model() -> None:
    judge = JudgeOf(JUDGED["llm_rubric"].script, model="judge-2026-01-31")
    assert stamp_of(judge_check("llm_rubric", judge)).model == "scripted/judge@judge-2026-01-31"
    for same in ("", "judge", "scripted/judge"):
        judge = JudgeOf(JUDGED["llm_rubric"].script, model=same)
        assert stamp_of(judge_check("llm_rubric", judge)).model == "scripted/judge"


def cases(n: int) -> list[Case]:
    return [CASE.model_copy(update={"id": f"c{number}"}) for number in range(n)]


def test_about_one_case_in_twenty_is_asked_twice_and_always_the_same_ones() -> None:
    def repeated() -> list[str]:
        judge = JudgeOf(JUDGED["llm_rubric"].script)
        metric = judge_check("llm_rubric", judge)
        twice = [case.id for case in cases(1000) if stamp_of(metric, case).repeated is not None]
        replicates = [replicate for _, replicate in judge.asked]
        assert replicates.count(0) == 1000
        assert replicates.count(1) == len(twice)
        return twice

    first = repeated()
    assert 0.6 * REPEAT_SHARE < len(first) / 1000 < 1.4 * REPEAT_SHARE
    assert repeated() == first


@pytest.mark.parametrize(("share", "expected"), [(0, 0), (1, 20)])
def test_the_share_can_be_none_or_all(share: float, expected: int) -> None:
    metric = judge_check("llm_rubric", JudgeOf(always(verdict("pass"))), {"repeat_share": share})
    assert sum(stamp_of(metric, case).repeated is not None for case in cases(20)) == expected


def by_replicate(*replies: Json) -> JudgeOf:
    judge = JudgeOf(lambda data, outside: replies[judge.asked[-1][1]])
    return judge


@pytest.mark.parametrize(
    ("second", "repeated"),
    [
        (verdict("pass"), "pass"),
        (verdict("fail"), "fail"),
        (verdict("unsure"), "unsure"),
        ("no verdict", None),
        (Completion(text="{}", finish_reason="length"), None),
    ],
)
def test_the_second_verdict_is_kept_beside_the_first(second: Json, repeated: str | None) -> None:
    metric = judge_check("llm_rubric", by_replicate(verdict("pass"), second), {"repeat_share": 1})
    stamp = stamp_of(metric)
    assert (stamp.verdict, stamp.repeated) == ("pass", repeated)


def test_both_orders_are_asked_again_where_a_comparison_is() -> None:
    judge = JudgeOf(JUDGED["pairwise"].script)
    stamp = stamp_of(judge_check("pairwise", judge, {"repeat_share": 1}))
    assert (stamp.verdict, stamp.repeated) == ("win", "win")
    assert sorted(replicate for _, replicate in judge.asked) == [0, 0, 1, 1]


def test_the_same_question_is_the_same_request_and_another_answer_another_one() -> None:
    def asked(output: str) -> Request:
        judge = JudgeOf(always(verdict("pass")))
        score(judge_check("llm_rubric", judge), output)
        return judge.asked[0][0]

    assert asked(RIGHT) == asked(RIGHT)
    assert asked(RIGHT) != asked("It is Rome.")
    assert asked(RIGHT).messages[0] == asked("It is Rome.").messages[0]


@pytest.mark.parametrize(
    ("options", "params"),
    [({}, {"temperature": 0}), ({"temperature": 0.3}, {"temperature": 0.3}),
     ({"temperature": None}, {})],
)  # fmt: skip
def test_a_temperature_is_sent_unless_it_is_null(
    options: Mapping[str, Json], params: Mapping[str, Json]
) -> None:
    judge = JudgeOf(always(verdict("pass")))
    score(judge_check("llm_rubric", judge, options))
    assert judge.asked[0][0].params == params


class Failing:
    """A judge whose calls fail."""

    name = "scripted/judge"

    def __init__(self, error: JudgeError) -> None:
        self.error = error

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        raise self.error


def test_a_model_that_takes_no_temperature_gets_advice() -> None:
    refused = JudgeError("400: 'temperature' is not supported", kind="invalid_request")
    with pytest.raises(JudgeError, match="needs `temperature: null`") as raised:
        score(judge_check("llm_rubric", Failing(refused)))
    assert raised.value.kind == "invalid_request"


def test_a_call_that_fails_is_passed_on_as_it_is() -> None:
    for kind in ("timeout", "rate_limited"):
        failed = JudgeError("the judge gave no answer", kind=kind)
        with pytest.raises(JudgeError) as raised:
            score(judge_check("llm_rubric", Failing(failed)))
        assert raised.value is failed


def test_without_a_judge_a_check_can_be_built_but_not_asked() -> None:
    for name in JUDGE_CHECKS:
        metric = judge_check(name, None)
        with pytest.raises(MetricError, match=r"name one under models\.judge") as raised:
            score(metric)
        assert not isinstance(raised.value, JudgeError)


@pytest.mark.parametrize(
    ("quote", "said"),
    [
        ("It is", '(evidence: "It is")'),
        ("  It   is\n", '(evidence: "It is")'),
        ("It was", '(it quotes what is not in the answer: "It was")'),
        ("", "as scripted"),
    ],
)
def test_a_quote_that_is_not_there_is_told(quote: str, said: str) -> None:
    metric = judge_check("llm_rubric", JudgeOf(always(verdict("fail", quote=quote))))
    assert score(metric, "It is Rome.")[0].reason.endswith(said)


def test_the_reasons_of_a_pass_are_kept_too() -> None:
    metric = judge_check("llm_rubric", JudgeOf(always(verdict("pass", reasons="Well said."))))
    (passed,) = score(metric)
    assert (passed.value, passed.tags, passed.reason) == (1.0, (), "Well said.")


def test_every_unsupported_claim_is_a_finding_with_its_place() -> None:
    claims = [
        claim("It rains.", "unsupported"),
        claim("It is cold.", "supported", "cold"),
        claim("Ann is wet.", "unsupported"),
        claim("Nobody minds.", "unsupported"),
    ]
    metric = judge_check("faithfulness", JudgeOf(always({"claims": claims})), weight=3)
    findings = score(metric, "Outside: It rains. It is cold. Ann is wet.")
    assert [finding.span for finding in findings] == [(9, 18), (31, 42), None]
    assert [finding.value for finding in findings] == [0.25] * 3
    assert sum(finding.weight for finding in findings) == pytest.approx(3)
    assert {finding.tags for finding in findings} == {("unsupported_fact",)}
    assert findings[0].judge is not None
    assert findings[0].judge.verdict == "1/4"


def test_findings_are_at_most_fifty() -> None:
    claims = [claim(f"claim {number}", "unsupported") for number in range(200)]
    assert len(score(judge_check("faithfulness", JudgeOf(always({"claims": claims}))))) == 50


def test_pictures_are_named_and_not_shown() -> None:
    url = "data:image/png;base64," + "A" * 100_000
    case = Case(id="c", input={"photo": {"image": url}, "scans": [{"image": url}]})
    judge = JudgeOf(always(verdict("pass")))
    score(judge_check("llm_rubric", judge), case=case)
    data, _ = taken_apart(judge.asked[0][0].messages[1].text)
    note = {"image": "an image, not shown here"}
    assert data["input"] == {"photo": note, "scans": [note]}


def test_tool_calls_are_shown_with_the_text() -> None:
    judge = JudgeOf(always(verdict("pass")))
    call = ToolCallPart(id="1", name="look_up", arguments='{"city": "Paris"}')
    completion = Completion(text="", tool_calls=(call,), finish_reason="tool_calls")
    asyncio.run(judge_check("llm_rubric", judge).score(CASE, completion))
    data, _ = taken_apart(judge.asked[0][0].messages[1].text)
    shown = {"name": "look_up", "arguments": '{"city": "Paris"}'}
    assert data["answer"] == {"text": "", "tool_calls": [shown]}


@pytest.mark.parametrize(
    "options",
    [{"repeat_share": 1.5}, {"repeat_share": "all"}, {"max_chars": True}, {"temperature": -1},
     {"temperature": "warm"}],
)  # fmt: skip
def test_options_of_asking_are_checked(options: Mapping[str, Json]) -> None:
    with pytest.raises(ConfigError, match="must be a number from 0 to") as raised:
        judge_check("llm_rubric", None, options)
    assert "\n" not in str(raised.value)


def test_data_that_are_no_json_are_refused() -> None:
    case = CASE.model_copy(update={"input": {"x": float("nan"), "source": "s", "question": "q"}})
    with pytest.raises(MetricError, match="its data are no JSON"):
        score(judge_check("llm_rubric", JudgeOf(always(verdict("pass")))), case=case)


ODD_REPLIES: Sequence[Callable[[], Json]] = [
    lambda: "",
    lambda: "null",
    lambda: "[" * 5000,
    lambda: '{"reasons": NaN}',
    lambda: '{"verdict": "pass"} {"verdict": "pass"}',
    lambda: "\ud800",
    lambda: "pass" * 100_000,
    lambda: {"reasons": ["x"], "evidence_quote": "", "verdict": "pass"},
    lambda: {"reasons": "", "evidence_quote": None, "verdict": "pass"},
    lambda: {"reasons": "", "evidence_quote": "", "verdict": ["pass"]},
    lambda: {"reasons": "", "evidence_quote": "", "verdict": "pass", "score": 1},
    lambda: {"reasons": "", "evidence_quote": "", "verdict": "pass "},
    lambda: [verdict("pass")],
]


@pytest.mark.parametrize("name", JUDGE_CHECKS)
@pytest.mark.parametrize("reply", ODD_REPLIES)
def test_what_keeps_no_schema_is_no_verdict(name: str, reply: Callable[[], Json]) -> None:
    judge = JudgeOf(always(reply()))
    with pytest.raises(JudgeError) as raised:
        score(judge_check(name, judge))
    assert raised.value.kind == "judge_parse"
    assert len(str(raised.value)) < 400
    assert "\n" not in str(raised.value)


def test_a_reply_may_hold_any_text() -> None:
    reply = verdict("fail", reasons="\ud800\u0000\n" * 1000, quote="\u202e" * 1000)
    (failed,) = score(judge_check("llm_rubric", JudgeOf(always(reply))))
    failed.model_dump_json()
    assert len(failed.reason) < 400
