"""Finds the rollout that a person means: by its id, or by its prompt and pointer."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.errors import Advised, ConfigError, Conflict, NotFound
from promptyard.line.query import StoreOrUrl, opened
from promptyard.protocols import Store
from promptyard.records.rollouts import Decision, RolloutRecord, departure


async def find_rollout(
    store: Store, reference: str, pointer: str | None = None, *, active: bool = False
) -> RolloutRecord:
    """Return the rollout that a prompt's name or an id means, with its last decision.

    Of a prompt it is the one that has not ended, else the newest. `active` refuses an ended one.
    Raises NotFound saying what there is, ConfigError where several pointers have one.
    """
    records = await store.rollouts(reference, last_only=True)
    if not records:
        record = await _by_id(store, reference)
    else:
        record = _of_prompt(reference, records, pointer)
    if active and not record.is_active:
        raise Conflict(
            f"rollout '{record.rollout.id}' of '{record.rollout.prompt}' has ended: "
            f"{record.last.state}; `promptyard canary start` begins another one"
        )
    return record


async def show_rollout(
    url: StoreOrUrl, reference: str, *, pointer: str | None = None, last_only: bool = True
) -> RolloutRecord:
    """Return a rollout with its last decision, or with all of them, and what became of it.

    Raises NotFound.
    """
    async with opened(url) as store:
        record = await find_rollout(store, reference, pointer)
        found = record if last_only else await store.rollout(record.rollout.id)
        return (await with_departures(store, [found]))[0]


async def list_rollouts(url: StoreOrUrl, name: str | None = None) -> Sequence[RolloutRecord]:
    """Rollouts of one prompt or of all, oldest first, each with its last decision."""
    async with opened(url) as store:
        return await with_departures(store, await store.rollouts(name, last_only=True))


async def with_departures(
    store: Store, records: Sequence[RolloutRecord]
) -> Sequence[RolloutRecord]:
    """Add to promoted rollouts the move with which their pointer went on or back since."""
    promoted = {item.rollout.prompt for item in records if item.last.state == "promoted"}
    moves = {prompt: await store.moves(prompt) for prompt in promoted}
    return [
        item.model_copy(update={"left": departure(item.rollout, moves[item.rollout.prompt])})
        if item.last.state == "promoted"
        else item
        for item in records
    ]


async def list_decisions(
    url: StoreOrUrl, reference: str, *, before: int | None, limit: int
) -> Sequence[Decision]:
    """Decisions on a rollout below a number, newest first. Raises NotFound."""
    async with opened(url) as store:
        record = await find_rollout(store, reference)
        return await store.decisions(record.rollout.id, before=before, limit=limit)


async def _by_id(store: Store, reference: str) -> RolloutRecord:
    if reference in await store.prompt_names():
        raise NotFound(
            f"prompt '{reference}' has had no rollout yet; "
            f"`promptyard canary start {reference} --version VERSION` begins one"
        )
    return await store.rollout(reference, last_only=True)


def _of_prompt(name: str, records: Sequence[RolloutRecord], pointer: str | None) -> RolloutRecord:
    here = [item for item in records if pointer in {None, item.rollout.pointer}]
    if not here:
        others = sorted({item.rollout.pointer for item in records})
        raise NotFound(
            f"no rollout of prompt '{name}' is behind '{pointer}'; there are some behind: "
            f"{', '.join(others)}"
        )
    running = [item for item in here if item.is_active]
    if len(running) > 1:
        places = ", ".join(item.rollout.pointer for item in running)
        said = f"'{name}' has rollouts behind {places}: name one with "
        raise ConfigError(Advised(said, "--pointer", "the query parameter pointer"))
    return running[0] if running else here[-1]
