"""The client for event loops never blocks the loop, and says what the other one says."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from pathlib import Path

import pytest

from promptyard.client import AsyncPromptyard, Promptyard
from promptyard.errors import NotFound
from support.manifests import ROLLOUT, manifest_of, write_manifest
from support.spools import outcomes_in


def test_it_resolves_records_and_flushes(tmp_path: Path) -> None:
    source = tmp_path / "manifest.json"
    rollout = ROLLOUT.model_copy(update={"enrolled": 1.0})
    write_manifest(source, manifest_of(rollouts=[rollout]))

    async def use() -> list[tuple[int, str | None]]:
        async with AsyncPromptyard(source, record_to=tmp_path / "spool") as client:
            prompts = [await client.prompt("support", subject=f"u{n}") for n in range(20)]
            ids = [await client.record(prompt, score=1.0) for prompt in prompts]
            await client.feedback(ids[0], name="support", scores={"helpful": 0.0})
            assert await client.flush()
            assert await client.refresh()
            assert client.status()["source"]["state"] == "ok"
            with pytest.raises(NotFound):
                await client.prompt("sales")
            return [(prompt.version, prompt.arm) for prompt in prompts]

    found = asyncio.run(use())
    assert len(outcomes_in(tmp_path / "spool")) == 20
    with Promptyard(source) as client:
        prompts = [client.prompt("support", subject=f"u{n}") for n in range(20)]
    assert found == [(prompt.version, prompt.arm) for prompt in prompts]


def test_the_first_call_does_not_block_the_loop(tmp_path: Path) -> None:
    source = tmp_path / "manifest.json"
    os.mkfifo(source)

    async def use() -> tuple[float, str, int]:
        client = AsyncPromptyard(source, deadline_s=0.8, fallback={"support": "user:\nhi\n"})
        asked = asyncio.create_task(client.prompt("support"))
        longest_s, n_turns = 0.0, 0
        while not asked.done():
            began_s = time.monotonic()
            await asyncio.sleep(0.005)
            longest_s = max(longest_s, time.monotonic() - began_s)
            n_turns += 1
        prompt = await asked
        await client.close()
        return longest_s, prompt.reason, n_turns

    longest_s, reason, n_turns = asyncio.run(use())
    assert reason == "fallback"
    assert n_turns >= 3
    assert longest_s < 0.35  # the source hangs for 0.4 s of the deadline


def test_it_has_the_same_verbs() -> None:
    names = {
        name
        for name, member in vars(Promptyard).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
    assert names == {
        name
        for name, member in vars(AsyncPromptyard).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }
