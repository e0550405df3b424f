"""Pairs of sequences: files of them, and generated tasks with known answers."""
