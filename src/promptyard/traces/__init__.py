"""Station 7: what live traffic left behind, read and sorted."""
