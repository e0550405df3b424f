"""Levels: the maps on which obstacles move, named, random, or from a file."""
