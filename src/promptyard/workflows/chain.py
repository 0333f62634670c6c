"""The workflow of steps in a row: each step may read the answers of the steps before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.errors import ConfigError
from promptyard.protocols import StepCall
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Request
from promptyard.records.prompts import Program
from promptyard.records.scores import StepVisit


class Chain:
    """Call all steps in order; a step's answer is the variable of its name in later steps.

    Costs one call a step. The answer of the last step is the output.
    """

    name = "chain"

    def __init__(self, options: Mapping[str, Json]) -> None:
        """Raise ConfigError for any option: this workflow has none."""
        if options:
            raise ConfigError(f"workflow 'chain' has no options; got: {', '.join(options)}")

        self._built: dict[str, Request] = {}

    def first_request(self, program: Program, case: Case) -> Request:
        """Build what `run` asks first; it is kept for `run`, so that it is built once."""
        request = self._built[case.id] = program.steps[0].prompt.request(case)
        return request

    async def run(self, program: Program, case: Case, call: StepCall) -> Sequence[StepVisit]:
        """Render and call step after step."""
        values: dict[str, Json] = dict(case.input)
        built = self._built.pop(case.id, None)
        visits: list[StepVisit] = []
        for step in program.steps:
            completion = await call(step.name, built or step.prompt.request(values))
            built = None
            values[step.name] = completion.text
            visits.append(StepVisit(step=step.name, completion=completion))
        return tuple(visits)
