"""Two processes that move the same pointer at once: no move is lost and none is made twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from promptyard.protocols import Store
from promptyard.records.versions import Move
from support.registered import with_store

N_MOVES = 1_000

MOVER = """
import asyncio, json, random, sys
from promptyard.errors import Conflict
from promptyard.records.versions import Move
from promptyard.storage import open_store

async def main(url, name, n_moves):
    chance = random.Random(name)
    made, n_conflicts = [], 0
    store = open_store(url)
    await store.open()
    print("ready", flush=True)
    sys.stdin.readline()
    while len(made) < n_moves:
        at = (await store.pointers("p"))[0].number
        to = chance.choice([number for number in (1, 2, 3) if number != at])
        move = Move(prompt="p", pointer="production", from_number=at, to_number=to,
                    actor=name, reason=f"{name}-{len(made)}")
        try:
            await store.move_pointer(move)
        except Conflict:
            n_conflicts += 1
        else:
            made.append([at, to, move.reason])
    await store.close()
    print(json.dumps({"made": made, "n_conflicts": n_conflicts}))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "store.db")
    return request.getfixturevalue("postgres_url")


def moved_by_two_processes(url: str) -> list[dict[str, Any]]:
    movers = [
        subprocess.Popen(
            [sys.executable, "-c", MOVER, url, name, str(N_MOVES // 2)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("ann", "bob")
    ]
    for mover in movers:
        assert mover.stdout is not None
        assert mover.stdout.readline() == "ready\n"
    for mover in movers:
        assert mover.stdin is not None
        mover.stdin.write("go\n")
        mover.stdin.flush()
    results = [mover.communicate(timeout=120)[0] for mover in movers]
    assert [mover.returncode for mover in movers] == [0, 0]
    return [json.loads(result) for result in results]


def test_the_log_is_one_chain_that_has_every_move_once(url: str) -> None:
    async def first(store: Store) -> None:
        await store.move_pointer(
            Move(
                prompt="p",
                pointer="production",
                from_number=None,
                to_number=1,
                actor="me",
                reason="first",
            )
        )

    async def look(store: Store) -> tuple[Sequence[Move], int, int]:
        pointers = await store.pointers("p")
        return await store.moves("p"), pointers[0].number, await store.revision()

    with_store(first, url)
    results = moved_by_two_processes(url)
    log, at, revision = with_store(look, url, texts=())

    assert len(log) == revision == 1 + N_MOVES
    for before, after in pairwise(log):
        assert after.from_number == before.to_number  # a chain without a break
    assert at == log[-1].to_number
    logged = [[move.from_number, move.to_number, move.reason] for move in log[1:]]
    made = [move for result in results for move in result["made"]]
    assert sorted(logged, key=str) == sorted(made, key=str)  # what was said to be made, once each
    for name in ("ann", "bob"):
        own = [move.reason for move in log if move.actor == name]
        assert own == [f"{name}-{number}" for number in range(N_MOVES // 2)]
    assert sum(result["n_conflicts"] for result in results) > 0  # they did get in each other's way
