"""sidestep.envs."""
