"""A checker for any vector env: what is played, what must hold of it, and what it tells."""
