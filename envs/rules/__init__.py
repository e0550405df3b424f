"""The rules of the world: what a tick does, over arrays of lanes, compiled."""
