"""A task on disk with a registered version, and what live traffic did with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from promptyard.line.triage import Triage, open_triage
from promptyard.line.wiring import build_store
from promptyard.records.live import LiveEvent, Outcome
from promptyard.records.prompts import Program, Prompt
from promptyard.records.versions import PromptVersion
from support.tiny_task import PROMPT, tiny_rows, write_tiny_task


def live_outcome(number: int, text: str, **about: object) -> Outcome:
    values: dict[str, object] = {
        "id": f"o{number}",
        "prompt": "tiny",
        "version": 1,
        "digest": "d",
        "at": "2026-11-27T00:00:00+00:00",
        "inputs": {"text": text},
        "output": "no_such_label",
        "hard_failure": True,
    }
    return Outcome.model_validate(values | about)


class LiveTask:
    """A task with a registered version and live events in a store beside it."""

    def __init__(self, folder: Path, events: list[LiveEvent]) -> None:
        self.task = write_tiny_task(folder / "task", tiny_rows(9))
        self.store = str(folder / "runs.db")
        asyncio.run(self._fill(events))

    async def _fill(self, events: list[LiveEvent]) -> None:
        store = build_store(self.store)
        await store.open()
        program = Program.single(Prompt.from_text(PROMPT))
        await store.add_version(
            PromptVersion(name="tiny", number=0, digest=program.id, program=program, author="a")
        )
        await store.add_live_events(events)
        await store.close()

    def open(self) -> Triage:
        return asyncio.run(open_triage(self.task, store=self.store))
