"""sidestep.agents."""
