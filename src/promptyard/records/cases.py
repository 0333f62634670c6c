"""The eval set: cases, their splits, and the checks that grade them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from promptyard.errors import EvalSetError
from promptyard.records.base import Json, Record, content_hash, content_hash_of_list

SplitName: TypeAlias = Literal["train", "dev", "holdout"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "holdout")
EvalSplit: TypeAlias = SplitName | Literal["all"]
"""What can be measured: one split, or `all` for every case."""
EVAL_SPLITS: tuple[EvalSplit, ...] = (*SPLITS, "all")
CaseKind: TypeAlias = Literal["representative", "edge", "adversarial"]
Severity: TypeAlias = Literal["hard", "soft"]
Dimension: TypeAlias = Literal["accuracy", "validity", "safety", "judge"]
After: TypeAlias = Literal["hard", "none"]


class CheckSpec(Record):
    """One check as a user wrote it: its type, what every check has, and its own options.

    `id` is the name under which its scores are filed (default: the metric's own). `severity`,
    `dimension` and `tag` override the metric's defaults when given. `after: hard` skips the check
    where a hard one has failed (the default of judges), `none` runs it in any case. A `critical`
    check that the baseline passed may not fail under a candidate. `weight` counts among soft
    checks.
    """

    type: str
    id: str | None = None
    severity: Severity | None = None
    dimension: Dimension | None = None
    tag: str | None = None
    after: After | None = None
    weight: float = Field(default=1.0, gt=0, le=1_000_000)
    critical: bool = False
    options: Mapping[str, Json] = Field(default_factory=dict)


class Case(Record):
    """One row of the eval set.

    `input` maps variable names to text, JSON, images (`{"image": url}`) or messages
    (`[{"role", "content"}, ...]`). `split` is set on every case of an `EvalSet`.
    """

    id: str
    input: Mapping[str, Json]
    expected: Json = None
    rubric: str | None = None
    checks: tuple[CheckSpec, ...] = ()
    kind: CaseKind = "representative"
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    weight: float = Field(default=1.0, gt=0, le=1_000_000)
    split: SplitName | None = None
    critical: bool = False
    source: str | None = None


def case_id(input_values: Mapping[str, Json], expected: Json) -> str:
    """Return the id of a case that was given none: 16 hex digits of its content hash."""
    return content_hash({"input": dict(input_values), "expected": expected})[:16]


class EvalSet(Record):
    """All cases of a task, each with its split, under a version.

    `version` is a hash of the cases and their splits: same version, same measurement. `retired`
    maps the ids of cases that were taken out to the reason; they are in no split and no version.
    """

    name: str
    cases: tuple[Case, ...]
    version: str
    retired: Mapping[str, str] = Field(default_factory=dict)

    @property
    def n_by_split(self) -> Mapping[SplitName, int]:
        """How many cases each split has, in their order; 0 for an empty one."""
        sizes = Counter(case.split for case in self.cases)
        return {name: sizes[name] for name in SPLITS}

    def split(self, name: EvalSplit) -> tuple[Case, ...]:
        """Return the cases of one split in their order; `all` is every case in order of ids."""
        if name == "all":
            return tuple(sorted(self.cases, key=lambda case: case.id))
        return tuple(case for case in self.cases if case.split == name)


class EvalSetVersion(Record):
    """What is known of a stored version: where it came from, how large it is, since when.

    `parent` is None for a version that was not made out of another one; `change` says in one
    line what was done to it.
    """

    name: str
    version: str
    parent: str | None = None
    change: str = ""
    n_cases: int
    n_by_split: Mapping[str, int] = Field(default_factory=dict)
    created_at: str = ""


def split_named(name: str) -> SplitName:
    """Return the split of this name. Raises EvalSetError naming those that exist."""
    for split in SPLITS:
        if split == name:
            return split
    raise EvalSetError(f"there is no split '{name}'; use one of: {', '.join(SPLITS)}")


def eval_split_named(name: str) -> EvalSplit:
    """Return the split of this name, or `all`. Raises EvalSetError naming those that exist."""
    for split in EVAL_SPLITS:
        if split == name:
            return split
    raise EvalSetError(f"there is no split '{name}'; use one of: {', '.join(EVAL_SPLITS)}")


def eval_set_version(cases: tuple[Case, ...]) -> str:
    """Hash of all cases with their split assignment, in order of their ids (16 hex digits)."""
    ordered = sorted(cases, key=lambda case: case.id)
    return content_hash_of_list(case.model_dump(mode="json") for case in ordered)[:16]
