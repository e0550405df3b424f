"""The exact optimum of a world, by dynamic programming."""
