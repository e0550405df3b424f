"""What `forecast`, `lm` and `translate` are made of."""
