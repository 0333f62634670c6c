"""What every workflow must keep to; subclass `WorkflowContract` and give it yours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from promptyard.errors import ServerError
from promptyard.protocols import Workflow
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, Request
from promptyard.records.prompts import Program
from promptyard.records.scores import StepVisit


class WorkflowContract:
    """Checks of a workflow: it calls its own steps, returns every call, and hides no error."""

    def workflow(self) -> Workflow:
        """Return the workflow under test."""
        raise NotImplementedError("a WorkflowContract suite gives workflow()")

    def program(self) -> Program:
        """Return a program that the workflow can run."""
        raise NotImplementedError("a WorkflowContract suite gives program()")

    def case(self) -> Case:
        """Return a case with all variables of the program."""
        raise NotImplementedError("a WorkflowContract suite gives case()")

    def run(
        self, workflow: Workflow | None = None
    ) -> tuple[Sequence[StepVisit], list[tuple[str, Request]]]:
        """Run the workflow on the case; returns its visits and the calls that it made."""
        given = workflow or self.workflow()
        calls: list[tuple[str, Request]] = []

        async def call(step: str, request: Request) -> Completion:
            calls.append((step, request))
            return Completion(text=f"answer {len(calls)} of {step}")

        async def work() -> Sequence[StepVisit]:
            return await given.run(self.program(), self.case(), call)

        return asyncio.run(work()), calls

    def test_every_call_is_a_visit_in_order(self) -> None:
        """Cost and latency are added up over the visits, so none may be missing."""
        visits, calls = self.run()
        assert visits
        assert [visit.step for visit in visits] == [step for step, _ in calls]
        texts = [f"answer {n + 1} of {step}" for n, (step, _) in enumerate(calls)]
        assert [visit.completion.text for visit in visits] == texts

    def test_only_steps_of_the_program_are_called(self) -> None:
        """Edits are made by step name."""
        names = {step.name for step in self.program().steps}
        assert {step for step, _ in self.run()[1]} <= names

    def test_it_repeats_exactly(self) -> None:
        """The same program and case make the same calls."""
        assert self.run() == self.run()

    def test_the_first_request_that_it_names_is_the_one_it_makes(self) -> None:
        """The runner looks the answer to it up before, so it may be no other."""
        workflow = self.workflow()
        first_request = getattr(workflow, "first_request", None)
        if first_request is None:
            return
        named = first_request(self.program(), self.case())
        visits, calls = self.run(workflow)
        assert calls[0][1] == named
        assert (visits, calls) == self.run()

    def test_an_error_of_a_call_reaches_the_runner(self) -> None:
        """A failed call is a Failure of the trial; a workflow that swallows it would score it."""

        async def call(step: str, request: Request) -> Completion:
            raise ServerError(f"down: {step} {len(request.messages)}")

        async def work() -> str:
            try:
                await self.workflow().run(self.program(), self.case(), call)
            except ServerError as error:
                return str(error)
            return "nothing was raised"

        assert asyncio.run(work()).startswith("down")
