"""Statistics against published values, scipy as an oracle, laws and simulations."""
