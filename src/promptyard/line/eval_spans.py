"""An eval as spans: opens the sender where spans are asked for, and closes it when all is done."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from promptyard.errors import ConfigError
from promptyard.line.session import Session
from promptyard.records.prompts import Program
from promptyard.records.scores import Trial

TrialSink: TypeAlias = Callable[[Trial], None]


def require_spans(wanted: bool) -> None:
    """Raise ConfigError where spans are wanted and cannot be sent: the extra is not installed."""
    if not wanted:
        return
    try:
        importlib.import_module("promptyard.traces.emit")
    except ImportError:
        raise ConfigError(
            "--spans needs OpenTelemetry; install it with: pip install 'promptyard[otel]'"
        ) from None


@contextlib.asynccontextmanager
async def trial_sink(
    session: Session,
    task: str,
    program: Program,
    count: TrialSink,
    wanted: bool,
    notes: list[str],
) -> AsyncGenerator[TrialSink]:
    """Give what is called with every trial: `count`, and the sender where spans are wanted.

    At the end what waits is sent; what could not be sent in time is said in `notes`.
    """
    if not wanted:
        yield count
        return
    from promptyard.traces.emit import FLUSH_S, EvalOf, TrialSpans

    versions = await session.store.versions(task)
    known = [item.number for item in versions if item.digest == program.id]
    spans = TrialSpans(EvalOf(task, session.header.id, program.id, known[-1] if known else None))

    def both(trial: Trial) -> None:
        count(trial)
        spans(trial)

    try:
        yield both
    finally:
        if not await asyncio.to_thread(spans.close):
            notes.append(f"not all spans could be sent within {FLUSH_S:.0f} s")
