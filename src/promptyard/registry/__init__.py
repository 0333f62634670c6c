"""Station 5: versions, pointers, moves, lineage and differences."""
