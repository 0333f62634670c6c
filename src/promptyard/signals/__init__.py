"""Station 2: what the measurements tell: failure buckets, confusion, score history, examples.

`evidence.gather` folds the reports on train into the Evidence that generators may see.
"""
