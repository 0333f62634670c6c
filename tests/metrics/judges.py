"""A judge whose script is a function of what a request holds inside and outside of its fence."""

from __future__ import annotations

import contextlib
import json
import re
import unicodedata
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TypeAlias

from promptyard.protocols import Judge, Model
from promptyard.records.base import Json
from promptyard.records.budget import Budget
from promptyard.records.messages import Completion, Request
from promptyard.records.runs import RunHeader
from promptyard.runner.caller import Caller
from promptyard.runner.judge import RunJudge
from promptyard.runner.ledger import Ledger
from promptyard.runner.retry import CallLimits
from promptyard.storage import open_store

Data: TypeAlias = Mapping[str, Json]
Script: TypeAlias = Callable[[Data, str], Json]
"""Says what is replied to the data of a case and to the text around them."""

HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that a person does not see."""

OPEN = re.compile(r"^<(?P<name>[a-z]+)-(?P<nonce>[0-9a-f]{8})>$", re.MULTILINE)


def taken_apart(user: str) -> tuple[dict[str, Json], str]:
    """Return the data of a judge's user message, and the text outside of the fence.

    Asserts that the fence holds: one nonce that no data contain, every tag opened and closed once,
    each part one JSON value on one line without an angle bracket.
    """
    nonces = {match["nonce"] for match in OPEN.finditer(user)}
    assert len(nonces) == 1
    (nonce,) = nonces
    data: dict[str, Json] = {}
    outside = user
    for name in dict.fromkeys(match["name"] for match in OPEN.finditer(user)):
        opening, closing = f"<{name}-{nonce}>\n", f"\n</{name}-{nonce}>"
        assert user.count(opening) == user.count(closing) == 1
        start, end = user.index(opening) + len(opening), user.index(closing)
        body = user[start:end]
        assert "\n" not in body
        assert "<" not in body
        assert ">" not in body
        assert nonce not in body
        assert not [char for char in body if unicodedata.category(char) in HIDDEN]
        data[name] = json.loads(body)
        outside = outside.replace(body, "")
    return data, outside.replace(nonce, "NONCE")


class JudgeOf:
    """A judge that replies as a script says; texts as they are, everything else as JSON.

    Attributes:
        asked: requests with the replicate that was asked for, in order.
    """

    name = "scripted/judge"

    def __init__(self, script: Script, *, model: str = "scripted/judge") -> None:
        self.asked: list[tuple[Request, int]] = []
        self._script = script
        self._model = model

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        """Take the request apart and reply."""
        self.asked.append((request, replicate))
        system, user = request.messages
        data, outside = taken_apart(user.text)
        reply = self._script(data, f"{system.text}\n{outside}")
        if isinstance(reply, Completion):
            return reply
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return Completion(text=text, model=self._model)


def verdict(word: str | int, reasons: str = "as scripted", quote: str = "") -> dict[str, Json]:
    """A reply with one verdict."""
    return {"reasons": reasons, "evidence_quote": quote, "verdict": word}


def claim(text: str, word: str, quote: str = "") -> dict[str, Json]:
    """One claim of a reply of `faithfulness`."""
    return {"claim": text, "reasons": "as scripted", "evidence_quote": quote, "verdict": word}


@contextlib.asynccontextmanager
async def judge_of_a_run(model: Model) -> AsyncGenerator[Judge]:
    """Yield the judge as metrics get it in a run: a real caller, store, ledger and limiter."""
    header = RunHeader(
        id="r1",
        task="t",
        seed=0,
        strategy="auto",
        eval_set_version="v",
        baseline_id="b",
        task_model="m",
        optimizer_model="m",
        budget=Budget(),
        started_at="2026-01-01T00:00:00+00:00",
    )
    store = open_store(None)
    await store.open()
    try:
        await store.start_run(header)
        limits = CallLimits(concurrency=16, timeout_s=10, retries=0)
        caller = Caller(
            run_id="r1",
            models={"judge": model},
            store=store,
            ledger=Ledger(Budget()),
            limits=limits,
        )
        yield RunJudge(caller)
    finally:
        await model.close()
        await store.close()
