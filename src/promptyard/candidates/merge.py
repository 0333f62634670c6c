"""Merge: takes over what another candidate of the same origin changed, without asking a model.

Source: the system-aware merge of GEPA (arXiv 2507.19457); how parts are merged is said in
`records.merging`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal, edit_targets
from promptyard.records.evidence import Evidence
from promptyard.records.merging import merge_edits


class Merge:
    """Proposes `base` with the parts that only its relative changed. Costs no call.

    The policy names the relative and the common ancestor in `evidence.relatives`, and gives the
    better of the two as `base`: where both changed a part, that of `base` stays.
    """

    name = "merge"

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Merge; nothing without a relative, or where the merge would be one of the two."""
        del bench, rng
        relatives = evidence.relatives
        if relatives is None or base.id == relatives.ancestor.id:
            return ()
        other = relatives.other
        edits = merge_edits(relatives.ancestor.program, base.program, other.program)
        if not edits:
            return ()
        parts = dict.fromkeys(name for names in edit_targets(edits).values() for name in names)
        what = ", ".join(f"'{name}'" for name in parts) or "the settings"
        return (
            Proposal(
                generator=self.name,
                edits=edits,
                hypothesis=f"Two candidates mend different things; {what} comes from the other.",
                evidence=other.evidence,
                parents=(other.id,),
            ),
        )
