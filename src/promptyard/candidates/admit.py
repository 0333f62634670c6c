"""Turns a proposal into a candidate: spliced by us, checked by the validators, or refused."""

from __future__ import annotations

from promptyard.candidates.leakage import LeakageIndex
from promptyard.candidates.validators import Change, fingerprint, first_violation
from promptyard.errors import EditError, PromptError
from promptyard.records.edits import Candidate, Proposal, Rejection, apply_edits


def admit(
    proposal: Proposal, base: Candidate, seen: frozenset[str], leakage: LeakageIndex
) -> Candidate | Rejection:
    """Splice and validate one proposal.

    `seen` are fingerprints of programs proposed before. A proposal without edits is refused with
    code `no_edit`, an edit that cannot be applied with code `splice`. Costs nothing.
    """
    if not proposal.edits:
        return _refused(proposal, "no_edit", "the reply held no usable edit")
    try:
        child = apply_edits(base.program, proposal.edits)
    except (EditError, PromptError) as error:
        return _refused(proposal, "splice", str(error))
    change = Change(base.program, child, proposal.edits, seen, leakage)
    violation = first_violation(change)
    if violation is not None:
        return _refused(proposal, *violation)
    return Candidate(
        program=child,
        parents=(base.id, *proposal.parents),
        edits=proposal.edits,
        generator=proposal.generator,
        hypothesis=proposal.hypothesis,
        evidence=proposal.evidence,
    )


def readmit(
    candidate: Candidate, base: Candidate, seen: frozenset[str], leakage: LeakageIndex
) -> Candidate | Rejection:
    """Validate a candidate that was joined out of admitted ones; growth limits do not apply."""
    change = Change(
        base.program, candidate.program, candidate.edits, seen, leakage, single_step=False
    )
    violation = first_violation(change)
    if violation is None:
        return candidate
    proposal = Proposal(
        generator=candidate.generator, edits=candidate.edits, hypothesis=candidate.hypothesis
    )
    return _refused(proposal, *violation)


def _refused(proposal: Proposal, code: str, reason: str) -> Rejection:
    return Rejection(
        generator=proposal.generator,
        code=code,
        reason=reason,
        hypothesis=proposal.hypothesis,
        raw=proposal.raw[:2000],
    )


__all__ = ["admit", "fingerprint", "readmit"]
