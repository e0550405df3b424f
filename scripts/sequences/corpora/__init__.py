"""Texts for character models that a command makes, and measures of how well one is imitated."""
