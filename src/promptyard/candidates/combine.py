"""Joins candidates of one parent: all their edits in one program, where these do not collide."""

from __future__ import annotations

from collections.abc import Sequence

from promptyard.candidates.reply import collide
from promptyard.errors import EditError, PromptError
from promptyard.records.edits import Candidate, Edit, Replace, SetDemos, apply_edits


def combine(base: Candidate, parts: Sequence[Candidate]) -> Candidate | None:
    """Join the edits of candidates that were made from `base`; earlier ones win a collision.

    Returns None when fewer than two of them contribute. Raises nothing: a part whose edits cannot
    be applied together with the rest is left out.
    """
    edits: list[Edit] = []
    used: list[Candidate] = []
    for part in parts:
        if part.parents != (base.id,):
            continue
        fresh = [edit for edit in part.edits if not any(_clash(edit, other) for other in edits)]
        if not fresh:
            continue
        try:
            apply_edits(base.program, [*edits, *fresh])
        except (EditError, PromptError):
            continue
        edits += fresh
        used.append(part)
    if len(used) < 2:
        return None
    return Candidate(
        program=apply_edits(base.program, edits),
        parents=(base.id,),
        edits=tuple(edits),
        generator="combine",
        hypothesis=_joined_hypothesis(used),
        evidence=tuple(dict.fromkeys(name for part in used for name in part.evidence)),
    )


def _joined_hypothesis(parts: Sequence[Candidate]) -> str:
    """Name what was joined: the parts' own sentences while they are few, else their number."""
    said = list(dict.fromkeys(part.hypothesis for part in parts))
    if len(said) <= 3:
        return "Together: " + " ".join(said)
    return f"{len(parts)} candidates together: {said[0]} And {len(said) - 1} more."


def _clash(edit: Edit, other: Edit) -> bool:
    if isinstance(edit, Replace) and isinstance(other, Replace):
        return edit == other or collide(edit, other)
    if isinstance(edit, SetDemos) and isinstance(other, SetDemos):
        return edit.step == other.step
    return False
