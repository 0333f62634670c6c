"""How often a holdout may be looked at: it wears out, as each look chooses by its cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from promptyard.errors import Advised

LookStatus: TypeAlias = Literal["fine", "warn", "refuse"]

WARN_AT_LOOKS = 5
"""The look at one set of holdout cases from which the report warns that it wears out."""

REFUSE_AT_LOOKS = 20
"""The look from which on each one is refused unless forced."""


@dataclass(frozen=True)
class LookRuling:
    """What the policy says of a look: the sentence is for a person, empty where all is fine.

    `looks` counts the different looks at this set of cases, this one included.
    """

    status: LookStatus
    looks: int
    sentence: str = ""


def rule_on_look(looks: int, *, new: bool = True, force: bool = False) -> LookRuling:
    """Rule on a look, the one that makes `looks` different ones.

    Programs that have looked at these cases before (`new` is False) choose nothing more and are
    not refused. Raises ValueError for fewer than one look. Source: anchors on evaluation, section
    5; Blum & Hardt 2015 for why looks are counted.
    """
    if looks < 1:
        raise ValueError(f"a look counts itself, got {looks} looks")
    if looks < WARN_AT_LOOKS:
        return LookRuling("fine", looks)
    if looks < REFUSE_AT_LOOKS or not new or force:
        sentence = (
            f"this holdout has been looked at {looks} times; fresh cases would be a fairer test"
        )
        return LookRuling("warn", looks, sentence)
    sentence = Advised(
        f"this holdout has been looked at {looks - 1} times and is worn out; add fresh holdout "
        "cases",
        ", or look all the same with --force (force=True)",
        "",
    )
    return LookRuling("refuse", looks, sentence)
