"""A world with three registered versions of its prompt, judged by the gates over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import promptyard as py
from promptyard.line.gating import run_gate
from promptyard.line.wiring import build_store
from promptyard.records.cases import SplitName
from promptyard.records.prompts import Program, Prompt
from promptyard.records.verdicts import GateSettings, GateVerdict
from promptyard.records.versions import PromptVersion
from support.chat_server import ChatServer
from support.world import HARMFUL, PROMPT, RULE, World

SIZES: Mapping[SplitName, int] = {"train": 2, "dev": 2, "holdout": 200}


def edited(sentence: str) -> Program:
    text = PROMPT.replace("topic only.", f"topic only. {sentence}")
    return Program.single(Prompt.from_text(text))


class GatedWorld:
    """A world whose seed is version 1, better by a rule version 2, and worse version 3."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "runs.db")
        self.world = World(3, n_cases=SIZES, gain=0.25, harm=0.3)
        asyncio.run(self._register())

    async def _register(self) -> None:
        store = build_store(self.path)
        await store.open()
        seed = Program.single(Prompt.from_text(PROMPT))
        for program, parent in ((seed, None), (edited(RULE), 1), (edited(HARMFUL[0]), 1)):
            await store.add_version(
                PromptVersion(
                    name="world",
                    number=0,
                    digest=program.id,
                    program=program,
                    author="a",
                    parent=parent,
                )
            )
        await store.close()

    def task(
        self,
        server: ChatServer,
        settings: GateSettings | None = None,
        metrics: Sequence[Any] = ("exact_match",),
    ) -> py.Task:
        return py.Task(
            name="world",
            prompt=Prompt.from_text(PROMPT),
            cases=self.world.cases,
            metrics=list(metrics),
            models=py.Models(task="openai/task", base_url=server.base_url),
            gates=settings or GateSettings(),
        )

    async def judged(
        self,
        task: py.Task,
        candidate: str,
        baseline: str | None = None,
        targets: tuple[str, ...] = (),
    ) -> GateVerdict:
        return await run_gate(
            task,
            candidate,
            baseline,
            targets=targets,
            store=self.path,
            on_progress=lambda progress: None,
        )

    def gate(
        self,
        server: ChatServer,
        candidate: str,
        baseline: str | None = None,
        settings: GateSettings | None = None,
        targets: tuple[str, ...] = (),
        metrics: Sequence[Any] = ("exact_match",),
    ) -> GateVerdict:
        task = self.task(server, settings, metrics)
        return asyncio.run(self.judged(task, candidate, baseline, targets))
