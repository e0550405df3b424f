"""Studies: many runs by one command, and what comes of them."""
