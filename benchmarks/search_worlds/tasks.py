"""A world as a task of Promptyard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import promptyard as py
from promptyard.records.cases import SplitName
from search_worlds.cases import WorldCase
from search_worlds.models import WorldModel
from search_worlds.service import Service
from search_worlds.shapes import Turn
from search_worlds.world import World


def task_of(
    world: World, models: py.Models | None = None, *, n_holdout: int = 0, **settings: Any
) -> py.Task:
    """A task with the train and dev cases of a world, measured by its metric.

    `n_holdout` test cases become a holdout; by default there is none. Without `models` the world's
    own answer inside the process, with a service of their own. `settings` go to `Task`.
    """
    cases = _placed(world, n_holdout)
    return py.Task(
        name=world.name.replace("+", "-"),
        prompt=f"system:\n{world.seed_prompt}\n\nuser:\n{{{{text}}}}\n",
        cases=[
            py.Case(id=case.ref, input={"text": case.input}, expected=case.gold, split=split)
            for case, split in cases
        ],
        metrics=[metric_of(world, [case for case, _ in cases])],
        models=models or models_of(Service(world)),
        **settings,
    )


def _placed(world: World, n_holdout: int) -> list[tuple[WorldCase, SplitName]]:
    holdout = world.test[:n_holdout] if n_holdout else ()
    return [
        *((case, "train") for case in world.train),
        *((case, "dev") for case in world.val),
        *((case, "holdout") for case in holdout),
    ]


def models_of(service: Service) -> py.Models:
    """Both models of a service."""
    return py.Models(task=WorldModel(service, "task"), optimizer=WorldModel(service, "optimizer"))


def metric_of(
    world: World, cases: Sequence[WorldCase]
) -> Callable[[py.Case, str], tuple[float, str, tuple[str, ...]]]:
    """The metric of a world, for cases whose id is their reference."""
    by_ref = {case.ref: case for case in cases}

    def world_score(case: py.Case, output: str) -> tuple[float, str, tuple[str, ...]]:
        graded = world.score(by_ref[case.id], output)
        return graded.score, graded.feedback, graded.tags

    return world_score


def expected_of_program(world: World, program: py.Program, split: str = "test") -> float:
    """What a program is truly worth in a world; costs no call."""

    def turns(case: WorldCase) -> Sequence[Turn]:
        messages = program.render({"text": case.input})
        return [Turn(message.role, message.text) for message in messages]

    return world.expected_of(turns, split)
