# ruff: noqa: T201  (an example prints)
"""The line from Python, on the embedded model: no key, no network.

Run it: `python examples/01_python_api.py`.
"""

from __future__ import annotations

from pathlib import Path

import promptyard as py

FOLDER = Path(__file__).parent / "support"


def main() -> None:
    """Measure a prompt, improve it, show what changed."""
    task = py.load_task(FOLDER, models=py.Models(task="embedded/lexical"))
    before = py.evaluate(task, split="dev")
    print(f"seed on dev: {before.score:.2f}, coverage {before.coverage:.0%}")

    run = py.optimize(task, budget=py.Budget(task_calls=500), seed=0)
    print(f"verdict: {run.verdict.status}")
    print(run.verdict.sentence)
    print(f"spent {run.spent.task_calls} task calls, {run.spent.optimizer_calls} optimizer calls")

    print("\nthe prompt now:\n")
    print(run.best.prompt.text)


if __name__ == "__main__":
    main()
