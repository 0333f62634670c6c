"""The workflow of a program with one step: one call, its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptyard.errors import ConfigError
from promptyard.protocols import StepCall
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Request
from promptyard.records.prompts import Program
from promptyard.records.scores import StepVisit


class Single:
    """Call the only step once. Costs one call."""

    name = "single"

    def __init__(self, options: Mapping[str, Json]) -> None:
        """Raise ConfigError for any option: this workflow has none."""
        if options:
            raise ConfigError(f"workflow 'single' has no options; got: {', '.join(options)}")

        self._built: dict[str, Request] = {}

    def first_request(self, program: Program, case: Case) -> Request:
        """Build what `run` asks first; it is kept for `run`, so that it is built once."""
        request = self._built[case.id] = program.prompt.request(case)
        return request

    async def run(self, program: Program, case: Case, call: StepCall) -> Sequence[StepVisit]:
        """Render the step for the case and call it."""
        request = self._built.pop(case.id, None) or program.prompt.request(case)
        completion = await call(program.steps[0].name, request)
        return (StepVisit(step=program.steps[0].name, completion=completion),)
