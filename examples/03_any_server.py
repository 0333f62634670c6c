# ruff: noqa: T201  (an example prints)
"""The same line against any server that speaks the chat-completions protocol.

    python examples/03_any_server.py http://127.0.0.1:8000/v1 my-model

Address and model may also stand in PROMPTYARD_BASE_URL and MODEL; a key, where the server wants
one, in PROMPTYARD_API_KEY.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import promptyard as py

FOLDER = Path(__file__).parent / "support"


def main(arguments: list[str]) -> int:
    """Measure and improve the support prompt with the model at an address."""
    base_url = arguments[0] if arguments else os.environ.get("PROMPTYARD_BASE_URL")
    model = arguments[1] if len(arguments) > 1 else os.environ.get("MODEL", "default")
    if not base_url:
        print(__doc__, file=sys.stderr)
        return 2
    models = py.Models(task=f"openai_compatible/{model}", base_url=base_url)
    task = py.load_task(FOLDER, models=models)
    report = py.evaluate(task, split="dev", budget=py.Budget(task_calls=50))
    print(f"seed on dev: {report.score}, coverage {report.coverage:.0%}")
    run = py.optimize(task, budget=py.Budget(task_calls=300, optimizer_calls=10))
    print(f"verdict: {run.verdict.status}")
    print(run.verdict.sentence)
    print(f"spent: {run.spent.task_calls} task calls, {run.spent.tokens} tokens")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except py.PromptyardError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
