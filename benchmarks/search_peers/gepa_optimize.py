"""gepa.optimize with its default adapter and settings."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import Any

from frame import Frame, Prompting, improving, plain_prompting

from search_worlds.cases import WorldCase


class Silent:
    """A logger that says nothing."""

    def log(self, message: str) -> None:
        """Drop a message."""
        del message


def main() -> None:
    frame = Frame("gepa.optimize")
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    logging.disable(logging.WARNING)
    gepa: Any = import_module("gepa")  # is in the peers' environment only
    default: Any = import_module("gepa.adapters.default_adapter.default_adapter")
    world = frame.world
    by_ref = {case.ref: case for case in (*world.train, *world.val)}
    where = {"api_base": frame.base_url, "api_key": "none"}

    def rows(cases: tuple[WorldCase, ...]) -> list[dict[str, Any]]:
        return [
            {
                "input": case.input,
                "additional_context": {},
                "answer": case.gold_text,
                "ref": case.ref,
            }
            for case in cases
        ]

    def evaluated(data: Any, response: str) -> Any:
        graded = world.score(by_ref[data["ref"]], response)
        return default.EvaluationResult(score=graded.score, feedback=graded.feedback)

    result: Any = gepa.optimize(
        seed_candidate={"system_prompt": world.seed_prompt},
        trainset=rows(world.train),
        valset=rows(world.val),
        adapter=default.DefaultAdapter(
            "openai/task",
            evaluated,
            litellm_batch_completion_kwargs={**where, "temperature": 0.0},
        ),
        reflection_lm="openai/optimizer",
        reflection_lm_kwargs={**where, "temperature": 1.0},
        max_metric_calls=frame.budget,
        seed=frame.seed,
        logger=Silent(),
    )
    prompts = [str(candidate["system_prompt"]) for candidate in result.candidates]
    # a candidate's count is that of its discovery, before it was run on the validation cases
    found: list[tuple[int, float, Prompting]] = [
        (calls + (0 if number == 0 else len(world.val)), score, plain_prompting(prompt))
        for number, (calls, score, prompt) in enumerate(
            zip(result.discovery_eval_counts, result.val_aggregate_scores, prompts, strict=True)
        )
    ]
    found[0] = (len(world.val), found[0][1], found[0][2])
    frame.report(improving(found), val_score=round(max(result.val_aggregate_scores), 4))


if __name__ == "__main__":
    main()
