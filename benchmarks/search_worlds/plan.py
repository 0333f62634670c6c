"""What a world consists of: skills with their rules, traps, clashes, and how a case is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Value: TypeAlias = Any
"""A JSON value."""

Gold: TypeAlias = "dict[str, Value] | str"
"""The right answer: an object by fields, or a label."""


@dataclass(frozen=True)
class Skill:
    """Something that the task model does right by itself with chance `base`, taught nearly always.

    Attributes:
        field: the field of the answer that goes wrong without it (`label` in label worlds).
        tag: what the metric calls the mistake; skills may share tag and symptom: a rule for one of
            them then cures a part of the bucket.
        rules: wordings that teach it; how well each works differs from world seed to world seed.
        vague: wordings that only touch the topic.
        contrary: sentences that take most of a rule's effect while they stand.
        marker: pattern of what calls for the skill in an input, as a reader would notice it.
        sign: pattern of its mistake, in the form `expected -> got` of JSON values.
        needs_demo: a rule alone does half of it; the rest takes a demonstration.
    """

    name: str
    field: str
    tag: str
    symptom: str
    base: float
    rules: tuple[str, ...]
    vague: tuple[str, ...] = ()
    contrary: tuple[str, ...] = ()
    marker: str = ""
    sign: str = ""
    needs_demo: bool = False


@dataclass(frozen=True)
class Trap:
    """A sentence that lifts some skills and multiplies the chances of others."""

    sentences: tuple[str, ...]
    lifts: tuple[str, ...]
    hurts: Mapping[str, float]


@dataclass(frozen=True)
class Clash:
    """Two skills whose rules hurt each other: while one is taught alone, the other suffers."""

    one: str
    other: str
    factor: float


@dataclass(frozen=True)
class Drawn:
    """One case: `wrongs` gives the mistake of each skill that it needs, by field.

    In label worlds a wrong label that holds `{}` is written around the label.
    """

    text: str
    gold: Gold
    wrongs: Mapping[str, Mapping[str, Value]]


@dataclass(frozen=True)
class Plan:
    """A kind of world.

    `write_seed(rng)` gives the seed prompt and the sentences in it that are wrong. `mark` opens the
    reference of each case, as in `VN-48213`. `idle` sentences change nothing; `harm` only damage.
    `soft_tokens` is the length from which attention suffers, `base_jitter` what a base chance may
    differ by from seed to seed, `poor_wordings` the share of wordings that work half.
    """

    name: str
    kind: Literal["object", "label"]
    fields: tuple[str, ...]
    mark: str
    skills: tuple[Skill, ...]
    draw: Callable[[random.Random], Drawn]
    write_seed: Callable[[random.Random], str]
    traps: tuple[Trap, ...] = ()
    clashes: tuple[Clash, ...] = ()
    idle: tuple[str, ...] = ()
    soft_tokens: int = 1500
    labels: tuple[str, ...] = ()
    base_jitter: float = 0.06
    poor_wordings: float = 0.25
    options: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def by_name(self) -> Mapping[str, Skill]:
        """The skills by name."""
        return {skill.name: skill for skill in self.skills}

    @property
    def harm(self) -> tuple[str, ...]:
        """Sentences that only damage."""
        contrary = [text for skill in self.skills for text in skill.contrary]
        return (
            *contrary,
            *(text for trap in self.traps if not trap.lifts for text in trap.sentences),
        )
