"""Statistics of the line: pure functions, no clock, no I/O; randomness is passed in."""
