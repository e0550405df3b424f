"""Tasks that cannot be solved without remembering: two classics, as small as they can be."""
