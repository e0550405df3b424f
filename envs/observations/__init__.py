"""What the agent is shown: a table of observations, a file for each kind."""
