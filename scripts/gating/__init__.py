"""What `sidestep gates` is made of: a cell over a text or an episode, its gates free and forced."""
