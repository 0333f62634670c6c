"""promptyard.optimize with one of its strategies, on a task with only train and dev."""

from __future__ import annotations

from typing import Any

from frame import Frame, Point, Prompting

import promptyard as py
from search_worlds.cases import WorldCase
from search_worlds.tasks import task_of


def main() -> None:
    frame = Frame("promptyard")
    models = py.Models(task="openai/task", optimizer="openai/optimizer", base_url=frame.base_url)
    task = task_of(frame.world, models)
    run = py.optimize(
        task,
        strategy=frame.strategy,
        budget=py.Budget(task_calls=frame.budget),
        seed=frame.seed,
    )
    points = [Point(0, prompting(task.program))]
    served: Any = getattr(run, "served", None)
    if served is None:  # a version that only says what it ended with
        points.append(Point(frame.task_calls(), prompting(run.best)))
    else:
        points += [Point(point.calls_so_far, prompting(point.program)) for point in served]
    frame.method = f"promptyard:{frame.strategy}"
    frame.report(points, verdict=run.verdict.status)


def prompting(program: py.Program) -> Prompting:
    """The messages that a program sends for a case."""

    def messages(case: WorldCase) -> list[dict[str, str]]:
        rendered = program.render({"text": case.input})
        return [{"role": turn.role, "content": turn.text} for turn in rendered]

    return messages


if __name__ == "__main__":
    main()
