"""The manifest: the small file out of which clients resolve prompts in their own process.

It holds what pointers and running rollouts refer to, and nothing else: programs with their
digests, so that a client can prove every byte.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from promptyard.records.base import Json, Record, content_hash
from promptyard.records.rollouts import RolloutMode

FORMAT = 1


class ManifestVersion(Record):
    """A version as clients need it. `program` is that of the registry, as JSON; see `Program`."""

    number: int
    digest: str
    program: Mapping[str, Json]


class ManifestRollout(Record):
    """A running rollout: `enrolled` in [0, 1] is the share of subjects that take part."""

    id: str
    pointer: str
    control: int
    treatment: int
    enrolled: float = Field(ge=0, le=1)
    mode: RolloutMode = "split"


class ManifestPrompt(Record):
    """One prompt: where its pointers are, its rollouts, the versions that either refers to."""

    pointers: Mapping[str, int]
    rollouts: tuple[ManifestRollout, ...] = ()
    versions: Mapping[int, ManifestVersion]


class Manifest(Record):
    """All prompts of a store at one revision.

    `revision` counts moves and decisions of the store: of two manifests the one with the larger
    number is newer, whatever their clocks say. That holds within one store: `store` names it, by
    its first move, and is empty where none was made, or by an older publisher. `checksum` is the
    hash of everything else.
    """

    format: int = FORMAT
    revision: int = Field(ge=0)
    issued_at: str
    store: str = ""
    prompts: Mapping[str, ManifestPrompt]
    checksum: str

    @staticmethod
    def checksum_of(value: Mapping[str, Json]) -> str:
        """SHA-256 (hex) of a manifest's JSON without its checksum, in canonical form."""
        return content_hash({key: item for key, item in value.items() if key != "checksum"})
