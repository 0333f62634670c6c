"""Tidying up at the end: second wordings go, if the prompt is no worse without them.

Which sentences say again what others say is found without task calls; one check on cases decides
for all of them together. Testing each sentence by removal costs more than the search and cannot
see what it protects. Source: anchors on search, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from promptyard.protocols import SearchContext
from promptyard.records.atoms import atoms_of
from promptyard.records.cases import Case
from promptyard.records.events import Eliminated
from promptyard.records.evidence import TrainTrial
from promptyard.records.origins import Origin
from promptyard.search.attribution import made_by
from promptyard.search.checks import Ruling
from promptyard.search.settings import AutoSettings
from promptyard.search.working_line import WorkingLine, mean, score_differences
from promptyard.stats.quick_look import paired_z

TIDIER = "compress"


@dataclass(frozen=True)
class Tidied:
    """A shorter line, its ruling, and the rows that it rests on."""

    line: WorkingLine
    ruling: Ruling
    rows: Sequence[TrainTrial]


async def tidy(
    context: SearchContext, settings: AutoSettings, line: WorkingLine, cases: Sequence[Case]
) -> Tidied | None:
    """Return the line without second wordings, None where there are none or it got worse.

    Costs one optimizer call at most and one task call a case, and as many for the line where it
    has not been run on them.
    """
    if TIDIER not in context.generators or len(line.origins) < 2 or not cases:
        return None
    evidence = context.evidence(tuple(line.rows.values()), line.candidate)
    proposed = await context.propose(TIDIER, line.candidate, evidence)
    atoms = [atom for item in proposed for atom in atoms_of(line.candidate.program, item.edits)]
    gone = {atom.anchor for atom in atoms if atom.kind == "delete"}
    if not gone:
        return None
    # What the search added is simply left out; what the seed said is deleted.
    kept = tuple(origin for origin in line.origins if origin.atom.text not in gone)
    added = {origin.atom.text for origin in line.origins}
    deletions = tuple(
        Origin(
            atom=atom,
            buckets=("second_wordings",),
            generator=TIDIER,
            hypothesis=proposed[0].hypothesis,
        )
        for atom in atoms
        if atom.kind == "delete" and atom.anchor not in added
    )
    origins = (*kept, *deletions)
    made = await context.compose(
        [origin.atom for origin in origins],
        line.demos,
        generator=made_by(origins, line.demos),
        buckets=("second_wordings",),
    )
    if made is None or made.id == line.candidate.id:
        return None
    rows = await context.run(made, cases, purpose="tidy", priority=0.5)
    before = await context.run(line.candidate, cases, purpose="tidy", priority=0.5)
    differences = score_differences(rows, before)
    z, lead = paired_z(differences) or 0.0, mean(differences) or 0.0
    if lead < 0 and z <= -settings.paired_accept_z:
        await context.emit(
            Eliminated(candidate_id=made.id, reason=f"shorter and worse: z = {z:+.1f}")
        )
        return None
    reason = f"{len(gone)} second wordings gone, no worse (z = {z:+.1f})"
    shorter = replace(line, candidate=made, origins=origins)
    return Tidied(shorter, Ruling(True, reason, len(differences), lead), rows)
