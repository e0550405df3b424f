"""Training runs: their loop, log and checkpoints, which agents use too; and fitting a module."""
