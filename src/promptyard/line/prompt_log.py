"""What a person asks about a prompt: versions, scores, pointers, rollouts, moves, differences."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pydantic import Field

from promptyard.errors import ConfigError, NotFound
from promptyard.line.query import StoreOrUrl, opened, require_prompt
from promptyard.line.rollout_finding import with_departures
from promptyard.protocols import Store
from promptyard.records.base import Json, Record
from promptyard.records.cases import EvalSplit
from promptyard.records.measurements import Measurement
from promptyard.records.rollouts import RolloutRecord, RolloutState
from promptyard.records.versions import Move, MoveRequest, Pointer, PromptVersion, VersionStatus
from promptyard.registry.blame import lineage_of
from promptyard.registry.differences import Change, diff_programs, program_changes
from promptyard.registry.protection import protected_pointers
from promptyard.registry.versions import resolve_version

MOST_LINES = 20_000
"""Lines of a version that is compared; the worst texts of so many take seconds."""


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


class VersionSummary(Record):
    """What a list says of a version: everything but its program, which may be large."""

    name: str
    number: int
    digest: str
    author: str
    parent: int | None
    run_id: str | None
    hypothesis: str
    scores: Mapping[str, float]
    buckets: Mapping[str, int]
    eval_set_version: str
    status: VersionStatus
    created_at: str

    @classmethod
    def of(cls, version: PromptVersion) -> VersionSummary:
        """Leave the program, its origins and its verdict out."""
        return cls.model_validate({name: getattr(version, name) for name in cls.model_fields})


class PointerState(Record):
    """A pointer: where it is and whether it is protected; `number` is None where it is not set."""

    prompt: str
    pointer: str
    number: int | None
    moved_at: str
    is_protected: bool


class PromptOverview(Record):
    """One prompt: what points where, the newest version, rollouts that have not ended.

    `scores` are those of versions that a pointer or such a rollout refers to, and of the newest.
    `n_requests` promotions wait for a second name.
    """

    name: str
    n_versions: int
    newest: VersionSummary
    pointers: tuple[PointerState, ...]
    scores: tuple[VersionScore, ...]
    rollouts: tuple[RolloutStatus, ...]
    n_requests: int
    last_move: Move | None


class VersionVerdict(Record):
    """What was said of a version when its run ended, with the numbers behind it, if any."""

    name: str
    number: int
    status: VersionStatus
    run_id: str | None
    sentence: str
    verdict: Mapping[str, Json]


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


async def list_prompts(
    url: StoreOrUrl, *, after: str = "", limit: int | None = None
) -> Sequence[PromptSummary]:
    """Return the registered prompts whose names come after one, in their order."""
    async with opened(url) as store:
        names = [name for name in await store.prompt_names() if name > after]
        return [await _summary(store, name) for name in names[:limit]]


async def prompt_overview(url: StoreOrUrl, name: str) -> PromptOverview:
    """Return what one look at a prompt should show. Raises NotFound for an unknown name."""
    async with opened(url) as store:
        await require_prompt(store, name)
        versions = await store.versions(name)
        pointers = await _pointer_states(store, name)
        active = [r for r in await store.rollouts(name, last_only=True) if r.is_active]
        moves = await store.moves(name)
        shown = {versions[-1].number, *(item.number for item in pointers)}
        for record in active:
            shown |= {record.rollout.control, record.rollout.treatment}
        return PromptOverview(
            name=name,
            n_versions=len(versions),
            newest=VersionSummary.of(versions[-1]),
            pointers=pointers,
            scores=await _scores(store, name, [v for v in versions if v.number in shown]),
            rollouts=_statuses(active),
            n_requests=len(await store.move_requests(name)),
            last_move=moves[-1] if moves else None,
        )


async def list_versions(
    url: StoreOrUrl, name: str, *, before: int | None, limit: int
) -> Sequence[VersionSummary]:
    """Return versions below a number, newest first. Raises NotFound for an unknown prompt."""
    async with opened(url) as store:
        await require_prompt(store, name)
        found = await store.newest_versions(name, before=before, limit=limit)
        return [VersionSummary.of(version) for version in found]


async def list_scores(url: StoreOrUrl, name: str) -> Sequence[VersionScore]:
    """Return all measured scores of a prompt, by version. Raises NotFound for an unknown prompt."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await _scores(store, name, await store.versions(name))


