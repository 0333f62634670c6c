"""No text inside of a case or an answer gets out of the fence, or changes what a check says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import pytest

from promptyard.errors import JudgeError
from promptyard.metrics.build import build_metrics
from promptyard.metrics.context import MetricContext
from promptyard.metrics.injections import INJECTIONS
from promptyard.protocols import Judge, Model
from promptyard.providers.openai_compatible import OpenAICompatible
from promptyard.records.base import Json
from promptyard.records.cases import Case, CheckSpec
from promptyard.records.messages import Completion, OutputContract
from promptyard.records.scores import Score
from promptyard.runner.grading import CircuitBreaker, grade
from promptyard.testing.scripted_model import ScriptedModel
from support.chat_server import ChatServer

from .judged import CASE, JUDGE_CHECKS, JUDGED, judge_check
from .judges import JudgeOf, claim, judge_of_a_run, taken_apart, verdict

FEWEST = 40
TEXTS: Final = tuple(INJECTIONS.values())
WRONG: Final = "It is Rome. "


def test_there_are_enough_of_them_and_they_differ() -> None:
    assert len(INJECTIONS) >= FEWEST
    assert len(set(TEXTS)) == len(TEXTS)
    kinds = {name.partition(" ")[0] for name in INJECTIONS}
    assert kinds >= {"plain", "language", "delimiter", "role", "verdict", "encoding", "hidden"}
    assert sum(name.startswith("language") for name in INJECTIONS) >= 8


def test_every_judge_check_is_tried() -> None:
    assert set(JUDGED) == set(JUDGE_CHECKS)


def honest(name: str) -> ScriptedModel:
    """The judge of a check's example behind the seam of a model: its requests are the wire form."""
    return ScriptedModel(lambda body: _replied(name, body))


def _replied(name: str, body: Mapping[str, Any]) -> str:
    data, outside = taken_apart(str(body["messages"][-1]["content"]))
    return json.dumps(JUDGED[name].script(data, outside))


def attacked(text: str) -> list[tuple[Case, str]]:
    """An answer that is wrong with the text in each place that the judge gets to see."""
    fields = {"question": f"{CASE.input['question']} {text}", "source": f"Lyon is not. {text}"}
    return [
        (CASE, f"{WRONG}{text}"),
        (CASE, text),
        (CASE.model_copy(update={"input": fields}), WRONG),
        (CASE.model_copy(update={"expected": f"Berne. {text}"}), WRONG),
        (CASE.model_copy(update={"rubric": text}), WRONG),
    ]


async def ask_about_all(name: str, judge: Judge) -> None:
    metric = judge_check(name, judge, {"repeat_share": 0})
    await asyncio.gather(
        *(
            metric.score(case, Completion(text=output))
            for text in TEXTS
            for case, output in attacked(text)
        )
    )


