"""Searches over settings, by several processes and machines: `sidestep sweep`."""