async def list_pointers(url: StoreOrUrl, name: str) -> Sequence[PointerState]:
    """Return the pointers of a prompt by name, those that are protected before they are set, too.

    Raises NotFound for an unknown prompt.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        return await _pointer_states(store, name)


async def show_pointer(url: StoreOrUrl, name: str, pointer: str) -> PointerState:
    """Return one pointer. Raises NotFound naming those there are."""
    found = await list_pointers(url, name)
    for state in found:
        if state.pointer == pointer:
            return state
    known = ", ".join(state.pointer for state in found) or "none"
    raise NotFound(f"prompt '{name}' has no pointer '{pointer}'; its pointers: {known}")


async def list_moves(url: StoreOrUrl, name: str, pointer: str | None = None) -> Sequence[Move]:
    """Return the moves of a prompt's pointers, or of one, oldest first. Raises NotFound."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await store.moves(name, pointer)


async def version_verdict(url: StoreOrUrl, name: str, reference: str) -> VersionVerdict:
    """Return what was said of a version when it was measured. Raises NotFound where nothing was."""
    version = await show_version(url, name, reference)
    if version.verdict is None:
        raise NotFound(
            f"version {version.number} of prompt '{name}' has no verdict: no run has judged it; "
            "`promptyard gate` does"
        )
    return VersionVerdict(
        name=name,
        number=version.number,
        status=version.status,
        run_id=version.run_id,
        sentence=str(version.verdict.get("sentence", "")),
        verdict=version.verdict,
    )


async def show_version(url: StoreOrUrl, name: str, reference: str) -> PromptVersion:
    """Return a version by number, pointer name, or `latest`; its bytes are proven."""
    async with opened(url) as store:
        await require_prompt(store, name)
        return await resolve_version(store, name, reference)


async def diff_versions(url: StoreOrUrl, name: str, old: str, new: str) -> VersionDiff:
    """Compare any two versions of a prompt.

    Raises ConfigError for prompts so long that this could take minutes.
    """
    async with opened(url) as store:
        await require_prompt(store, name)
        first = await resolve_version(store, name, old)
        second = await resolve_version(store, name, new)
    for version in (first, second):
        n_lines = sum(step.prompt.text.count("\n") for step in version.program.steps)
        if n_lines > MOST_LINES:
            raise ConfigError(
                f"v{version.number} of '{name}' has {n_lines:,} lines; versions of up to "
                f"{MOST_LINES:,} are compared"
            )
    # Elsewhere: it may take seconds, and others want to be answered.
    return await asyncio.to_thread(_compared, first, second)


def _compared(first: PromptVersion, second: PromptVersion) -> VersionDiff:
    labels = [f"{item.name} v{item.number}" for item in (first, second)]
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
        n_versions=(await store.newest_versions(name, limit=1))[0].number,
        pointers={item.pointer: item.number for item in await store.pointers(name)},
        protected=await protected_pointers(store, name),
        rollouts=_statuses(active),
        last_move=moves[-1] if moves else None,
    )


async def _pointer_states(store: Store, name: str) -> tuple[PointerState, ...]:
    places = {item.pointer: item for item in await store.pointers(name)}
    protected = await protected_pointers(store, name)
    return tuple(
        PointerState(
            prompt=name,
            pointer=pointer,
            number=None if place is None else place.number,
            moved_at="" if place is None else place.moved_at,
            is_protected=pointer in protected,
        )
        for pointer in sorted({*places, *protected})
        for place in (places.get(pointer),)
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
