"""Stored answers whose bytes were changed are damage that is named, and no answers."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from promptyard.errors import Tampered
from promptyard.records.messages import Completion
from promptyard.storage import open_store
from promptyard.testing.store_suite import record_answer, sample_header


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"latency_s":0.25', '"latency_s":NaN'),
        ('"latency_s":0.25', '"latency_s":Infinity'),
        ('"cost_usd":0.5', '"cost_usd":-1'),
        ('"text"', '"words"'),
        ("{", ""),
    ],
)
def test_an_answer_that_is_none_any_more_is_an_error_of_one_line(
    tmp_path: Path, old: str, new: str
) -> None:
    path = tmp_path / "runs.db"

    async def body() -> None:
        store = open_store(str(path))
        await store.open()
        await store.start_run(sample_header("run-1"))
        answer = Completion(text="yes", latency_s=0.25, cost_usd=0.5)
        await record_answer(store, "run-1", "a-key-of-some-length", answer)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE completions SET completion = replace(completion, ?, ?)", (old, new)
            )
        with pytest.raises(Tampered, match="stored answer a-key-of-som cannot be read") as caught:
            await store.completions(["a-key-of-some-length"], "run-1")
        assert "\n" not in str(caught.value)
        with pytest.raises(Tampered):
            await store.calls("run-1")
        await store.close()

    asyncio.run(body())
