"""Local edits: only the spans that the user marked with `<edit>` may change, and we splice them.

The optimizer sees the whole prompt and the failures, and answers with new text for the spans;
bytes outside them are identical by construction. Source: Local Prompt Optimization, arXiv
2504.20355, whose model re-emits the prompt; here it cannot.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptyard.candidates.meta_prompt import span_parts
from promptyard.candidates.reflect import reflect_on_parts
from promptyard.protocols import Bench
from promptyard.records.edits import Candidate, Proposal
from promptyard.records.evidence import Evidence


class LocalEdit:
    """Proposes replacements of marked spans; returns nothing where the prompt marks none.

    Costs as many optimizer calls as failure reflection.
    """

    name = "local_edit"

    async def propose(
        self, base: Candidate, evidence: Evidence, bench: Bench, rng: random.Random
    ) -> Sequence[Proposal]:
        """Ask for new text of the marked spans, bucket by bucket."""
        parts = span_parts(base.program.steps[-1].prompt)
        if not parts:
            return ()
        by_section = {part.section: part.id for part in reversed(parts)}
        first = parts[0].id
        return await reflect_on_parts(
            self.name,
            base,
            evidence,
            bench,
            rng,
            parts,
            lambda section: by_section.get(section, first),
        )
