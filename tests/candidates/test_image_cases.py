"""Cases with the bytes of an image: never as text before the optimizer or in a prompt."""

from __future__ import annotations

import asyncio
import json
import random

from promptyard.candidates.reflect import Reflect
from promptyard.records.cases import Case
from promptyard.records.evidence import Evidence
from promptyard.signals.evidence import gather
from promptyard.testing import ReplyingBench
from support.service_images import PIXEL_URL
from support.stations import graded, label_case, seed_candidate

BASE = seed_candidate()


def evidence(image: str) -> Evidence:
    cases = [_case("a1", "lost_card", image), _case("a2", "top_up", image)]
    rows = [graded(case, got) for case, got in zip(cases, ("top_up", "top_up"), strict=True)]
    return gather(rows, BASE.program)


def _case(case_id: str, expected: str, image: str) -> Case:
    case = label_case(case_id, "my card", expected)
    return case.model_copy(update={"input": {**case.input, "photo": {"image": image}}})


def reflected(image: str) -> str:
    bench = ReplyingBench(lambda _: "")
    asyncio.run(Reflect().propose(BASE, evidence(image), bench, random.Random(0)))
    return "".join(message.text for message in bench.requests[0])


def test_the_optimizer_is_told_that_there_is_an_image() -> None:
    request = reflected(PIXEL_URL)
    assert PIXEL_URL.partition(",")[2][:20] not in request
    assert json.dumps({"photo": "[an image]"})[1:-1] in request


def test_the_address_of_an_image_is_shown() -> None:
    assert "https://example.org/a.png" in reflected("https://example.org/a.png")


def test_the_bytes_of_an_image_make_no_demonstration() -> None:
    assert evidence(PIXEL_URL).demos == ()
    assert len(evidence("https://example.org/a.png").demos) == 2
