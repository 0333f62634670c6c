"""The client for event loops: the first load and the waits for the disk happen in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from promptyard.client.resolved import ResolvedPrompt
from promptyard.client.sdk import PRODUCTION, Promptyard

if TYPE_CHECKING:
    from promptyard.records.live import FeedbackSource


class AsyncPromptyard:
    """`Promptyard` with verbs that are awaited; takes the same arguments.

    Only the first call of `prompt`, `refresh`, `flush` and `close` leave the event loop's thread;
    everything else takes microseconds and is done at once.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = Promptyard(*args, **options)

    async def prompt(
        self,
        name: str,
        *,
        subject: str | None = None,
        pointer: str = PRODUCTION,
        version: int | None = None,
    ) -> ResolvedPrompt:
        """Resolve a prompt; see `Promptyard.prompt`."""
        client = self._client
        if client.is_loaded:
            return client.prompt(name, subject=subject, pointer=pointer, version=version)
        return await asyncio.to_thread(
            client.prompt, name, subject=subject, pointer=pointer, version=version
        )

    async def record(self, resolved: ResolvedPrompt, **fields: Any) -> str:
        """Record an outcome; see `Promptyard.record`."""
        return self._client.record(resolved, **fields)

    async def feedback(
        self,
        outcome_id: str,
        *,
        name: str,
        scores: Mapping[str, float],
        hard_failure: bool | None = None,
        comment: str = "",
        source: FeedbackSource = "user",
    ) -> None:
        """Record a later word on an outcome; see `Promptyard.feedback`."""
        self._client.feedback(
            outcome_id,
            name=name,
            scores=scores,
            hard_failure=hard_failure,
            comment=comment,
            source=source,
        )

    async def refresh(self) -> bool:
        """Look at the source now; see `Promptyard.refresh`."""
        return await asyncio.to_thread(self._client.refresh)

    async def flush(self, *, timeout_s: float = 5.0) -> bool:
        """Wait until everything recorded is on the disk; see `Promptyard.flush`."""
        return await asyncio.to_thread(self._client.flush, timeout_s=timeout_s)

    async def close(self, *, timeout_s: float = 5.0) -> bool:
        """Flush and stop; see `Promptyard.close`."""
        return await asyncio.to_thread(self._client.close, timeout_s=timeout_s)

    def status(self) -> dict[str, Any]:
        """Say what is served and how all is; see `Promptyard.status`."""
        return self._client.status()

    async def __aenter__(self) -> AsyncPromptyard:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
