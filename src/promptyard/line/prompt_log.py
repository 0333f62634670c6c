"""What a person asks about a prompt: versions, scores, pointers, rollouts, moves, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.line.rollout_finding import with_departures
from promptyard.protocols import Store
from promptyard.records.base import Record
from promptyard.records.cases import EvalSplit
from promptyard.records.measurements import Measurement
from promptyard.records.rollouts import RolloutRecord, RolloutState
from promptyard.records.versions import Move, MoveRequest, Pointer, PromptVersion
from promptyard.registry.blame import lineage_of
from promptyard.registry.differences import Change, diff_programs, program_changes
from promptyard.registry.protection import protected_pointers
from promptyard.registry.versions import resolve_version


class VersionScore(Record):
    """What a version came to on one split of one eval set version; the newest measurement counts.

    `score` in [0, 1]. `buckets` maps the names of failure buckets to failing cases.
    `eval_set_number` is the place of the version in the log of the eval set, None where that has
    no such version.
    """

    number: int
    eval_set_version: str
    eval_set_number: int | None
    split: EvalSplit
    model: str
    n_cases: int
    coverage: float
    score: float | None
    buckets: Mapping[str, int] = Field(default_factory=dict)
    measured_at: str = ""


class RolloutStatus(Record):
    """Where a rollout stands. `enrolled` in [0, 1] is the share of subjects that take part.

    `left` is the move with which the pointer went away after a promotion.
    """

    id: str
    pointer: str
    control: int
    treatment: int
    state: RolloutState
    step: int
    enrolled: float
    started_at: str
    sentence: str
    left: Move | None = None


class PromptLog(Record):
    """Everything about one prompt."""

    versions: tuple[PromptVersion, ...]
    pointers: tuple[Pointer, ...]
    protected: tuple[str, ...]
    scores: tuple[VersionScore, ...]
    rollouts: tuple[RolloutStatus, ...]
    requests: tuple[MoveRequest, ...]
    moves: tuple[Move, ...]


class PromptSummary(Record):
    """One prompt in a list of all."""

    name: str
    n_versions: int
    pointers: Mapping[str, int]
    protected: tuple[str, ...]
    rollouts: tuple[RolloutStatus, ...]
    last_move: Move | None


class VersionDiff(Record):
    """Two versions and what changed: as a unified diff, and by name."""

    old: PromptVersion
    new: PromptVersion
    text: str
    changes: tuple[Change, ...]


async def prompt_log(url: StoreOrUrl, name: str) -> PromptLog:
    """Return everything about a prompt. Raises NotFound for an unknown name."""
    async with opened(url) as store:
        await require_prompt(store, name)
        versions = await store.versions(name)
        return PromptLog(
            versions=tuple(versions),
            pointers=tuple(await store.pointers(name)),
            protected=await protected_pointers(store, name),
            scores=await _scores(store, name, versions),
            rollouts=_statuses(
                await with_departures(store, await store.rollouts(name, last_only=True))
            ),
            requests=tuple(await store.move_requests(name)),
            moves=tuple(await store.moves(name)),
        )


async def list_prompts(url: StoreOrUrl) -> Sequence[PromptSummary]:
    """Return all registered prompts, by name."""
    async with opened(url) as store:
        return [await _summary(store, name) for name in await store.prompt_names()]


async def show_version(url: StoreOrUrl, name: str, reference: str) -> PromptVersion:
    """Return a version by number, pointer name, or `latest`; its bytes are proven."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await resolve_version(store, name, reference)


async def diff_versions(url: StoreOrUrl, name: str, old: str, new: str) -> VersionDiff:
    """Compare any two versions of a prompt."""
    async with opened(url) as store:
        await require_prompt(store, name)
        first = await resolve_version(store, name, old)
        second = await resolve_version(store, name, new)
    labels = (f"{name} v{first.number}", f"{name} v{second.number}")
    text = diff_programs(first.program, second.program, old_name=labels[0], new_name=labels[1])
    changes = program_changes(first.program, second.program)
    return VersionDiff(old=first, new=second, text=text, changes=changes)


async def version_lineage(url: StoreOrUrl, name: str, reference: str) -> Sequence[PromptVersion]:
    """Return a version, what it was made from, and so on to the first."""
    async with opened(url) as store:
        await require_prompt(store, name)
        version = await resolve_version(store, name, reference)
        return lineage_of(version, await store.versions(name))


async def _summary(store: Store, name: str) -> PromptSummary:
    moves = await store.moves(name)
    rollouts = await store.rollouts(name, last_only=True)
    active = [record for record in rollouts if record.is_active]
    return PromptSummary(
        name=name,
        n_versions=len(await store.versions(name)),
        pointers={item.pointer: item.number for item in await store.pointers(name)},
        protected=await protected_pointers(store, name),
        rollouts=_statuses(active),
        last_move=moves[-1] if moves else None,
    )


async def _scores(
    store: Store, name: str, versions: Sequence[PromptVersion]
) -> tuple[VersionScore, ...]:
    by_digest = {version.digest: version.number for version in versions}
    known = await store.eval_set_versions(name)
    eval_sets = {item.version: place for place, item in enumerate(known, start=1)}
    newest: dict[tuple[int, str, str, str], Measurement] = {}
    for item in await store.measurements(name):
        number = by_digest.get(item.program_id)
        if number is not None:
            newest[number, item.eval_set_version, item.split, item.model] = item
    return tuple(
        VersionScore(
            number=key[0],
            eval_set_version=item.eval_set_version,
            eval_set_number=eval_sets.get(item.eval_set_version),
            split=item.split,
            model=item.model,
            n_cases=item.n_cases,
            coverage=item.coverage,
            score=item.score,
            buckets=item.buckets,
            measured_at=item.measured_at,
        )
        for key, item in sorted(newest.items(), key=lambda pair: pair[0][0])
    )


def _statuses(records: Sequence[RolloutRecord]) -> tuple[RolloutStatus, ...]:
    return tuple(
        RolloutStatus(
            id=record.rollout.id,
            pointer=record.rollout.pointer,
            control=record.rollout.control,
            treatment=record.rollout.treatment,
            state=record.last.state,
            step=record.last.step,
            enrolled=record.last.enrolled,
            started_at=record.rollout.started_at,
            sentence=record.last.sentence,
            left=record.left,
        )
        for record in records
    )
