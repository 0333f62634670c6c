"""The Bench of generators: the optimizer model, and runs on train cases by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from promptyard.errors import EvalSetError, InvalidRequest
from promptyard.records.base import Json
from promptyard.records.cases import Case
from promptyard.records.messages import Completion, Message, OutputContract, Request
from promptyard.records.prompts import Program
from promptyard.records.scores import Report
from promptyard.runner.execute import Executor


class TrainBench:
    """Implements `Bench` within the budget and the store of one run."""

    def __init__(self, executor: Executor, train: Mapping[str, Case]) -> None:
        self._executor = executor
        self._train = train
        self._without_schema: set[str] = set()

    async def complete(
        self,
        role: Literal["optimizer", "judge"],
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Json] | None = None,
        replicate: int = 0,
    ) -> Completion:
        """Ask the optimizer or judge model once.

        A server that refuses schemas is asked again without one, and not bothered with one again.
        Raises InvalidRequest for any other role: the task model answers in `run` alone.
        """
        if role not in ("optimizer", "judge"):
            raise InvalidRequest(f"a generator may not ask the {role} model; it runs programs")
        caller = self._executor.caller
        plain = Request(messages=tuple(messages))
        if schema is None or role in self._without_schema:
            return await caller.complete(role, plain, replicate)
        contract = OutputContract(format="json", schema=schema)
        try:
            forced = plain.model_copy(update={"output": contract})
            return await caller.complete(role, forced, replicate)
        except InvalidRequest as error:
            if error.status == 404:
                raise
            self._without_schema.add(role)
            return await caller.complete(role, plain, replicate)

    async def run(
        self, program: Program, train_case_ids: Sequence[str], replicate: int = 0
    ) -> Report:
        """Run a program on train cases. Raises EvalSetError for any other case."""
        strangers = [name for name in train_case_ids if name not in self._train]
        if strangers:
            raise EvalSetError(f"'{strangers[0]}' is not a train case; generators see only train")
        cases = [self._train[name] for name in train_case_ids]
        return await self._executor.run(program, cases, "train", replicate=replicate)
