"""What `watch`, `record` and `play` are made of."""
