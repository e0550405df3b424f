"""sidestep.sequence."""
