"""sidestep.scripts."""
