"""The judge model as metrics see it: every question goes through the caller of the run."""

from __future__ import annotations

from promptyard.errors import JudgeError, ModelError, ModelUnusable
from promptyard.records.messages import Completion, Request
from promptyard.runner.caller import Caller


class RunJudge:
    """Implements `Judge` on one run: the store, the limits and the budget of its judge calls."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.name = caller.model("judge").name

    async def ask(self, request: Request, *, replicate: int = 0) -> Completion:
        """Ask once; a failed call is the judge's failure, not the model's under test."""
        try:
            return await self._caller.complete("judge", request, replicate)
        except ModelUnusable:
            raise
        except ModelError as error:
            raise JudgeError(f"the judge gave no answer: {error}", kind=error.kind) from error
