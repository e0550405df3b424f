"""How a policy acts in an env: what it sees, what it chooses, and what is kept of it."""