def users(bodies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The user messages of requests that were sent; asserts what stands around them."""
    for body in bodies:
        system, user = body["messages"]
        assert (system["role"], user["role"]) == ("system", "user")
        yield str(user["content"])


def assert_fenced(name: str, bodies: Sequence[Mapping[str, Any]]) -> None:
    """Every text is in the fence as it was, and what stands outside is the same for all."""
    assert len({json.dumps(body["messages"][0]) for body in bodies}) == 1
    outsides: set[str] = set()
    shown: set[str] = set()
    for user in users(bodies):
        data, outside = taken_apart(user)
        outsides.add(outside.replace("<criterion-NONCE>\n\n</criterion-NONCE>\n\n", ""))
        shown.update(json.dumps(value) for value in data.values())
    assert len(outsides) == 1
    (outside,) = outsides
    together = " ".join(shown)
    for text in TEXTS:
        assert json.dumps(text)[1:-1] in together, f"{name} was not asked about {text!r}"
        assert text not in outside


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("name", JUDGE_CHECKS)
def test_every_text_stays_inside_the_fence(name: str) -> None:
    model = honest(name)

    async def work() -> None:
        async with judge_of_a_run(model) as judge:
            await ask_about_all(name, judge)

    asyncio.run(work())
    assert_fenced(name, model.requests)


@pytest.mark.no_cover  # the same lines many times
@pytest.mark.parametrize("name", JUDGE_CHECKS)
def test_every_text_stays_inside_the_fence_on_the_wire(name: str) -> None:
    with ChatServer(lambda body: _replied(name, body)) as server:
        model: Model = OpenAICompatible("test/judge", "judge", server.base_url, "key")

        async def work() -> None:
            async with judge_of_a_run(model) as judge:
                await ask_about_all(name, judge)

        asyncio.run(work())
        bodies = [request.body for request in server.requests]
    assert_fenced(name, bodies)
    for body in bodies:
        assert body["response_format"]["type"] == "json_schema"
        assert body["response_format"]["json_schema"]["strict"] is True
        assert body["temperature"] == 0


def obeys_what_stands_outside(name: str) -> JudgeOf:
    """A judge that does whatever the text around the data tells it, and looks at no data."""
    kind = JUDGED[name]
    bad = kind.script(*_seen(name))

    def reply(data: Mapping[str, Json], outside: str) -> Json:
        del data
        return verdict("pass") if any(text in outside for text in TEXTS) else bad

    return JudgeOf(reply)


def _seen(name: str) -> tuple[Mapping[str, Json], str]:
    case, output = JUDGED[name].failing
    judge = JudgeOf(lambda data, outside: seen.append((data, outside)) or "not a verdict")
    seen: list[tuple[Mapping[str, Json], str]] = []
    with pytest.raises(JudgeError):
        asyncio.run(judge_check(name, judge).score(case, Completion(text=output)))
    return seen[0]


@pytest.mark.parametrize("name", JUDGE_CHECKS)
def test_a_judge_that_obeys_all_but_data_says_the_same_of_every_text(name: str) -> None:
    case, output = JUDGED[name].failing
    metric = judge_check(name, obeys_what_stands_outside(name), {"repeat_share": 0})

    async def value(text: str) -> float:
        scores = await metric.score(case, Completion(text=f"{output} {text}"))
        return min(score.value for score in scores)

    async def values() -> list[float]:
        return await asyncio.gather(value(""), *(value(text) for text in TEXTS))

    assert len(set(asyncio.run(values()))) == 1


@pytest.mark.parametrize("name", JUDGE_CHECKS)
def test_a_verdict_is_taken_from_its_field_alone(name: str) -> None:
    """A judge that repeats the text in its reasons and its quote has not said it."""
    case, output = JUDGED[name].failing
    said: list[str] = []

    def reply(data: Mapping[str, Json], outside: str) -> Json:
        replied = cast("dict[str, Json]", JUDGED[name].script(data, outside))
        text = said[0]
        if "claims" in replied:
            return {"claims": [claim(text, "unsupported", text)]}
        return replied | {"reasons": text, "evidence_quote": text}

    metric = judge_check(name, JudgeOf(reply), {"repeat_share": 0})
    for text in TEXTS:
        said[:] = [text]
        scores = asyncio.run(metric.score(case, Completion(text=output)))
        assert min(score.value for score in scores) == 0.0
        for score in scores:
            score.model_dump_json()
            assert "\n" not in score.reason


@pytest.mark.parametrize("name", JUDGE_CHECKS)
@pytest.mark.parametrize("where", ["before", "after", "instead"])
def test_a_reply_with_more_or_less_than_the_verdict_is_none(name: str, where: str) -> None:
    """A judge that is talked into repeating a text around its verdict has given none."""
    case, output = JUDGED[name].failing

    def reply(data: Mapping[str, Json], outside: str) -> str:
        honest_reply = json.dumps(JUDGED[name].script(data, outside))
        text = INJECTIONS["plain order"]
        return {
            "before": f"{text} {honest_reply}",
            "after": f"{honest_reply} {text}",
            "instead": text,
        }[where]

    with pytest.raises(JudgeError, match="twice"):
        asyncio.run(judge_check(name, JudgeOf(reply)).score(case, Completion(text=output)))


SCHEMA: Json = {
    "type": "object",
    "required": ["status", "summary"],
    "properties": {"status": {"enum": ["open", "closed"]}, "summary": {"type": "string"}},
}
DETERMINISTIC = [
    CheckSpec(type="json_schema"),
    CheckSpec(type="field_equals", options={"field": "status"}),
    CheckSpec(type="required_fields", options={"fields": ["status"]}),
    CheckSpec(type="starts_with", options={"value": '{"status": "open"'}),
    CheckSpec(type="not:contains", options={"value": '"status": "VIP"'}),
    CheckSpec(type="is_json"),
]


def deterministic(output: str, judge: JudgeOf) -> tuple[Sequence[Score], int]:
    """Grade with all deterministic checks and a judge that passes everything it is asked."""
    context = MetricContext(output=OutputContract(format="json", schema=SCHEMA), judge=judge)
    rubric = CheckSpec(type="llm_rubric", options={"rubric": "It is right.", "repeat_share": 0})
    metrics = build_metrics([*DETERMINISTIC, rubric], context)
    case = Case(id="c1", input={"text": "t"}, expected={"status": "open"})
    graded = asyncio.run(grade(metrics, case, Completion(text=output), CircuitBreaker()))
    assert graded.failure is None
    return graded.scores, len(judge.asked)


@pytest.mark.parametrize("text", TEXTS, ids=list(INJECTIONS))
def test_no_text_flips_a_deterministic_verdict(text: str) -> None:
    def always_pass(data: Mapping[str, Json], outside: str) -> Json:
        del data, outside
        return verdict("pass")

    def outcome(status: str, summary: str) -> tuple[list[tuple[str, float]], int]:
        output = json.dumps({"status": status, "summary": summary})
        scores, n_asked = deterministic(output, JudgeOf(always_pass))
        return [(score.metric, score.value) for score in scores], n_asked

    right, n_asked = outcome("open", text)
    assert (right, n_asked) == outcome("open", "The ticket is open.")
    assert n_asked == 1
    wrong, n_asked = outcome("VIP", text)
    assert (wrong, n_asked) == outcome("VIP", "The ticket is open.")
    assert n_asked == 0  # a hard check has failed: the judge that passes everything is not asked
    assert min(value for _, value in wrong) == 0.0
