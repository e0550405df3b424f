"""How gradients flow: through a chain of one's own numbers, and before and after a training."""
